"""Values and colours of a custom data set's label images → the values that the rest of the package uses.

Letters: C classes, H×W the image, n values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frozenseg.errors import DataError
from frozenseg.structures.palette import Colour

VOID_COLOUR = (224, 224, 192)  # boundaries and unlabelled pixels in PASCAL VOC and in exports in its format
UNKNOWN, UNLABELLED = -2, -1  # besides class indices
LISTED = 8  # values or colours in a message


@dataclass(frozen=True)
class LabelCoding:
    """Meaning of the pixels of label images.

    Attributes:
        names: of the C classes, for messages.
        values: C pixel values, distinct.
        colours: C colours, distinct, or none: label images hold values only.
        ignore: value of unlabelled pixels in the files; None if every value is a class.
        ignore_is_default: True if the user has not set ``ignore``.
        first: value of the first class after decoding.
        unlabelled: value of unlabelled pixels after decoding.
        void_colour: colour of unlabelled pixels.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[Colour, ...] = ()
    ignore: int | None = 255
    ignore_is_default: bool = True
    first: int = 0
    unlabelled: int = 255
    void_colour: Colour = VOID_COLOUR

    def decode_values(self, pixels: np.ndarray, path: str) -> np.ndarray:
        """Return the decoded (H, W) labels of (H, W) integers.

        Raises:
            DataError: a value is no class; the message has its position.
        """
        used, index = _distinct(pixels)
        return self._decoded(self._classes_of_values(used), used, index, path)

    def decode_indexed(self, indices: np.ndarray, palette: np.ndarray, path: str, *, is_grey: bool) -> np.ndarray:
        """Return the decoded (H, W) labels of an image with a palette, or of a grey image.

        A palette with the colours of the classes is decoded by colour, any other one by value. A grey image is decoded
        by value unless only its grey levels, as colours, are those of classes.

        Args:
            indices: (H, W) uint8.
            palette: (256, 3) uint8 RGB.
            path: of the file, for messages.
            is_grey: True if the palette is the grey scale.

        Raises:
            DataError: a value is no class, or values and colours contradict each other.
        """
        used, index = _distinct(indices)
        by_value, by_colour = self._classes_of_values(used), self._classes_of_colours(palette[used])
        known = by_colour != UNKNOWN
        if is_grey:
            hidden = self.ignore_is_default and bool(((by_value == by_colour) | (by_value == UNLABELLED)).all())
            use_colours = known.all() and (hidden or bool((by_value == UNKNOWN).any()))
        else:
            use_colours = bool(known.all())
            if not use_colours and (by_value != by_colour)[known].any():
                value = int(used[~known][0])
                raise DataError(
                    f"The label image {path} has a palette with colours of the classes, but value {value} has the "
                    f"colour {_text(palette[value])}, which is no class: add it to the class list."
                )
        return self._decoded(by_colour if use_colours else by_value, used, index, path)

    def decode_colours(self, colours: np.ndarray, path: str) -> np.ndarray:
        """Return the decoded (H, W) labels of (H, W, 3) uint8 RGB.

        Raises:
            DataError: a colour is no class; the message has its position and the nearest colour.
        """
        packed = _packed(colours)
        # a table of all colours: only the memory pages with colours of classes are allocated (zeros are lazy)
        table = np.zeros(2**24, dtype=np.int32)
        table[int(_packed(np.array(self.void_colour, dtype=np.uint8)))] = UNLABELLED - UNKNOWN
        for number, colour in enumerate(self.colours):
            table[int(_packed(np.array(colour, dtype=np.uint8)))] = number - UNKNOWN
        classes = table.take(packed) + UNKNOWN
        if (classes == UNKNOWN).any():
            row, column = np.argwhere(classes == UNKNOWN)[0].tolist()
            colour = colours[row, column]
            distances = np.abs(np.array(self.colours, dtype=np.int64) - colour).sum(axis=1)
            nearest = int(distances.argmin())
            raise DataError(
                f"The label image {path} has the colour {_text(colour)} at row {row}, column {column}, which is no "
                f"class; the nearest one is {_text(self.colours[nearest])}, {self.names[nearest]!r}: add the colour to "
                "the class list, or export the label image without smoothing."
            )
        return self._coded(classes)

    def _classes_of_values(self, values: np.ndarray) -> np.ndarray:
        numbers = {value: number for number, value in enumerate(self.values)}
        if self.ignore is not None:
            numbers[self.ignore] = UNLABELLED
        return np.array([numbers.get(value, UNKNOWN) for value in values.tolist()], dtype=np.int64)

    def _classes_of_colours(self, colours: np.ndarray) -> np.ndarray:
        numbers = {self.void_colour: UNLABELLED} | {colour: number for number, colour in enumerate(self.colours)}
        return np.array([numbers.get(tuple(colour), UNKNOWN) for colour in colours.tolist()], dtype=np.int64)

    def _decoded(self, classes: np.ndarray, used: np.ndarray, index: np.ndarray, path: str) -> np.ndarray:
        """Return the decoded labels from (n,) classes of (n,) used values and (H, W) indices of pixels into them."""
        if (classes == UNKNOWN).any():
            wrong = int((classes == UNKNOWN).argmax())
            row, column = np.argwhere(index == wrong)[0].tolist()
            listed = ", ".join(map(str, self.values[:LISTED])) + (" …" if len(self.values) > LISTED else "")
            rest = "" if self.ignore is None else f", or {self.ignore} for unlabelled pixels"
            raise DataError(
                f"{path} holds the value {used[wrong]} at row {row}, column {column}: expected {listed}{rest}; add it "
                f"to the class list, or write &ignore={used[wrong]} if it means unlabelled."
            )
        labels: np.ndarray = self._coded(classes)[index]
        return labels

    def _coded(self, classes: np.ndarray) -> np.ndarray:
        return np.where(classes == UNLABELLED, self.unlabelled, classes + self.first).astype(np.int32)


def _distinct(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) distinct values and for each pixel the index of its value, (H, W); fast for 8 and 16 bits."""
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
        occurs = np.bincount(pixels.ravel(), minlength=1) > 0
        return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[pixels]
    values, index = np.unique(pixels, return_inverse=True)
    return values, index.reshape(pixels.shape)


def _packed(colours: np.ndarray) -> np.ndarray:
    channels = colours.astype(np.int32)
    return channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]


def _text(colour: Sequence[int] | np.ndarray) -> str:
    return "({}, {}, {})".format(*(int(channel) for channel in colour))
