"""Metadata of a data set, its records, and the folder of all data sets."""

import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]
ROOT_VARIABLE = "DETECTRON2_DATASETS"


def datasets_root() -> Path:
    """Return the folder of all data sets: ``$DETECTRON2_DATASETS``, or ``datasets``."""
    return Path(os.environ.get(ROOT_VARIABLE) or "datasets").expanduser()


class Metadata:
    """What is known of a data set without its files: a bag of attributes with Detectron2's names.

    Example::

        metadata = MetadataCatalog.get("toyworld_val_seen")
        metadata.stuff_classes[0], metadata.get("json_file")
        metadata.set(evaluator_type="coco_panoptic_seg")

    Args:
        **fields: the attributes.
    """

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def set(self, **fields: Any) -> "Metadata":
        """Set attributes; returns itself."""
        self.__dict__.update(fields)
        return self

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or ``default`` where it is not set."""
        return self.__dict__.get(name, default)

    def as_dict(self) -> dict[str, Any]:
        """Return a copy of all attributes by name."""
        return dict(self.__dict__)

    def __getattr__(self, name: str) -> Any:
        """Say which attributes there are; called only for those that are not."""
        fields = self.__dict__
        raise AttributeError(f"Metadata of {fields.get('name')!r} has no {name!r}; it has {', '.join(fields)}.")

    def __repr__(self) -> str:
        """Show the name and the attributes that there are."""
        return f"Metadata({self.get('name')!r}: {', '.join(self.__dict__)})"
