"""The words that occur in a picture, each beside its colour."""

from collections.abc import Sequence

from frozenseg.inference.page import Page
from frozenseg.structures.palette import Colour

MOST_COLUMNS = 3  # rather than more, the legend becomes taller than the picture
LINE_HEIGHT = 1.6  # of the type's size
NOTHING = "nothing found"
PATCH_WIDTH, INDENT, MARGIN = 1.5, 2.1, 1.0  # of the type's size


class Legend:
    """Columns of names, as wide as the longest of them.

    Args:
        entries: name and colour; nothing is left out.
        size: of the type, pixels.
        room: height to keep to where that is possible, pixels.
    """

    def __init__(self, entries: Sequence[tuple[str, Colour]], size: int, room: int) -> None:
        self._entries = list(entries)
        self._size, self._step = size, LINE_HEIGHT * size
        fitting = int((room - 2 * MARGIN * size) // self._step)
        rows = max(1, fitting, -(-len(entries) // MOST_COLUMNS))
        self._rows = min(rows, max(1, len(entries)))
        columns = max(1, -(-len(entries) // self._rows))
        ruler = Page(1, 1)
        names = [name for name, _ in self._entries] or [NOTHING]
        self._column = max(ruler.text_width(name, size) for name in names) + (INDENT + MARGIN) * size
        self.width = round(MARGIN * size + columns * self._column)
        self.height = round(self._rows * self._step + 2 * MARGIN * size)

    def put(self, page: Page, left: float, middle: float) -> None:
        """Write the legend to the right of ``left``, vertically about ``middle``, pixels."""
        size = self._size
        top = middle - self._rows * self._step / 2
        if not self._entries:
            page.add_text(NOTHING, left + MARGIN * size, middle, size)
        for index, (name, colour) in enumerate(self._entries):
            column, row = divmod(index, self._rows)
            x = left + MARGIN * size + column * self._column
            y = top + (row + 0.5) * self._step
            page.add_patch(colour, x, y - size / 2, PATCH_WIDTH * size, size)
            page.add_text(name, x + INDENT * size, y, size)
