"""Legend of an overlay: names beside the colours in which they are drawn."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from frozenseg.structures.palette import Colour
from frozenseg.visualization.text import DARK, shorten, text_width, write

MAX_COLUMNS = 3  # beyond these the legend becomes taller than the image
LINE_HEIGHT = 1.6  # of the size of the letters
OUTLINE: Colour = (200, 200, 200)
SWATCH_WIDTH, INDENT, MARGIN = 1.5, 2.1, 1.0  # of the size of the letters


class LegendEntry(NamedTuple):
    """A line of a legend.

    Attributes:
        name: text.
        colours: of its swatch, side by side; none for a line of text alone.
    """

    name: str
    colours: tuple[Colour, ...] = ()


class Legend:
    """Columns of names and swatches, each as wide as its longest name; nothing is left out.

    Args:
        entries: at least one.
        size: of the letters, pixels per em.
        height: to be kept to as far as ``MAX_COLUMNS`` allow, pixels.
    """

    def __init__(self, entries: Sequence[LegendEntry], size: int, height: int) -> None:
        self._entries, self._size, self._line = entries, size, LINE_HEIGHT * size
        fitting = rows_within(height, size)
        self._rows = -(-len(entries) // min(MAX_COLUMNS, -(-len(entries) // fitting)))
        widths = [text_width(name, size) + (INDENT + MARGIN) * size for name, _ in entries]
        self._lefts = [MARGIN * size]  # of the columns, and the end of the last
        for first in range(0, len(entries), self._rows):
            self._lefts.append(self._lefts[-1] + max(widths[first : first + self._rows]))
        self.width = round(self._lefts[-1])
        self.height = round(self._rows * self._line + 2 * MARGIN * size)

    def draw(self, image: Image.Image, left: float, top: float) -> None:
        """Draw the legend onto an RGB image, its upper left corner at a position in pixels."""
        size = self._size
        pen = ImageDraw.Draw(image)
        for index, (name, colours) in enumerate(self._entries):
            column, row = divmod(index, self._rows)
            x = left + self._lefts[column]
            middle = top + MARGIN * size + (row + 0.5) * self._line
            top_edge, bottom_edge = round(middle - size / 2), round(middle + size / 2)
            if colours:  # an outline, for colours that are nearly white
                pen.rectangle((round(x) - 1, top_edge - 1, round(x + SWATCH_WIDTH * size), bottom_edge), OUTLINE)
            for part, colour in enumerate(colours):
                start, end = (round(x + SWATCH_WIDTH * size * edge / len(colours)) for edge in (part, part + 1))
                pen.rectangle((start, top_edge, end - 1, bottom_edge - 1), colour)
            write(image, name, x + INDENT * size, middle, size, DARK)


def fitting_size(count: int, size: int, smallest: int, height: float) -> int:
    """Return the size of letters with which a legend keeps to a height, between a smallest and a largest size.

    Args:
        count: of entries.
        size: the largest one, pixels per em.
        smallest: pixels per em; many entries make the legend higher than ``height`` with it.
        height: pixels.
    """
    rows = -(-count // MAX_COLUMNS)
    return max(min(size, smallest), min(size, int(height / (2 * MARGIN + LINE_HEIGHT * rows))))


def first_entries(entries: Sequence[LegendEntry], room: int) -> list[LegendEntry]:
    """Return as many entries as there is room for; the last ones are counted in a line of text."""
    shown = list(entries if len(entries) <= room else entries[: room - 1])
    if hidden := len(entries) - len(shown):
        shown.append(LegendEntry(f"and {hidden} more"))
    return shown


def rows_within(height: float, size: int) -> int:
    """Return the number of lines of a legend of a height in pixels; at least 1."""
    return max(1, int((height - 2 * MARGIN * size) // (LINE_HEIGHT * size)))


def fit_entries(entries: Sequence[LegendEntry], size: int, width: float, height: float) -> list[LegendEntry]:
    """Return entries for a legend of one column of a fixed size: long names are shortened, the last ones are counted.

    Args:
        entries: the most important first.
        size: of the letters, pixels per em.
        width: of the legend, pixels.
        height: of the legend, pixels.
    """
    free = width - (INDENT + 2 * MARGIN) * size
    shown = first_entries(entries, rows_within(height, size))
    return [LegendEntry(shorten(name, size, free), colours) for name, colours in shown]
