"""HTML pages of images: thumbnails with their segments, for the contact sheet and the review.

A page has no external requests: its style and script are inside, its images are files beside it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.inference.formats.output_files import output_file, printable, relative_url
from frozenseg.inference.formats.output_format import FormatOptions, OutputImage, OutputRecord
from frozenseg.inference.result import Result
from frozenseg.inference.segments import SCORE_DIGITS, Segment

PAGE_TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL_SIZE = 640  # longest side, pixels
THUMBNAIL_QUALITY = 85  # of the JPEGs, 1-100
MAX_CLASSES = 12  # named under an image


def write_thumbnails(folder: Path, image: OutputImage, result: Result, options: FormatOptions) -> OutputRecord:
    """Write an image small, with and without its segments.

    Args:
        folder: of the page.
        image: to write.
        result: of the image.
        options: ``opacity`` is that of the segments.

    Returns:
        What a page needs of the image.
    """
    paths = {kind: output_file(folder / "thumbnails" / kind, image.stem, ".jpg") for kind in ("plain", "drawn")}
    plain = result.image.convert("RGB")
    plain.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
    drawing = result.draw("panoptic", opacity=options.opacity, max_size=THUMBNAIL_SIZE, legend=False)
    for kind, pixels in (("plain", plain), ("drawn", drawing)):
        with replacing(paths[kind]) as temporary:
            pixels.save(temporary, quality=THUMBNAIL_QUALITY)
    segments = result.segments_of("panoptic")
    return {
        **image.entry(),
        **{kind: relative_url(path, folder) for kind, path in paths.items()},
        "shown": [drawing.width, drawing.height],
        "classes": dict(Counter(segment.name for segment in segments).most_common()),
        "segments": len(segments),
        "certainty": round(certainty(segments), SCORE_DIGITS),
    }


def certainty(segments: list[Segment]) -> float:
    """Return the mean score of the segments of an image; 0 for an image without segments."""
    return sum(segment.score for segment in segments) / len(segments) if segments else 0.0


def write_page(path: Path, cards: Iterable[OutputRecord], values: Mapping[str, Any]) -> None:
    """Write a page from ``page.html``, streamed.

    Args:
        path: the file.
        cards: records of the images, in their order on the page.
        values: ``title``, ``introduction``, ``is_review``, ``key``, a part of the name under which marks are stored,
            and ``colours`` of the classes.
    """
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGE_TEMPLATES), autoescape=True)
    style, script = ((PAGE_TEMPLATES / f"page.{ending}").read_text(encoding="utf-8") for ending in ("css", "js"))
    stream = environment.get_template("page.html").stream(cards=map(_card, cards), style=style, script=script, **values)
    stream.enable_buffering(20)
    with replacing(path) as temporary, temporary.open("wb") as file:
        stream.dump(file, encoding="utf-8")


def _card(record: OutputRecord) -> dict[str, Any]:
    """Return the content of a card: a record with a name that can be shown, and its most frequent classes."""
    classes = [(printable(name), count) for name, count in record["classes"].items()]
    return {
        **record,
        "shown_name": printable(record["file_name"]),
        "classes": classes[:MAX_CLASSES],
        "others": max(0, len(classes) - MAX_CLASSES),
    }
