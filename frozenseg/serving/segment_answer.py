"""Answer of ``POST /v1/segment``: segments with their masks as run lengths, polygons or PNG.

Letters: H×W the image.
"""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.inference.auto_vocabulary import AutoVocabulary
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.result import Result
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.palette import vocabulary_colours
from frozenseg.structures.panoptic import id_to_rgb
from frozenseg.vocabulary.name_checks import name_notes

COORDINATE_DIGITS = 2
NO_CLASS_16_BIT = 65535  # of the PNG of the semantic output


@dataclass(frozen=True)
class MaskForm:
    """Form of masks in an answer.

    Attributes:
        formats: some of ``rle``, ``polygons`` and ``png``.
        tolerance: simplification of polygons, pixels.
        require_time: called before each mask and polygon; raises an exception when the time of the request is over.
    """

    formats: tuple[str, ...] = ("rle",)
    tolerance: float = 0.0
    require_time: Callable[[], None] = lambda: None

    def of_mask(self, mask: np.ndarray) -> dict[str, Any]:
        """Return an (H, W) bool mask as run lengths and polygons, as far as they are requested."""
        self.require_time()
        fields: dict[str, Any] = {}
        if "rle" in self.formats:
            fields["segmentation"] = encode_rle(mask[None])[0]
        if "polygons" in self.formats:
            rings = mask_polygons(mask, self.tolerance, self.require_time)
            fields["polygons"] = [ring.ravel().round(COORDINATE_DIGITS).tolist() for ring in rings]
        return fields


def segment_answer(result: Result, form: MaskForm) -> dict[str, Any]:
    """Return the outputs of a result, and its classes.

    Args:
        result: of the image.
        form: of the masks.
    """
    answer: dict[str, Any] = {
        "width": result.image.width,
        "height": result.image.height,
        "classes": _classes(result),
        "notes": name_notes(result.vocabulary.classes),
    }
    writers = {"panoptic": _panoptic, "instance": _instances, "semantic": _semantic}
    return answer | {kind: writers[kind](result, form) for kind in result.kinds}


def png_text(pixels: np.ndarray) -> str:
    """Return a PNG as base64 text.

    Args:
        pixels: (H, W) uint8 or uint16, (H, W) bool, or (H, W, 3) uint8.
    """
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")


def _classes(result: Result) -> list[dict[str, Any]]:
    """Return the classes of a result; of the vocabulary ``auto`` those that it has."""
    vocabulary = result.vocabulary
    colours = vocabulary_colours(vocabulary.names)
    present = set(result.present) if isinstance(vocabulary, AutoVocabulary) else set(vocabulary.names)
    rows = zip(vocabulary.classes, vocabulary.isthing, colours, strict=True)
    return [
        {"id": index, "name": names[0], "synonyms": list(names[1:]), "isthing": isthing, "color": list(colour)}
        for index, (names, isthing, colour) in enumerate(rows)
        if names[0] in present
    ]


def _panoptic(result: Result, form: MaskForm) -> dict[str, Any]:
    segments = [{**segment.as_dict(), **form.of_mask(mask)} for segment, mask in result.each_mask("panoptic")]
    ids = result.require("panoptic")[0].cpu().numpy()
    return {"segments": segments, **({"png": png_text(id_to_rgb(ids))} if "png" in form.formats else {})}


def _instances(result: Result, form: MaskForm) -> dict[str, Any]:
    """Return the instances; each has its PNG, as their masks overlap."""
    segments = [
        {**segment.as_dict(), **form.of_mask(mask), **({"png": png_text(mask)} if "png" in form.formats else {})}
        for segment, mask in result.each_mask("instance")
    ]
    return {"segments": segments}


def _semantic(result: Result, form: MaskForm) -> dict[str, Any]:
    labels = result.require("semantic").cpu().numpy()
    segments = [
        {"category_id": label, "name": result.vocabulary.names[label], "area": int(mask.sum()), **form.of_mask(mask)}
        for label, mask in _class_masks(labels)
    ]
    if "png" not in form.formats:
        return {"segments": segments}
    return {"segments": segments, "png": png_text(np.where(labels < 0, NO_CLASS_16_BIT, labels).astype(np.uint16))}


def _class_masks(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each class of a label map (H, W) with its mask."""
    for label in np.unique(labels[labels >= 0]).tolist():
        yield label, labels == label
