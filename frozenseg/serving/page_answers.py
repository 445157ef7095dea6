"""Answers to the page: segments with a map of run lengths, masks of prompts, and exports.

Letters: H×W the image.
"""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.inference.editing import EditedImage
from frozenseg.inference.formats.label_maps import label_map
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.mask_prompts import PromptedSegment
from frozenseg.inference.segments import SCORE_DIGITS
from frozenseg.serving.sessions import ImageSession
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.palette import Colour, vocabulary_colours


def run_list(runs: Runs) -> list[int]:
    """Return a map as value, length, value, length, …, row by row."""
    pairs: list[int] = np.stack([runs.values.astype(np.int64), runs.lengths()], axis=1).ravel().tolist()
    return pairs


def segments_answer(image: Image.Image, edited: EditedImage) -> dict[str, Any]:
    """Return the segments of an image for the page.

    Args:
        image: RGB.
        edited: its segments.
    """
    shown = {each.id: each for each in edited.result(image).segments_of("panoptic")}
    colours = edited.colours()
    segments = [
        {
            "id": each.id,
            "name": each.name,
            "isthing": each.isthing,
            "score": each.score,
            "kept": each.is_kept,
            "area": shown[each.id].area,
            "bbox": list(shown[each.id].bbox),
            "color": list(colours[each.id]),
        }
        for each in edited.segments
    ]
    return {
        "width": edited.width,
        "height": edited.height,
        "runs": run_list(edited.runs),
        "segments": segments,
        "names": list(edited.classes().names),
        "can_undo": edited.can_undo,
        "can_redo": edited.can_redo,
    }


def prompt_answer(prompted: PromptedSegment) -> dict[str, Any]:
    """Return the mask of a prompt and its names for the page."""
    names = [
        {"name": each.name, "score": round(each.score, SCORE_DIGITS), "isthing": each.isthing}
        for each in prompted.names
    ]
    return {
        "runs": run_list(Runs.of(prompted.mask.astype(np.uint8))),
        "area": int(prompted.mask.sum()),
        "names": names,
        "quality": round(prompted.quality, SCORE_DIGITS),
        "agreement": round(prompted.agreement, SCORE_DIGITS),
    }


def coco_export(session: ImageSession, file_name: str, hidden: Iterable[int]) -> dict[str, Any]:
    """Return the shown segments of a session as a COCO file; ``kept`` marks those that predictions do not replace.

    Args:
        session: of the image.
        file_name: of the image, for the file.
        hidden: ids of segments that are left out.
    """
    kept = {each.id for each in session.edited.segments if each.is_kept}
    coco = session.edited.result(session.image, hidden).to_coco("panoptic", file_name=file_name)
    for annotation in coco["annotations"]:
        annotation["kept"] = annotation["id"] in kept
    return coco


def labels_export(session: ImageSession, hidden: Iterable[int]) -> bytes:
    """Return the classes of all pixels as a PNG with a palette; ids are those of the COCO file's categories."""
    result = session.edited.result(session.image, hidden)
    colours: tuple[Colour, ...] = tuple(vocabulary_colours(result.vocabulary.names))
    return png_bytes(label_map(result, OutputClasses(result.vocabulary, colours=colours)))


def png_bytes(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
