"""Published scores, shown beside those of a run."""

from typing import NamedTuple


class PublishedScore(NamedTuple):
    """One published score.

    Attributes:
        model: such as ``FC-CLIP ConvNeXt-L``.
        source: such as ``README``, or ``log`` for the authors' test log.
        benchmark: name of the data set.
        task: ``panoptic_seg``, ``sem_seg`` or ``segm``.
        metric: with the name in our results.
        value: percent.
    """

    model: str
    source: str
    benchmark: str
    task: str
    metric: str
    value: float
