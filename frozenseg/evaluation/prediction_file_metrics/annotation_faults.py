"""Disagreement of the PNG and the JSON of annotated segments, which panopticapi scores without a message."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from frozenseg.errors import DataError, shown
from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.structures.panoptic import VOID_ID
from frozenseg.structures.record import ImageId


class AnnotationFaults(NamedTuple):
    """Segments of one annotated image whose PNG and JSON disagree; examples are empty if there are none.

    Attributes:
        areas: number of segments with pixels whose area is not their number of pixels.
        area_example: image, segment, and both areas of one of them.
        empty: number of segments without a pixel.
        empty_example: image and segment of one of them.
        unlisted: number of pixels with an id that is neither listed nor void.
        unlisted_example: image and id of one of them.
    """

    areas: int
    area_example: str
    empty: int
    empty_example: str
    unlisted: int
    unlisted_example: str

    @classmethod
    def of(cls, annotation: PanopticMap, image: ImageId) -> "AnnotationFaults":
        """Compare the pixels of a map with its segments; the areas of crowds are not used, and not compared.

        Raises:
            DataError: none of the segments has a pixel, but other ids have: the PNG belongs to another entry.
        """
        values, index = np.unique(annotation.ids.values, return_inverse=True)
        counts = np.bincount(index.ravel(), weights=annotation.ids.lengths(), minlength=len(values)).astype(np.int64)
        pixels_of = dict(zip(values.tolist(), counts.tolist(), strict=True))
        segments = zip(annotation.segment_ids.tolist(), annotation.areas.tolist(), annotation.iscrowd, strict=True)
        areas, empty = [], []
        for number, area, iscrowd in segments:
            pixels = pixels_of.pop(number, 0)
            if not pixels:
                empty.append(f"image {shown(image)}, segment {number}")
            elif area != pixels and not iscrowd:
                areas.append(f"image {shown(image)}, segment {number}: area {area}, {pixels} pixels")
        pixels_of.pop(VOID_ID, None)
        if pixels_of and len(empty) == len(annotation.segment_ids) > 0:
            raise DataError(
                f"The ground truth of image {image} has no pixel of its segments (such as "
                f"{annotation.segment_ids[0]}), but pixels of other ids (such as {next(iter(pixels_of))}): its PNG and "
                "its entry in the JSON do not belong together."
            )
        stray = [f"image {shown(image)}, id {number}" for number in pixels_of][:1]
        return cls(
            len(areas), "".join(areas[:1]), len(empty), "".join(empty[:1]), sum(pixels_of.values()), "".join(stray)
        )


def annotation_notes(faults: Sequence[AnnotationFaults], path: object) -> list[str]:
    """Return one sentence for each kind of disagreement that occurs in the annotations ``path``."""
    notes = []
    if areas := [fault for fault in faults if fault.areas]:
        notes.append(
            f"{sum(fault.areas for fault in areas)} segments of {path} have another area than pixels in their PNG "
            f"({areas[0].area_example}): as in panopticapi, IoU is computed with the areas of the JSON. Write the JSON "
            "and the PNGs again from the same masks."
        )
    if empty := [fault for fault in faults if fault.empty]:
        notes.append(
            f"{sum(fault.empty for fault in empty)} segments of {path} have no pixel in their PNG "
            f"({empty[0].empty_example}): as in panopticapi, they count as missed."
        )
    if unlisted := [fault for fault in faults if fault.unlisted]:
        notes.append(
            f"{sum(fault.unlisted for fault in unlisted)} pixels of the PNGs of {path} have ids that its segments_info "
            f"does not list ({unlisted[0].unlisted_example}): as in panopticapi, they are no void, and predictions "
            "there count as wrong. Set them to 0 if they are unlabelled."
        )
    return notes
