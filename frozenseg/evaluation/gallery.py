"""Gallery of an evaluation: the best- and worst-scored images with run-length encoded ground truth and prediction."""

import base64
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from frozenseg import distributed
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.evaluation.types import ImageContributions
from frozenseg.structures.argmax import best_class
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput
from frozenseg.structures.record import Record, image_name

IMAGES_PER_END = 10
JsonEntry = dict[str, Any]
MapKind = Literal["segments", "labels"]  # segments of a panoptic map, or class labels
OUTPUT_OF: dict[MapKind, str] = {"segments": OUTPUT_FIELDS["panoptic"], "labels": OUTPUT_FIELDS["semantic"]}


class Layer(NamedTuple):
    """Segmentation of an image, annotated or predicted.

    Attributes:
        ids: (H, W) segment id of each pixel.
        classes: contiguous class by segment id; other ids belong to no class.
    """

    ids: Runs
    classes: dict[int, int]

    def to_json(self) -> JsonEntry:
        """Encode for JSON."""
        return {
            "size": list(self.ids.size),
            "starts": _packed(self.ids.starts),
            "values": _packed(self.ids.values),
            "classes": [list(pair) for pair in self.classes.items()],
        }

    @classmethod
    def from_json(cls, content: JsonEntry) -> "Layer":
        """Decode the result of :meth:`to_json`."""
        height, width = content["size"]
        ids = Runs((height, width), _unpacked(content["starts"]), _unpacked(content["values"]))
        return cls(ids, dict(content["classes"]))


class GalleryImage(NamedTuple):
    """An image of the gallery.

    Attributes:
        name: of the image.
        file_name: path of the image.
        score: from 0 to 1.
        kind: of the two layers.
        ground_truth: the annotation.
        predicted: the prediction.
    """

    name: str
    file_name: str
    score: float
    kind: MapKind
    ground_truth: Layer
    predicted: Layer

    def to_json(self) -> JsonEntry:
        """Encode for JSON."""
        layers = {"truth": self.ground_truth.to_json(), "predicted": self.predicted.to_json()}
        return {"image": self.name, "file_name": self.file_name, "score": self.score, "kind": self.kind, **layers}

    @classmethod
    def from_json(cls, entry: JsonEntry) -> "GalleryImage":
        """Decode the result of :meth:`to_json`."""
        layers = Layer.from_json(entry["truth"]), Layer.from_json(entry["predicted"])
        return cls(entry["image"], entry["file_name"], entry["score"], entry["kind"], *layers)


class Gallery:
    """Observer of an evaluation that stores the images with the best and the worst scores; ties are ordered by name.

    Predictions are stored for these images only, as runs. If no metric scores single images, no image is stored.

    Args:
        evaluators: the metrics; the first one with a score for single images ranks them.
        metadata: of the data set: ``ignore_label`` and ``first_label`` of its label images.
        on_added: called with the JSON entry of each image that is added, for :meth:`restore`.
        count: number of images at either end.

    Attributes:
        images: number of observed images.
    """

    def __init__(
        self,
        evaluators: DatasetEvaluators,
        metadata: DatasetMetadata,
        on_added: Callable[[JsonEntry], None] | None = None,
        count: int = IMAGES_PER_END,
    ) -> None:
        self._evaluators, self._metadata, self._count = evaluators, metadata, count
        self.on_added = on_added
        self.images = 0
        self._best: list[GalleryImage] = []
        self._worst: list[GalleryImage] = []  # twice as many, because some may be among the best as well

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Add an image if it is among the best or the worst so far."""
        self.images += 1
        kind = self._kind(output)
        if kind is None:
            return
        score = self._evaluators.image_score(contribution)
        if math.isnan(score) or not self._has_room(image_name(record), score):
            return
        image = self._image(record, output, kind, score)
        self._add(image)
        if self.on_added is not None:
            self.on_added(image.to_json())

    def show(self, record: Record, output: ModelOutput) -> GalleryImage | None:
        """Return an image for drawing without storing or scoring it (NaN); None if it has no map that can be drawn."""
        kind = self._kind(output)
        return self._image(record, output, kind, math.nan) if kind else None

    def entries(self) -> list[JsonEntry]:
        """Return the images of this process as JSON entries."""
        return [image.to_json() for image in _distinct(self._all())]

    def restore(self, entries: Iterable[JsonEntry]) -> None:
        """Add the images of entries from :meth:`entries` or ``on_added``; duplicates are added once."""
        for entry in entries:
            self._add(GalleryImage.from_json(entry))

    def merged(self) -> tuple[list[GalleryImage], list[GalleryImage]]:
        """Return the best and the worst images of all processes, on every process.

        The best are in descending, the worst in ascending order of their scores. No image is in both lists: of fewer
        images than twice ``count``, the best ones come first.
        """
        images = _distinct([image for share in distributed.gather(self._all()) for image in share])
        best = sorted(images, key=_best_first)[: self._count]
        names = {image.name for image in best}
        rest = [image for image in images if image.name not in names]
        return best, sorted(rest, key=_worst_first)[: self._count]

    def _all(self) -> list[GalleryImage]:
        return [*self._best, *self._worst]

    def _kind(self, output: ModelOutput) -> MapKind | None:
        """Return the first kind of map that both the ground truth and an output have."""
        kinds = self._evaluators.ground_truth_kinds
        return next((kind for kind, field in OUTPUT_OF.items() if kind in kinds and field in output), None)

    def _image(self, record: Record, output: ModelOutput, kind: MapKind, score: float) -> GalleryImage:
        layers = self._segments(record, output) if kind == "segments" else self._labels(record, output)
        return GalleryImage(image_name(record), str(record["file_name"]), score, kind, *layers)

    def _has_room(self, name: str, score: float) -> bool:
        if len(self._best) < self._count or len(self._worst) < 2 * self._count:
            return True
        return (-score, name) < _best_first(self._best[-1]) or (score, name) < _worst_first(self._worst[-1])

    def _add(self, image: GalleryImage) -> None:
        best, worst = (_distinct([*stored, image]) for stored in (self._best, self._worst))
        self._best = sorted(best, key=_best_first)[: self._count]
        self._worst = sorted(worst, key=_worst_first)[: 2 * self._count]

    def _segments(self, record: Record, output: ModelOutput) -> tuple[Layer, Layer]:
        ids, segments = output["panoptic_seg"]
        predicted = PanopticMap.from_segments(np.asarray(ids.cpu()), segments)
        return _layer_of(ground_truth_of(record, "segments")), _layer_of(predicted)

    def _labels(self, record: Record, output: ModelOutput) -> tuple[Layer, Layer]:
        annotated, sem_seg = ground_truth_of(record, "labels"), output["sem_seg"]
        predicted = Runs.of((best_class(sem_seg) if sem_seg.ndim == 3 else sem_seg).cpu().numpy())
        first = self._metadata.first_label
        ignored = self._metadata.ignore_label
        classes = {label: label - first for label in np.unique(annotated.values).tolist() if label != ignored}
        predicted_classes = {label: label for label in np.unique(predicted.values).tolist()}
        return Layer(annotated, classes), Layer(predicted, predicted_classes)


def _layer_of(segments: PanopticMap) -> Layer:
    """Return a map without its crowds, which are not scored."""
    single = ~segments.iscrowd
    pairs = zip(segments.segment_ids[single].tolist(), segments.classes[single].tolist(), strict=True)
    return Layer(segments.ids, dict(pairs))


def _best_first(image: GalleryImage) -> tuple[float, str]:
    return -image.score, image.name


def _worst_first(image: GalleryImage) -> tuple[float, str]:
    return image.score, image.name


def _distinct(images: Sequence[GalleryImage]) -> list[GalleryImage]:
    return list({image.name: image for image in images}.values())


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(numbers.astype("<i4").tobytes())).decode("ascii")


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<i4").astype(np.int64)
