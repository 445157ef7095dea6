"""Data sets by name, and the loaders that turn them into batches; nothing here knows the model."""

from frozenseg.data.catalog import DatasetCatalog, Metadata, MetadataCatalog, vocabulary_of

__all__ = ["DatasetCatalog", "Metadata", "MetadataCatalog", "vocabulary_of"]
