"""Drawings of a few images on one sheet: each as it is, annotated, and predicted, with the names of its classes."""

import functools
import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from frozenseg.evaluation.render import Drawn
from frozenseg.structures.palette import Colour

CELL, LEGEND, GAP, LINE, TYPE = 320, 200, 10, 20, 14  # pixels: drawings' width, names' width, between, lines, letters
OPACITY = 166  # of classes over the image, 0-255
TITLES = ("image", "annotated", "predicted", "classes of both, largest first")
DARK, WHITE = (40, 40, 40), (255, 255, 255)


def picture_sheet(images: Sequence[Drawn], names: Sequence[str], colours: Sequence[Colour]) -> Image.Image:
    """Put images below each other.

    Args:
        images: drawn already.
        names: of all classes.
        colours: of all classes.
    """
    rows = [_row(image, names, colours) for image in images]
    sheet = Image.new("RGB", (_left(3) + LEGEND, LINE + GAP + sum(row.height + GAP for row in rows)), WHITE)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(TITLES):
        pen.text((_left(column), GAP // 2), title, DARK, _font())
    top = LINE + GAP
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    return sheet


def _row(drawn: Drawn, names: Sequence[str], colours: Sequence[Colour]) -> Image.Image:
    image = _read(drawn.image)
    size = (CELL, max(1, round(CELL * image.height / image.width)))
    image = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    row = Image.new("RGB", (_left(3) + LEGEND, size[1] + LINE), WHITE)
    pen = ImageDraw.Draw(row)
    pen.text((_left(0), 0), drawn.name, DARK, _font())
    for column, classes in enumerate((None, drawn.truth, drawn.predicted)):
        row.paste(image if classes is None else _over(image, classes), (_left(column), LINE))
    room = size[1] // LINE
    for line, label in enumerate(drawn.legend[:room], start=1):
        box = (_left(3), line * LINE + 3, _left(3) + TYPE, line * LINE + 3 + TYPE)
        pen.rectangle(box, colours[label], DARK)
        pen.text((box[2] + GAP, line * LINE), names[label], DARK, _font())
    return row


def _over(image: Image.Image, classes: bytes) -> Image.Image:
    """Lay a drawing's classes over the image; what is clear in it stays as it is."""
    layer = _read(classes).convert("RGBA").resize(image.size, Image.Resampling.NEAREST)
    return Image.composite(layer.convert("RGB"), image, layer.getchannel("A").point(lambda value: min(value, OPACITY)))


def _read(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


def _left(column: int) -> int:
    return GAP + column * (CELL + GAP)


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TYPE)
