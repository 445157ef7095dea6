"""What every metric is (Detectron2's ``DatasetEvaluator``), and the loop that feeds it."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress
from frozenseg.structures.label_files import image_name

Results = dict[str, dict[str, float]]
logger = get_logger(__name__)


@dataclass
class Seconds:
    """Where the time of an evaluation went, in one process."""

    data: float = 0.0  # waiting for the loader
    model: float = 0.0
    metric: float = 0.0


class DatasetEvaluator(ABC):
    """A metric: fed image by image, it keeps little, and says its result when all have passed.

    What an image contributes is described first, then added: a description is small and can be written as JSON, so
    that an evaluation that was cut off can go on, and images can be compared with each other.

    Subclasses that are registered in ``registry.EVALUATOR`` are found by :func:`build_evaluators` through their class
    attributes; there is no list to add them to.

    Attributes:
        output_kind: what it scores: ``semantic``, ``instance``, ``panoptic`` or ``recall``.
        rule: the definition that it follows, one sentence for those who compare numbers.
        truth: what it compares with, see :func:`ground_truth_of`; empty where that is in files of its own.
        evaluator_types: the data sets that it serves, by their metadata's ``evaluator_type``.
        per_class: after :meth:`evaluate`, ``{metric: {class name: percent}}``.
    """

    output_kind: ClassVar[str] = ""
    rule: str = ""
    truth: ClassVar[str] = ""
    evaluator_types: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.per_class: dict[str, dict[str, float]] = {}
        self.reset()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "DatasetEvaluator":
        """Build for a data set.

        Args:
            metadata: its attributes.
            seen: one flag a class: whether training has shown it.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be built from metadata.")

    @classmethod
    def missing_data(cls, metadata: Any) -> str:
        """Say what is not there to score the data set by this metric; empty where all is: it is left out otherwise."""
        return ""

    @abstractmethod
    def reset(self) -> None:
        """Forget all images."""

    @abstractmethod
    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> Any:
        """Compare one image with its ground truth.

        Args:
            record: test batch element: the data set's record with ``image``.
            output: the model's output for it.

        Returns:
            What the image contributes: numbers, strings, lists and dictionaries with string keys only.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """

    @abstractmethod
    def add(self, contribution: Any) -> None:
        """Add what an image contributes, from :meth:`describe` or read back from JSON."""

    def image_score(self, contribution: Any) -> float:
        """Return how well one image was done, from 0 to 1; NaN where that cannot be said."""
        return float("nan")

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Take images in: describe and add each."""
        for record, output in zip(inputs, outputs, strict=True):
            self.add(self.describe(record, output))

    @abstractmethod
    def evaluate(self) -> Results:
        """Merge all processes and return ``{task: {metric: percent}}``, the same on every process."""


class DatasetEvaluators(DatasetEvaluator):
    """Several metrics as one.

    Args:
        evaluators: they are fed in this order, and their results stand in it.
    """

    def __init__(self, evaluators: Iterable[DatasetEvaluator]) -> None:
        self.evaluators = list(evaluators)
        super().__init__()

    def reset(self) -> None:
        """Forget all images."""
        for evaluator in self.evaluators:
            evaluator.reset()

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> dict[str, Any]:
        """Return what an image contributes to each metric, by the metric's class."""
        return {type(evaluator).__name__: evaluator.describe(record, output) for evaluator in self.evaluators}

    def add(self, contribution: dict[str, Any]) -> None:
        """Hand every metric its own."""
        for evaluator in self.evaluators:
            evaluator.add(contribution[type(evaluator).__name__])

    def image_score(self, contribution: dict[str, Any]) -> float:
        """Return the score by the first metric that has one."""
        scores = (evaluator.image_score(contribution[type(evaluator).__name__]) for evaluator in self.evaluators)
        return next((score for score in scores if not math.isnan(score)), float("nan"))

    @property
    def ground_truth_kinds(self) -> tuple[str, ...]:
        """What the metrics compare with; a loader may read it ahead, see :func:`read_ground_truths`."""
        return tuple(dict.fromkeys(evaluator.truth for evaluator in self.evaluators if evaluator.truth))

    def evaluate(self) -> Results:
        """Return all results; ``per_class`` holds those of all metrics."""
        results: Results = {}
        self.per_class = {}
        for evaluator in self.evaluators:
            for task, metrics in evaluator.evaluate().items():
                results.setdefault(task, {}).update(metrics)
            self.per_class.update(evaluator.per_class)
        return results


class Observer(Protocol):
    """Somebody who sees every image of an evaluation as it passes."""

    def observe(self, record: dict[str, Any], output: dict[str, Any], contribution: Any) -> None:
        """Look at an image, what the model says of it, and what it contributes to the metrics."""


def inference_on_dataset(
    model: nn.Module,
    loader: Iterable[list[dict[str, Any]]],
    evaluators: DatasetEvaluator,
    observers: Sequence[Observer] = (),
    earlier: Iterable[Any] = (),
) -> tuple[Results, Seconds]:
    """Run a model over this process's share of a data set and score it.

    The model is in eval mode meanwhile, and as it was before afterwards.

    Args:
        model: ``list[dict]`` → ``list[dict]``.
        loader: batches of data set records with ``image``.
        evaluators: the metrics; they are reset first.
        observers: are shown every image.
        earlier: what images contributed that an evaluation has seen which was cut off.

    Returns:
        The merged results, the same on every process, and where this process's time went.

    Raises:
        DataError: there is no image on any process.
    """
    evaluators.reset()
    images, seconds, started = 0, Seconds(), time.perf_counter()
    for contribution in earlier:
        evaluators.add(contribution)
        images += 1
    total = len(loader) if isinstance(loader, Sized) else None
    quiet = not distributed.is_main_process()
    with _eval_mode(model), torch.no_grad():
        for batch in progress(_timed(loader, seconds), "evaluating", total, quiet):
            before = time.perf_counter()
            outputs = model(batch)
            _wait_for_device()
            between = time.perf_counter()
            _check_count(batch, outputs)
            for record, output in zip(batch, outputs, strict=True):
                contribution = evaluators.describe(record, output)
                evaluators.add(contribution)
                for observer in observers:
                    observer.observe(record, output, contribution)
            seconds.model += between - before
            seconds.metric += time.perf_counter() - between
            images += len(batch)
    if sum(distributed.gather(images)) == 0:
        raise DataError("There was no image to evaluate on: the data set is empty, or no image of it can be decoded.")
    before = time.perf_counter()
    results = evaluators.evaluate()
    seconds.metric += time.perf_counter() - before
    _report_seconds(images, time.perf_counter() - started, seconds)
    return results, seconds


def _timed(loader: Iterable[list[dict[str, Any]]], seconds: Seconds) -> Iterator[list[dict[str, Any]]]:
    """Go through the loader; the seconds that it takes are added to ``seconds.data``."""
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
    # without it the model's seconds would be counted as the metric's, which waits for the outputs
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _check_count(batch: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
    if len(batch) != len(outputs):
        names = ", ".join(image_name(element) for element in batch)
        raise DataError(
            f"The model returned {len(outputs)} outputs for {len(batch)} images ({names}): expected one each."
        )


def _report_seconds(images: int, wall: float, seconds: Seconds) -> None:
    split = ", ".join(f"{name} {value:.1f} s" for name, value in asdict(seconds).items())
    rate = 1000 * wall / max(images, 1)
    logger.info("Evaluated %d images in %.1f s (%.0f ms an image): %s.", images, wall, rate, split)
