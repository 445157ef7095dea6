"""A few pictures of a data set beside their annotations, to be looked at before days are spent on them.

Letters: H×W a picture, C classes.
"""

import functools
import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frozenseg.data.class_maps import UNLABELLED, Rules, class_map
from frozenseg.data.images import read_image
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError

CELL = 320  # width of a picture, pixels
LEGEND = 300  # width of a legend, pixels
GAP, LINE, TYPE = 12, 20, 14  # between pictures, of a line of text, of its letters; pixels
FEWEST_LINES = 3  # of a legend that there is room for
OPACITY = 0.65
DARK, WHITE, NOTHING = (40, 40, 40), (255, 255, 255), (0, 0, 0)


def contact_sheet(records: Sequence[Record], metadata: Metadata) -> Image.Image:
    """Draw pictures: as they are, under their classes (black where nothing is said), and the names.

    What is wrong with a picture or its annotation stands in its place.

    Args:
        records: a row each, from top to bottom.
        metadata: of the data set: ``stuff_classes`` and their ``stuff_colors``.
    """
    rules = Rules.of(metadata)
    rows = [_row(record, metadata, rules) for record in records]
    width = 2 * CELL + LEGEND + 4 * GAP
    sheet = Image.new("RGB", (width, GAP + sum(row.height + GAP for row in rows)), WHITE)
    top = GAP
    for row in rows:
        sheet.paste(row, (GAP, top))
        top += row.height + GAP
    return sheet


def _row(record: Record, metadata: Metadata, rules: Rules) -> Image.Image:
    name = str(record.get("image_id", record["file_name"]))
    try:
        image = read_image(record["file_name"])
        classes = class_map(record, rules, (image.height, image.width))  # (H, W)
    except DataError as error:
        lines = [name, *textwrap.wrap(str(error), width=2 * CELL // (TYPE // 2))]
        row = _empty_row(len(lines) * LINE)
        for line, text in enumerate(lines):
            ImageDraw.Draw(row).text((0, LINE * line), text, DARK, _font())
        return row
    size = (CELL, max(1, round(CELL * image.height / image.width)))
    row = _empty_row(LINE + max(size[1], FEWEST_LINES * LINE))
    small = image.resize(size, Image.Resampling.BILINEAR)
    shrunk = classes[np.ix_(_nearest(size[1], image.height), _nearest(size[0], image.width))]
    row.paste(small, (0, LINE))
    row.paste(Image.fromarray(_overlay(np.asarray(small), shrunk, metadata.stuff_colors)), (CELL + GAP, LINE))
    pen = ImageDraw.Draw(row)
    pen.text((0, 0), _shortened(name, 2 * CELL, pen), DARK, _font())
    labels, counts = np.unique(classes, return_counts=True)
    order = [label for label in labels[np.argsort(-counts)].tolist() if label != UNLABELLED]
    _write_legend(pen, order, (row.height - LINE) // LINE, metadata)
    return row


def _empty_row(height: int) -> Image.Image:
    return Image.new("RGB", (2 * CELL + LEGEND + 2 * GAP, height), WHITE)


def _write_legend(pen: ImageDraw.ImageDraw, labels: Sequence[int], room: int, metadata: Metadata) -> None:
    """Write classes beside their colours, as many as there is room for, in lines."""
    shown = labels if len(labels) <= room else labels[: room - 1]
    left = 2 * (CELL + GAP)
    for line, label in enumerate(shown, start=1):
        top = LINE * line
        pen.rectangle((left, top + 3, left + TYPE, top + 3 + TYPE), tuple(metadata.stuff_colors[label]), DARK)
        name = metadata.stuff_classes[label].split(",")[0]
        pen.text((left + 2 * TYPE, top), _shortened(name, LEGEND - 2 * TYPE, pen), DARK, _font())
    if len(shown) < len(labels):
        text = f"and {len(labels) - len(shown)} more"
        pen.text((left + 2 * TYPE, LINE * (len(shown) + 1)), text, DARK, _font())


def _nearest(wanted: int, given: int) -> np.ndarray:
    """Return which of the given rows or columns to take for each of those wanted."""
    return ((np.arange(wanted) + 0.5) * given / wanted).astype(int)


def _overlay(image: np.ndarray, classes: np.ndarray, colours: Sequence[Sequence[int]]) -> np.ndarray:
    """Tint an (H, W, 3) picture by (H, W) classes; lines between them are white, what is unlabelled is black."""
    table = np.array([*colours, NOTHING], dtype=np.float32)  # the last one is that of -1
    drawn = (1 - OPACITY) * image + OPACITY * table[classes]
    drawn[classes == UNLABELLED] = NOTHING
    edges = np.zeros(classes.shape, dtype=bool)
    edges[:, 1:] |= classes[:, 1:] != classes[:, :-1]
    edges[1:] |= classes[1:] != classes[:-1]
    drawn[edges] = WHITE
    return drawn.round().astype(np.uint8)


def _shortened(text: str, room: int, pen: ImageDraw.ImageDraw) -> str:
    """Return the text, with dots in the place of what does not fit."""
    if pen.textlength(text, _font()) <= room:
        return text
    while text and pen.textlength(f"{text}…", _font()) > room:
        text = text[:-1]
    return f"{text}…"


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TYPE)
