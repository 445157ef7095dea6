"""Segments of an image that a user edits: keep, rename, merge, delete, erase, undo. Exports read the same segments.

Letters: H×W the image.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.result import Result
from frozenseg.inference.segments import Segment
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.structures.palette import Colour, shade, vocabulary_colours
from frozenseg.vocabulary import Vocabulary

MAX_SEGMENTS = 2000  # of an image
MAX_EDITS = 100  # that can be undone
MIN_INSTANCE_SCORE = 0.3  # as in drawings
MAX_COVERED = 0.5  # share of a predicted thing under a kept segment; beyond it both are of one object


@dataclass(frozen=True)
class EditedSegment:
    """A segment of an edited image.

    Attributes:
        id: pixel value, from 1.
        name: of its class.
        isthing: True for a countable class.
        score: 0-1; None where nothing has scored it, as in a semantic map.
        is_kept: True if a new prediction does not replace it: added, edited, or marked by the user.
    """

    id: int
    name: str
    isthing: bool
    score: float | None = None
    is_kept: bool = False


@dataclass(frozen=True, eq=False)
class _Step:
    """State between two edits."""

    runs: Runs
    segments: tuple[EditedSegment, ...]
    vocabulary: Vocabulary


@dataclass(eq=False)
class EditedImage:
    """Segments of an image, each pixel in one at most, and the edits that led to them.

    Every edit can be undone, also a new prediction; the first one is the beginning.

    Args:
        height: H.
        width: W.
        vocabulary: classes of the prediction.
    """

    height: int
    width: int
    vocabulary: Vocabulary
    _step: _Step = field(init=False)
    _before: list[_Step] = field(init=False, default_factory=list)
    _after: list[_Step] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._step = _Step(Runs.of(np.zeros((self.height, self.width), np.int32)), (), self.vocabulary)

    @property
    def runs(self) -> Runs:
        """Ids of the segments, (H, W), 0 for none."""
        return self._step.runs

    @property
    def segments(self) -> tuple[EditedSegment, ...]:
        """All segments, by id."""
        return self._step.segments

    @property
    def can_undo(self) -> bool:
        """True if there is an edit to undo."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """True if an edit was undone."""
        return bool(self._after)

    @property
    def bytes(self) -> int:
        """Memory of the segments and of the steps."""
        steps = (self._step, *self._before, *self._after)
        return sum(step.runs.starts.nbytes + step.runs.values.nbytes for step in steps)

    def classes(self) -> Vocabulary:
        """Return the vocabulary with the names that edits have added at its end."""
        names = dict.fromkeys(self.vocabulary.names)
        added = {each.name: each.isthing for each in self.segments if each.name not in names}
        groups = (*self.vocabulary.classes, *((name,) for name in added))
        return Vocabulary(groups, (*self.vocabulary.isthing, *added.values()))

    def colours(self) -> dict[int, Colour]:
        """Return a colour for each segment: a shade of that of its class."""
        names = self.classes().names
        of_class = dict(zip(names, vocabulary_colours(names), strict=True))
        counts = dict.fromkeys(names, -1)
        colours = {}
        for segment in self.segments:
            counts[segment.name] += 1
            colours[segment.id] = shade(of_class[segment.name], counts[segment.name])
        return colours

    def predict(self, result: Result, kind: OutputKind, vocabulary: Vocabulary | None = None) -> None:
        """Replace the segments by an output of a result; kept segments stay on top.

        A predicted thing that a kept segment covers by more than half is left out: both are of one object.

        Args:
            result: of the same image.
            kind: the output.
            vocabulary: classes of exports, which include those of the segments; None for those of the result.
        """
        kept = [each for each in self.segments if each.is_kept]
        before = self.runs.pixels()
        ids, segments = np.zeros((self.height, self.width), np.int32), []
        kept_ids = np.where(np.isin(before, [each.id for each in kept]), before, 0)
        for number, (segment, mask) in enumerate(_predicted(result, kind), start=1):
            if not (segment.isthing and _covered_share(kept_ids[mask]) > MAX_COVERED):
                ids[mask] = number
                segments.append(replace(segment, id=number))
        for number, segment in enumerate(kept, start=_next_id(segments)):
            ids[before == segment.id] = number
            segments.append(replace(segment, id=number))
        self._commit(ids, segments, vocabulary or result.vocabulary)

    def add(self, mask: np.ndarray, name: str, isthing: bool = True, score: float | None = None) -> int:
        """Add a segment over all others and return its id.

        A thing that it covers by more than half is removed: both are of one object.

        Args:
            mask: (H, W) bool.
            name: of its class.
            isthing: for a name that is not in the vocabulary.
            score: 0-1.
        """
        name = self._checked_name(name)
        number = _next_id(self.segments)
        ids = self._with_value(mask, number)
        areas, left = np.bincount(self.runs.pixels().ravel()), np.bincount(ids.ravel())
        replaced = [
            each.id for each in self.segments if each.isthing and left[each.id] < (1 - MAX_COVERED) * areas[each.id]
        ]
        ids[np.isin(ids, replaced)] = 0
        flag = self._flag_of(name, isthing)
        self._commit(ids, [*self.segments, EditedSegment(number, name, flag, score, is_kept=True)])
        return number

    def restore(self, segments: Iterable[tuple[EditedSegment, np.ndarray]]) -> None:
        """Replace all segments by saved ones.

        Args:
            segments: each with its mask (H, W) bool; later ones are on top.
        """
        ids, restored = np.zeros((self.height, self.width), np.int32), []
        for segment, mask in segments:
            restored.append(replace(segment, name=self._checked_name(segment.name)))
            ids[mask] = segment.id
        self._commit(ids, restored)

    def erase(self, mask: np.ndarray) -> None:
        """Remove pixels (H, W) bool from all segments; they have no label then."""
        self._commit(self._with_value(mask, 0), self.segments)

    def keep(self, ids: Iterable[int], is_kept: bool = True) -> None:
        """Keep segments through new predictions, or do so no longer."""
        chosen = self._chosen(ids)
        self._commit(None, [replace(each, is_kept=is_kept) if each.id in chosen else each for each in self.segments])

    def rename(self, ids: Iterable[int], name: str) -> None:
        """Give segments another class, of the vocabulary or a new one; they are kept from then on."""
        chosen, name = self._chosen(ids), self._checked_name(name)
        renamed = [
            replace(each, name=name, isthing=self._flag_of(name, each.isthing), is_kept=True)
            if each.id in chosen
            else each
            for each in self.segments
        ]
        self._commit(None, renamed)

    def merge(self, ids: Sequence[int]) -> int:
        """Merge segments into the first one, which is kept from then on; returns its id.

        Raises:
            DataError: there are fewer than two segments.
        """
        chosen = self._chosen(ids)
        if len(chosen) < 2:
            raise DataError(f"{len(chosen)} segment is selected, expected two or more to merge: select another one.")
        first, pixels = ids[0], self.runs.pixels()
        pixels[np.isin(pixels, sorted(chosen))] = first
        merged = [each for each in self.segments if each.id == first or each.id not in chosen]
        self._commit(pixels, [replace(each, is_kept=True) if each.id == first else each for each in merged])
        return first

    def delete(self, ids: Iterable[int]) -> None:
        """Delete segments; their pixels have no label then."""
        chosen, pixels = self._chosen(ids), self.runs.pixels()
        pixels[np.isin(pixels, sorted(chosen))] = 0
        self._commit(pixels, [each for each in self.segments if each.id not in chosen])

    def undo(self) -> None:
        """Undo the last edit; without effect if there is none."""
        if self._before:
            self._after.append(self._step)
            self._show(self._before.pop())

    def redo(self) -> None:
        """Repeat the edit that was undone last; without effect if there is none."""
        if self._after:
            self._before.append(self._step)
            self._show(self._after.pop())

    def result(self, image: Image.Image, hidden: Iterable[int] = ()) -> Result:
        """Return the segments as a result with a panoptic map, for exports and drawings.

        Args:
            image: (H, W) RGB.
            hidden: ids of segments that are left out.
        """
        left_out, classes = set(hidden), self.classes()
        pixels = self.runs.pixels()
        pixels[np.isin(pixels, sorted(left_out))] = 0
        infos = [
            {
                "id": each.id,
                "isthing": each.isthing,
                "category_id": classes.names.index(each.name),
                "label_id": classes.names.index(each.name),
                "score": 1.0 if each.score is None else each.score,
            }
            for each in self.segments
            if each.id not in left_out
        ]
        return Result(image, classes, (torch.from_numpy(pixels), infos))

    def _with_value(self, mask: np.ndarray, value: int) -> np.ndarray:
        if mask.shape != (self.height, self.width) or not mask.any():
            raise DataError(
                f"The mask is of {mask.shape} with {int(mask.sum())} pixels, expected ({self.height}, {self.width}) "
                "and a pixel."
            )
        pixels = self.runs.pixels()
        pixels[mask] = value
        return pixels

    def _chosen(self, ids: Iterable[int]) -> set[int]:
        chosen, known = set(ids), {each.id for each in self.segments}
        if not chosen or chosen - known:
            raise DataError(
                f"The segments {sorted(chosen)[:20]} are selected, expected ids of the image: "
                f"{sorted(known)[:20] or 'it has no segment'}."
            )
        return chosen

    def _checked_name(self, name: str) -> str:
        """Return the first name of a class for any of its synonyms, and another name without superfluous spaces."""
        checked = " ".join(name.split())
        if ";" in checked or "," in checked:
            raise DataError(f"The name {checked!r:.60} has ';' or ',', which separate names: pass a single name.")
        if checked not in self.vocabulary.names:
            for names in self.vocabulary.classes:
                if checked in names:
                    return names[0]
        return Vocabulary(((checked,),), (True,)).names[0]

    def _flag_of(self, name: str, isthing: bool) -> bool:
        """Return True if a name is that of a thing."""
        known = dict(zip(self.vocabulary.names, self.vocabulary.isthing, strict=True))
        known |= {each.name: each.isthing for each in self.segments if each.name not in known}
        return known.get(name, isthing)

    def _commit(
        self, ids: np.ndarray | None, segments: Iterable[EditedSegment], vocabulary: Vocabulary | None = None
    ) -> None:
        """Make a new state, without the segments that have no pixel."""
        runs = self.runs if ids is None else Runs.of(ids)
        visible = set(np.unique(runs.values).tolist())
        kept = tuple(segment for segment in segments if segment.id in visible)
        if len(kept) > MAX_SEGMENTS:
            raise DataError(
                f"The image has {len(kept)} segments, expected at most {MAX_SEGMENTS}: merge or delete some."
            )
        if self._before or self._after or self._step.segments:  # the first prediction is the beginning
            self._before = [*self._before[1 - MAX_EDITS :], self._step]
        self._after.clear()
        self._show(_Step(runs, kept, vocabulary or self.vocabulary))

    def _show(self, step: _Step) -> None:
        self._step, self.vocabulary = step, step.vocabulary


def _covered_share(kept_ids: np.ndarray) -> float:
    """Return the largest share of pixels that have the id of one kept segment; 0 is that of none."""
    counts = np.bincount(kept_ids)[1:]
    return float(counts.max() / kept_ids.size) if counts.size and kept_ids.size else 0.0


def _next_id(segments: Sequence[EditedSegment]) -> int:
    return max((each.id for each in segments), default=0) + 1


def _predicted(result: Result, kind: OutputKind) -> Iterator[tuple[EditedSegment, np.ndarray]]:
    """Yield the segments of an output with their masks, those below others first."""
    if kind == "semantic":
        labels = result.require("semantic").cpu().numpy()
        for label in np.unique(labels[labels >= 0]).tolist():
            yield EditedSegment(0, result.vocabulary.names[label], result.vocabulary.isthing[label]), labels == label
        return
    pairs = result.each_mask(kind) if kind == "panoptic" else iter(_instances(result))  # panoptic masks one at a time
    for segment, mask in pairs:
        yield EditedSegment(0, segment.name, segment.isthing, round(segment.score, 4)), mask


def _instances(result: Result) -> list[tuple[Segment, np.ndarray]]:
    """Return the instances that drawings show, small ones last, and of equal ones the best last."""
    shown = [pair for pair in result.each_mask("instance") if pair[0].score >= MIN_INSTANCE_SCORE]
    return sorted(shown, key=lambda pair: (-pair[0].area, pair[0].score))
