"""Interface of all metrics (after Detectron2's ``DatasetEvaluator``), and the evaluation loop."""

import functools
import gc
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import nn

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.background_scoring import BackgroundScoring
from frozenseg.evaluation.ground_truth import GroundTruthKind
from frozenseg.evaluation.result_lines import ResultLine
from frozenseg.evaluation.types import ImageContributions, PerClassResults, TaskResults
from frozenseg.log import get_logger, progress
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.output_kinds import ModelOutput, OutputKind
from frozenseg.structures.record import Record, image_name

C = TypeVar("C")  # the contribution of one image to a metric
C_contra = TypeVar("C_contra", contravariant=True)
logger = get_logger(__name__)


@dataclass
class Seconds:
    """Duration of the parts of an evaluation, in one process."""

    data: float = 0.0  # waiting for the loader
    model: float = 0.0
    metric: float = 0.0  # waiting for the metrics, which run in another thread, and for the scores at the end


class DatasetEvaluator(ABC, Generic[C]):
    """A metric that processes a data set image by image and returns its scores at the end.

    An image is processed in two steps: :meth:`describe` computes its contribution, :meth:`add` accumulates it. A
    contribution is small and can be written as JSON, so that an interrupted evaluation can be resumed and images can be
    ranked.

    Subclasses that are registered in ``registry.EVALUATOR`` are selected by :func:`build_evaluators` through the class
    attributes.

    Attributes:
        output_kind: the model output that is scored.
        rule: definition of the metric in one sentence, printed in reports.
        ground_truth: the annotations that it reads, see :func:`ground_truth_of`; None if it reads files itself.
        evaluator_types: values of ``evaluator_type`` in the metadata of the data sets that it scores.
        per_class: scores of the classes, set by :meth:`evaluate`.
    """

    output_kind: ClassVar[OutputKind]
    rule: str = ""
    ground_truth: ClassVar[GroundTruthKind | None] = None
    evaluator_types: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.per_class: PerClassResults = {}
        self.reset()

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "DatasetEvaluator[C]":
        """Build the metric for a data set.

        Args:
            metadata: of the data set.
            seen: one flag per class, True if the class was seen in training.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be built from metadata.")

    @classmethod
    def missing_data(cls, metadata: DatasetMetadata) -> str:
        """Return what a data set lacks for this metric, which is skipped then; empty if it lacks nothing."""
        return ""

    @abstractmethod
    def reset(self) -> None:
        """Remove the contributions of all images."""

    @abstractmethod
    def describe(self, record: Record, output: ModelOutput) -> C:
        """Compare the output for one image with its ground truth.

        Args:
            record: of the image.
            output: of the model.

        Returns:
            The contribution of the image: numbers, strings, lists, and dictionaries with string keys.

        Raises:
            DataError: ground truth or prediction is missing or invalid.
        """

    @abstractmethod
    def add(self, contribution: C) -> None:
        """Accumulate the contribution of an image, from :meth:`describe` or read from JSON."""

    def image_score(self, contribution: C) -> float:
        """Return the score of one image, from 0 to 1; NaN if the metric has none for single images."""
        return math.nan

    def result_lines(self, contribution: C) -> list[ResultLine] | None:
        """Return the COCO result lines of one image if its contribution contains them, otherwise None."""
        return None

    def process(self, inputs: Sequence[Record], outputs: Sequence[ModelOutput]) -> None:
        """Describe and add a batch of images."""
        for record, output in zip(inputs, outputs, strict=True):
            self.add(self.describe(record, output))

    @abstractmethod
    def evaluate(self) -> TaskResults:
        """Merge the contributions of all processes; return ``{task: {metric: percent}}``, equal on all processes."""


class DatasetEvaluators(DatasetEvaluator[ImageContributions]):
    """Several metrics with the interface of one.

    Args:
        evaluators: of different classes; images and results are processed in this order.
    """

    def __init__(self, evaluators: Iterable[DatasetEvaluator[Any]]) -> None:
        self.evaluators = list(evaluators)
        super().__init__()

    def reset(self) -> None:
        """Reset all metrics."""
        for evaluator in self.evaluators:
            evaluator.reset()

    def describe(self, record: Record, output: ModelOutput) -> ImageContributions:
        """Return the contribution of an image to each metric, by class name of the metric."""
        return {type(evaluator).__name__: evaluator.describe(record, output) for evaluator in self.evaluators}

    def add(self, contribution: ImageContributions) -> None:
        """Add its contribution to each metric."""
        for evaluator, part in self._parts(contribution):
            evaluator.add(part)

    def image_score(self, contribution: ImageContributions) -> float:
        """Return the score of an image by the first metric that has one, otherwise NaN."""
        scores = (evaluator.image_score(part) for evaluator, part in self._parts(contribution))
        return next((score for score in scores if not math.isnan(score)), math.nan)

    def result_lines(self, contribution: ImageContributions) -> list[ResultLine] | None:
        """Return the COCO result lines of an image from the first metric that has them, otherwise None."""
        lines = (evaluator.result_lines(part) for evaluator, part in self._parts(contribution))
        return next((of_image for of_image in lines if of_image is not None), None)

    @property
    def ground_truth_kinds(self) -> tuple[GroundTruthKind, ...]:
        """Kinds of ground truth that the metrics read; loader workers may read them, see :func:`read_ground_truths`."""
        kinds = (evaluator.ground_truth for evaluator in self.evaluators)
        return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))

    def evaluate(self) -> TaskResults:
        """Return the results of all metrics, merged by task; ``per_class`` is merged as well."""
        results: TaskResults = {}
        self.per_class = {}
        for evaluator in self.evaluators:
            for task, metrics in evaluator.evaluate().items():
                results.setdefault(task, {}).update(metrics)
            self.per_class.update(evaluator.per_class)
        return results

    def _parts(self, contribution: ImageContributions) -> Iterator[tuple[DatasetEvaluator[Any], Any]]:
        """Yield each metric with its part of a contribution."""
        for evaluator in self.evaluators:
            yield evaluator, contribution[type(evaluator).__name__]


class Observer(Protocol[C_contra]):
    """Interface of objects that receive every image of an evaluation."""

    def observe(self, record: Record, output: ModelOutput, contribution: C_contra) -> None:
        """Receive an image, the model's output for it, and its contribution to the metrics."""


@contextmanager
def _quick_garbage_collection() -> Iterator[None]:
    """Leave the objects of the libraries and the model out of collections, which the lines of all results trigger."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@_quick_garbage_collection()
def inference_on_dataset(
    model: nn.Module,
    loader: Iterable[list[Record]],
    evaluators: DatasetEvaluator[C],
    observers: Sequence[Observer[C]] = (),
    earlier: Iterable[C] = (),
) -> tuple[TaskResults, Seconds]:
    """Run a model over this process's share of a data set and score it.

    The model runs in eval mode; afterwards its mode is restored. Metrics and observers receive the images in order, in
    another thread, while the model computes the next image.

    Args:
        model: ``list[dict]`` → ``list[dict]``.
        loader: batches of records with ``image``.
        evaluators: the metrics; they are reset first.
        observers: receive every image of this process.
        earlier: contributions of the images that an interrupted evaluation has processed.

    Returns:
        The merged results, equal on all processes, and the durations of this process.

    Raises:
        DataError: no process has an image.
    """
    evaluators.reset()
    images, seconds, started = 0, Seconds(), time.perf_counter()
    for contribution in earlier:
        evaluators.add(contribution)
        images += 1
    total = len(loader) if isinstance(loader, Sized) else None
    quiet = not distributed.is_main_process()
    score = functools.partial(_score, evaluators, observers)
    with _eval_mode(model), torch.no_grad(), BackgroundScoring(score) as scoring:
        for batch in progress(_timed(loader, seconds), "evaluating", total, quiet):
            before = time.perf_counter()
            outputs = model(batch)
            _wait_for_device()
            between = time.perf_counter()
            _check_count(batch, outputs)
            scoring.submit(batch, outputs)
            seconds.model += between - before
            seconds.metric += time.perf_counter() - between
            images += len(batch)
    if sum(distributed.gather(images)) == 0:
        raise DataError("There is no image to evaluate: the data set is empty, or none of its images can be decoded.")
    before = time.perf_counter()
    results = evaluators.evaluate()
    seconds.metric += time.perf_counter() - before
    _log_seconds(images, time.perf_counter() - started, seconds, scoring.seconds)
    return results, seconds


@torch.no_grad()
def _score(
    evaluators: DatasetEvaluator[C],
    observers: Sequence[Observer[C]],
    batch: list[Record],
    outputs: list[ModelOutput],
) -> None:
    """Add the images of a batch to the metrics, and show them to the observers."""
    for record, output in zip(batch, outputs, strict=True):
        contribution = evaluators.describe(record, output)
        evaluators.add(contribution)
        for observer in observers:
            observer.observe(record, output, contribution)


def _timed(loader: Iterable[list[Record]], seconds: Seconds) -> Iterator[list[Record]]:
    """Yield the batches of the loader and add the time that it takes to ``seconds.data``."""
    batches = iter(loader)
    while True:
        before = time.perf_counter()
        batch = next(batches, None)
        seconds.data += time.perf_counter() - before
        if batch is None:
            return
        yield batch


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _wait_for_device() -> None:
    # the metric waits for the outputs: without this, the time of the model would count as time of the metric
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _check_count(batch: list[Record], outputs: list[ModelOutput]) -> None:
    if len(batch) != len(outputs):
        names = ", ".join(image_name(record) for record in batch)
        raise DataError(
            f"The model returned {len(outputs)} outputs for {len(batch)} images ({names}): expected one each."
        )


def _log_seconds(images: int, wall: float, seconds: Seconds, in_background: float) -> None:
    split = ", ".join(f"{name} {value:.1f} s" for name, value in asdict(seconds).items())
    rate = 1000 * wall / max(images, 1)
    logger.info(
        "Evaluated %d images in %.1f s (%.0f ms per image): %s; %.1f s of metrics ran beside the model.",
        images,
        wall,
        rate,
        split,
        in_background,
    )
