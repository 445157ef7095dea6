"""Diagnosis of headline scores that are 0 or NaN: likely causes, for the log."""

import math
from collections.abc import Mapping

from frozenseg.evaluation.report import HEADLINES
from frozenseg.evaluation.types import BenchmarkResults
from frozenseg.log import get_logger

logger = get_logger(__name__)
COMMON_CAUSES = (
    "the weights are not those of this model, or none were loaded (--weights)",
    "the class names are in another order than the classes of the annotation (DATASETS.VOCABULARIES)",
)
TASK_CAUSES = {
    "panoptic_seg": (
        "the category ids of the annotation are not those of the data set, or its JSON and its PNG files belong to "
        "different data sets",
        "all segments are below MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD or OVERLAP_THRESHOLD",
    ),
    "sem_seg": ("the label images number their classes from another value, or belong to another data set",),
    "segm": (
        "the category ids or image ids of the annotation (json_file) are not those of the data set",
        "the masks have another size than the original images",
    ),
}


def diagnose(benchmark: str, results: Mapping[str, Mapping[str, float]]) -> str:
    """Name the headline scores that are 0 or NaN, with likely causes; empty if there are none.

    Args:
        benchmark: name of the benchmark.
        results: ``{task: {metric: percent}}``.
    """
    scores = {task: results[task][metric] for task, metric in HEADLINES.items() if metric in results.get(task, {})}
    zero = [task for task, score in scores.items() if score == 0]
    unknown = [HEADLINES[task] for task, score in scores.items() if math.isnan(score)]
    sentences = []
    if zero:
        causes = dict.fromkeys(cause for task in zero for cause in (*COMMON_CAUSES, *TASK_CAUSES[task]))
        listed = "; ".join(f"({number}) {cause}" for number, cause in enumerate(causes, start=1))
        named = " and ".join(HEADLINES[task] for task in zero)
        sentences.append(f"{named} on {benchmark}: 0 for all classes. Likely causes: {listed}.")
    if unknown:
        named = " and ".join(unknown)
        sentences.append(f"{named} on {benchmark}: NaN, because no class is annotated in the evaluated images.")
    return " ".join(sentences)


def warn_about_zero_scores(results: BenchmarkResults) -> None:
    """Log the diagnoses of all benchmarks as one warning, if there are any."""
    if hints := [hint for benchmark, of_it in results.items() if (hint := diagnose(benchmark, of_it))]:
        logger.warning("%s", "\n".join(hints))
