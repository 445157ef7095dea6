"""Input of a timed run."""

from typing import NamedTuple


class Case(NamedTuple):
    """Synthetic images, and the vocabulary."""

    height: int
    width: int
    classes: int
    batch: int
    output_height: int  # of the outputs
    output_width: int
    masks: int = 0  # target masks of each image, in training

    def __str__(self) -> str:
        """Return the description in tables."""
        outputs = (self.output_height, self.output_width)
        resized = "" if outputs in ((0, 0), (self.height, self.width)) else f" -> {outputs[0]}x{outputs[1]}"
        masks = f", {self.masks} target masks each" if self.masks else ""
        return f"{self.height}x{self.width}{resized}, {self.classes} classes, batch {self.batch}{masks}"
