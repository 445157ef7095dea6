"""The images that a model did best and worst, kept on the way as what was annotated and what was said of them."""

import base64
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from frozenseg import distributed
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.structures.argmax import best_class
from frozenseg.structures.label_files import image_name
from frozenseg.structures.label_runs import Runs

KEPT = 10  # images at either end
JsonEntry = dict[str, Any]


class Layer(NamedTuple):
    """What an image is cut into, annotated or predicted.

    Attributes:
        ids: (H, W) the number of each pixel's segment.
        classes: contiguous class of each number; pixels of other numbers belong to nothing.
    """

    ids: Runs
    classes: dict[int, int]

    def to_json(self) -> JsonEntry:
        """Return it as JSON can hold it."""
        return {
            "size": list(self.ids.size),
            "starts": _packed(self.ids.starts),
            "values": _packed(self.ids.values),
            "classes": [list(pair) for pair in self.classes.items()],
        }

    @classmethod
    def from_json(cls, content: JsonEntry) -> "Layer":
        """Return what :meth:`to_json` has been told of."""
        height, width = content["size"]
        ids = Runs((height, width), _unpacked(content["starts"]), _unpacked(content["values"]))
        return cls(ids, dict(content["classes"]))


class GalleryImage(NamedTuple):
    """An image that is kept.

    Attributes:
        name: of the image.
        file_name: its picture.
        score: from 0 to 1.
        kind: ``segments`` (of a panoptic map) or ``labels`` (classes alone).
        ground_truth: segments of the annotation.
        predicted: as the model says.
    """

    name: str
    file_name: str
    score: float
    kind: str
    ground_truth: Layer
    predicted: Layer


class Gallery:
    """Keeps the best and the worst images, as an observer of the evaluation; of equal ones those first by name.

    Only of these few are the predictions kept, and as runs. Where no metric scores single images, none is.

    Args:
        evaluators: the metrics; the first that can tells how well an image was done.
        metadata: of the data set: ``ignore_label`` and ``first_label`` of its label pictures.
        on_added: called with the JSON entry of each image that is added, for :meth:`restore`.
        count: images kept at either end.
    """

    def __init__(
        self,
        evaluators: DatasetEvaluators,
        metadata: Any,
        on_added: Callable[[JsonEntry], None] | None = None,
        count: int = KEPT,
    ) -> None:
        self._evaluators, self._metadata, self._count = evaluators, metadata, count
        self.on_added = on_added
        self.images = 0  # that it has been shown
        self._best: list[GalleryImage] = []
        self._worst: list[GalleryImage] = []  # twice as many, since some may be among the best too

    def observe(self, record: dict[str, Any], output: dict[str, Any], contribution: Any) -> None:
        """Take an image in if it is among the best or the worst so far."""
        self.images += 1
        kind = self._kind(output)
        score = self._evaluators.image_score(contribution) if kind else math.nan
        if math.isnan(score) or not self._has_room(image_name(record), score):
            return
        shown = self._shown(record, output, kind, score)
        self._take(shown)
        if self.on_added is not None:
            self.on_added(_to_json(shown))

    def show(self, record: dict[str, Any], output: dict[str, Any]) -> GalleryImage | None:
        """Return an image ready to be drawn, without keeping it or scoring it (NaN); None where nothing is drawn."""
        kind = self._kind(output)
        return self._shown(record, output, kind, math.nan) if kind else None

    def entries(self) -> list[JsonEntry]:
        """Return the images that this process keeps, as JSON can hold them."""
        return [_to_json(shown) for shown in _distinct(self._everything())]

    def restore(self, entries: Iterable[JsonEntry]) -> None:
        """Take in what :meth:`entries`, or ``on_added``, was told of; an image comes back once however often it stands."""
        for entry in entries:
            layers = Layer.from_json(entry["truth"]), Layer.from_json(entry["predicted"])
            self._take(GalleryImage(entry["image"], entry["file_name"], entry["score"], entry["kind"], *layers))

    def merged(self) -> tuple[list[GalleryImage], list[GalleryImage]]:
        """Return the best and the worst images of all processes, on every process.

        The best come in falling, the worst in rising order of their scores. None is in both: of fewer images than twice
        ``count`` the better half and more are among the best.
        """
        everything = _distinct([shown for share in distributed.gather(self._everything()) for shown in share])
        best = sorted(everything, key=_from_best)[: self._count]
        names = {shown.name for shown in best}
        rest = [shown for shown in everything if shown.name not in names]
        return best, sorted(rest, key=_from_worst)[: self._count]

    def _everything(self) -> list[GalleryImage]:
        return [*self._best, *self._worst]

    def _kind(self, output: dict[str, Any]) -> str:
        """Return the kind of truth that an image can be drawn with; empty where there is none."""
        given = {"segments": "panoptic_seg", "labels": "sem_seg"}
        kinds = (kind for kind, key in given.items() if kind in self._evaluators.ground_truth_kinds and key in output)
        return next(kinds, "")

    def _shown(self, record: dict[str, Any], output: dict[str, Any], kind: str, score: float) -> GalleryImage:
        truth, predicted = self._segments(record, output) if kind == "segments" else self._labels(record, output)
        return GalleryImage(image_name(record), str(record["file_name"]), score, kind, truth, predicted)

    def _has_room(self, name: str, score: float) -> bool:
        if len(self._best) < self._count or len(self._worst) < 2 * self._count:
            return True
        return (-score, name) < _from_best(self._best[-1]) or (score, name) < _from_worst(self._worst[-1])

    def _take(self, shown: GalleryImage) -> None:
        best, worst = (_distinct([*kept, shown]) for kept in (self._best, self._worst))
        self._best = sorted(best, key=_from_best)[: self._count]
        self._worst = sorted(worst, key=_from_worst)[: 2 * self._count]

    def _segments(self, record: dict[str, Any], output: dict[str, Any]) -> tuple[Layer, Layer]:
        ids, segments = output["panoptic_seg"]
        predicted = PanopticMap.from_segments(np.asarray(ids.cpu()), segments)
        truth: PanopticMap = ground_truth_of(record, "segments")
        return _layer_of(truth), _layer_of(predicted)

    def _labels(self, record: dict[str, Any], output: dict[str, Any]) -> tuple[Layer, Layer]:
        truth: Runs = ground_truth_of(record, "labels")
        given = output["sem_seg"]
        predicted = Runs.of((best_class(given) if given.ndim == 3 else given).cpu().numpy())
        first = getattr(self._metadata, "first_label", 0)
        ignored = self._metadata.ignore_label
        classes = {label: label - first for label in np.unique(truth.values).tolist() if label != ignored}
        return Layer(truth, classes), Layer(predicted, {label: label for label in np.unique(predicted.values).tolist()})


def _layer_of(segments: PanopticMap) -> Layer:
    """Return a map without its crowds, which are not scored."""
    single = ~segments.iscrowd
    pairs = zip(segments.segment_ids[single].tolist(), segments.classes[single].tolist(), strict=True)
    return Layer(segments.ids, dict(pairs))


def _from_best(shown: GalleryImage) -> tuple[float, str]:
    return -shown.score, shown.name


def _from_worst(shown: GalleryImage) -> tuple[float, str]:
    return shown.score, shown.name


def _distinct(images: Sequence[GalleryImage]) -> list[GalleryImage]:
    return list({shown.name: shown for shown in images}.values())


def _to_json(shown: GalleryImage) -> JsonEntry:
    layers = {"truth": shown.ground_truth.to_json(), "predicted": shown.predicted.to_json()}
    return {"image": shown.name, "file_name": shown.file_name, "score": shown.score, "kind": shown.kind, **layers}


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes())).decode("ascii")


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<i4").astype(np.int64)
