"""Data sets by name, and the loaders that turn them into batches; nothing here knows the model."""

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog, vocabulary_of
from frozenseg.data.metadata import Metadata

__all__ = ["DatasetCatalog", "Metadata", "MetadataCatalog", "vocabulary_of"]
