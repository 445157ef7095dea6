"""Images in rows and columns on a white sheet, with titles and legends."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from frozenseg.visualization.legend import Legend, LegendEntry, fit_entries
from frozenseg.visualization.text import shorten, text_width, write

MAX_WIDTH = 1600  # of a sheet, pixels; images of a wider one are made smaller
COLUMN_WIDTH = 320  # of a column without images, pixels
LEGEND_WIDTH = 300  # pixels
GAP, TEXT_LINE, SIZE = 12, 20, 14  # between images, height of a line of text, size of its letters; pixels
MIN_LINES = 4  # height of a row with a legend, lines


class GridRow(NamedTuple):
    """A row of a sheet.

    Attributes:
        title: line above the images.
        images: RGB, from left to right.
        legend: to the right of the images, the most important entry first; entries that do not fit are counted.
        message: text in place of the images.
    """

    title: str
    images: Sequence[Image.Image] = ()
    legend: Sequence[LegendEntry] = ()
    message: str = ""


def image_grid(rows: Sequence[GridRow], headers: Sequence[str] = ()) -> Image.Image:
    """Return a sheet of images, RGB.

    Args:
        rows: from top to bottom.
        headers: titles of the columns, that of the legends last.
    """
    count = max([1, *(len(row.images) for row in rows)])
    widths = [_widest([row.images[column] for row in rows if column < len(row.images)]) for column in range(count)]
    legend_width = LEGEND_WIDTH + GAP if any(row.legend for row in rows) else 0
    scale = min(1.0, (MAX_WIDTH - legend_width - GAP * (count + 1)) / sum(widths))
    lefts = [GAP]
    for width in widths:
        lefts.append(lefts[-1] + round(scale * width) + GAP)
    drawn = [_draw_row(row, lefts, legend_width, scale) for row in rows]
    top = GAP + (TEXT_LINE if headers else 0)
    sheet = Image.new("RGB", (lefts[-1] + legend_width, top + sum(row.height + GAP for row in drawn)), "white")
    for left, header in zip(lefts, headers, strict=False):
        write(sheet, header, left, (GAP + TEXT_LINE) / 2, SIZE)
    for row in drawn:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    return sheet


def wrap(text: str, size: int, width: float) -> list[str]:
    """Cut a text into lines that are at most ``width`` pixels wide; a longer word has a line and is shortened."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(shorten(word, size, width))
    return lines


def _draw_row(row: GridRow, lefts: Sequence[int], legend_width: int, scale: float) -> Image.Image:
    width = lefts[-1] + legend_width
    lines = [shorten(row.title, SIZE, width - 2 * GAP), *wrap(row.message, SIZE, width - 2 * GAP)]
    images = [_scaled(image, scale) for image in row.images]
    height = max([image.height for image in images], default=0)
    if row.legend:
        height = max(height, MIN_LINES * TEXT_LINE)
    strip = Image.new("RGB", (width, TEXT_LINE * len(lines) + height), "white")
    for index, line in enumerate(lines):
        write(strip, line, GAP, TEXT_LINE * (index + 0.5), SIZE)
    for left, image in zip(lefts, images, strict=False):
        strip.paste(image, (left, TEXT_LINE * len(lines)))
    if row.legend:
        entries = fit_entries(row.legend, SIZE, LEGEND_WIDTH, height + 2 * SIZE)
        Legend(entries, SIZE, height + 2 * SIZE).draw(strip, lefts[-1] - SIZE, TEXT_LINE * len(lines) - SIZE)
    return strip


def _widest(images: Sequence[Image.Image]) -> int:
    return max([image.width for image in images], default=COLUMN_WIDTH)


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    image = image.convert("RGB")
    if scale == 1:
        return image
    size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    return image.resize(size, Image.Resampling.LANCZOS)
