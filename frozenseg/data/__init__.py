"""Catalogs, records and loaders of data sets; independent of the model."""

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog, register_dataset, resolve, vocabulary_of
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata
from frozenseg.data.spec import CategoryRow, DatasetSpec

__all__ = [
    "CategoryRow",
    "DatasetCatalog",
    "DatasetSpec",
    "Metadata",
    "MetadataCatalog",
    "ResolvedDataset",
    "register_dataset",
    "resolve",
    "vocabulary_of",
]
