"""Instances of one image: fields of equal length, with the interface of Detectron2's ``Instances``."""

from collections.abc import Iterator
from typing import Any

import torch

from frozenseg.errors import ShapeError


class Instances:
    """Instances of one image as fields of equal length; indexing selects the same rows of every field.

    Example::

        instances = Instances((480, 640), gt_classes=labels, gt_masks=masks)
        instances.scores = torch.rand(len(instances))
        confident = instances[instances.scores > 0.5]

    Args:
        image_size: (height, width) of the image in pixels.
        **fields: tensors or sequences with one row per instance.
    """

    def __init__(self, image_size: tuple[int, int], **fields: Any) -> None:
        object.__setattr__(self, "_image_size", tuple(image_size))
        object.__setattr__(self, "_fields", {})
        for name, value in fields.items():
            self.set(name, value)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        size: tuple[int, int] = self._image_size
        return size

    def set(self, name: str, value: Any) -> None:
        """Set a field.

        Raises:
            ShapeError: its length differs from that of the other fields.
        """
        if self._fields and len(value) != len(self):
            raise ShapeError(f"Instances field {name!r} has {len(value)} rows, the other fields have {len(self)}.")
        self._fields[name] = value

    def get(self, name: str) -> Any:
        """Return a field.

        Raises:
            KeyError: the field is not set.
        """
        return self._fields[name]

    def has(self, name: str) -> bool:
        """Return True if a field is set."""
        return name in self._fields

    def get_fields(self) -> dict[str, Any]:
        """Return all fields by name."""
        fields: dict[str, Any] = self._fields
        return fields

    def to(self, *args: Any, **kwargs: Any) -> "Instances":
        """Return a copy with all tensors converted by ``Tensor.to``."""
        moved = {
            name: value.to(*args, **kwargs) if hasattr(value, "to") else value for name, value in self._fields.items()
        }
        return Instances(self.image_size, **moved)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the field ``name``."""
        self.set(name, value)

    def __getattr__(self, name: str) -> Any:
        """Return the field ``name``."""
        fields = self.__dict__.get("_fields", {})
        if name not in fields:
            raise AttributeError(f"Instances has no field {name!r}; it has {', '.join(fields) or 'none'}.")
        return fields[name]

    def __getitem__(self, rows: int | slice | torch.Tensor) -> "Instances":
        """Return the selected rows of every field."""
        if isinstance(rows, int):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"Row {rows} is out of range for {len(self)} instances.")
            rows = slice(rows, None if rows == -1 else rows + 1)
        return Instances(self.image_size, **{name: value[rows] for name, value in self._fields.items()})

    def __len__(self) -> int:
        """Return the number of instances."""
        for value in self._fields.values():
            return len(value)
        return 0

    def __iter__(self) -> Iterator["Instances"]:
        """Iterate over the instances, each as an ``Instances`` of length 1."""
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        """Return length, image size and field names."""
        height, width = self.image_size
        return f"Instances({len(self)} on {height}×{width}: {', '.join(self._fields) or 'no fields'})"
