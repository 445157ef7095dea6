"""Bodies of the page's requests."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from frozenseg.errors import DataError, did_you_mean
from frozenseg.inference.auto_vocabulary import AUTO
from frozenseg.inference.editing import MAX_SEGMENTS, EditedSegment
from frozenseg.inference.named_vocabularies import vocabulary_names
from frozenseg.modeling.sam.prompted_masks import MAX_POINTS, MaskPrompt
from frozenseg.serving.session_model import stroke_mask
from frozenseg.serving.state import ServerState
from frozenseg.structures.segmentation import decode_segmentation
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.vocabulary import MAX_NAME_LENGTH

MAX_RESTORED_PIXELS = 2**33  # height · width · number of segments: some seconds
MAX_CLASSES, MAX_SYNONYMS, MAX_STROKE, MAX_PIXEL = 5000, 50, 2000, 1e6
Name = Annotated[str, Field(max_length=MAX_NAME_LENGTH)]
Pixel = Annotated[float, Field(ge=-MAX_PIXEL, le=MAX_PIXEL, allow_inf_nan=False)]
Point = tuple[Pixel, Pixel]
SegmentIds = Annotated[list[int], Field(max_length=MAX_SEGMENTS)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SampleBody(_Body):
    """Choice of a sample scene."""

    sample: int = Field(ge=1)


class ClassBody(_Body):
    """A class of the vocabulary."""

    names: Annotated[list[Name], Field(min_length=1, max_length=MAX_SYNONYMS)]
    stuff: bool = False


class PredictionBody(_Body):
    """Vocabulary and view of a prediction."""

    classes: Annotated[list[ClassBody], Field(max_length=MAX_CLASSES)] = []
    benchmarks: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)] = []
    view: Literal["panoptic", "instance", "semantic"] = "panoptic"
    proposals: bool = False
    compare: bool = False

    def vocabulary(self, state: ServerState) -> Vocabulary:
        """Return the classes with those of the benchmarks; of equal first names the first class counts.

        Raises:
            DataError: no class, a wrong name, or an unknown benchmark.
            RequestRefusedError: too many names.
        """
        if not self.classes and len(self.benchmarks) == 1:
            return listed_vocabulary(self.benchmarks[0], state)
        if AUTO in self.benchmarks:
            raise DataError("'auto' chooses all names itself: remove it, or the other classes.")
        rows: dict[str, tuple[tuple[str, ...], bool]] = {}
        if self.classes:
            typed = state.classes([[name.strip() for name in each.names] for each in self.classes])
            flags = [not each.stuff for each in self.classes]
            for names, isthing in zip(typed.classes, flags, strict=True):
                rows.setdefault(names[0], (names, isthing))
        for benchmark in self.benchmarks:
            vocabulary = listed_vocabulary(benchmark, state)
            for names, isthing in zip(vocabulary.classes, vocabulary.isthing, strict=True):
                rows.setdefault(names[0], (names, isthing))
        if not rows:
            raise DataError("There is no class: type a name, such as 'cat', or choose a vocabulary.")
        return Vocabulary(tuple(names for names, _ in rows.values()), tuple(flag for _, flag in rows.values()))


def listed_vocabulary(name: str, state: ServerState) -> Vocabulary:
    """Return a vocabulary of the page's list.

    Args:
        name: of a benchmark, or ``auto``.
        state: of the server.

    Raises:
        DataError: unknown name.
    """
    if name not in (AUTO, *vocabulary_names()):
        raise DataError(
            f"Unknown vocabulary {name!r:.60}.{did_you_mean(name, vocabulary_names())} Available: "
            f"{', '.join(vocabulary_names())}, {AUTO}."
        )
    return state.classes(name)


class PromptBody(_Body):
    """Points, box and stroke of a prompt, in pixels of the image."""

    points: Annotated[list[Point], Field(max_length=MAX_POINTS)] = []
    positive: Annotated[list[bool], Field(max_length=MAX_POINTS)] = []
    box: tuple[Pixel, Pixel, Pixel, Pixel] | None = None
    stroke: Annotated[list[Point], Field(max_length=MAX_STROKE)] = []
    radius: float = Field(4.0, gt=0, le=1000, allow_inf_nan=False)

    def prompt(self, image: Image.Image) -> MaskPrompt:
        """Return the prompt for an image.

        Raises:
            DataError: it marks no object.
        """
        stroke = stroke_mask(self.stroke, self.radius, image.size) if self.stroke else None
        return MaskPrompt(tuple(self.points), tuple(self.positive), self.box, stroke)


class EditBody(_Body):
    """An edit of the segments."""

    action: Literal["add", "erase", "keep", "release", "rename", "merge", "delete", "undo", "redo"]
    ids: SegmentIds = []
    name: Name = ""
    stuff: bool = False


class SavedSegment(BaseModel):
    """An annotation of an exported COCO file."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    segmentation: dict[str, Any]
    isthing: bool = True
    score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    kept: bool = True


class SavedBody(BaseModel):
    """An exported COCO file of a single image, whose segments a session continues with."""

    model_config = ConfigDict(extra="ignore")

    annotations: Annotated[list[SavedSegment], Field(max_length=MAX_SEGMENTS)]

    def segments(self, image: Image.Image) -> Iterator[tuple[EditedSegment, np.ndarray]]:
        """Yield the segments with their masks (H, W) bool, one at a time.

        Raises:
            DataError: a mask is damaged or of another size, or all masks together are too large.
        """
        pixels = image.width * image.height * len(self.annotations)
        if pixels > MAX_RESTORED_PIXELS:
            raise DataError(
                f"The {len(self.annotations)} saved segments have {pixels} pixels to decode, expected at most "
                f"{MAX_RESTORED_PIXELS}: merge segments of the image."
            )
        for number, saved in enumerate(self.annotations, start=1):
            try:
                mask = decode_segmentation(saved.segmentation, image.height, image.width)
            except ValueError as error:
                raise DataError(f"The saved segment {number} cannot be restored: {error}.") from error
            yield EditedSegment(number, saved.name, saved.isthing, saved.score, saved.kept), mask
