"""What is likely wrong where a whole benchmark scores nothing, or cannot be scored."""

import math
from collections.abc import Mapping

from frozenseg.evaluation.report import HEADLINES
from frozenseg.log import get_logger

logger = get_logger(__name__)
OF_ANY = (
    "the weights are not those of this model, or none were loaded (--weights)",
    "the words stand in another order than the classes of the annotation (DATASETS.VOCABULARIES)",
)
OF_TASK = {
    "panoptic_seg": (
        "the category ids of the annotation are not those of the data set, or its JSON and its PNG files are of "
        "different data sets",
        "all segments fall below MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD or OVERLAP_THRESHOLD",
    ),
    "sem_seg": ("the label pictures count their classes from another number, or are of another data set",),
    "segm": (
        "the category ids or image ids of the annotation (json_file) are not those of the data set",
        "the masks are of another size than the original images",
    ),
}


def diagnose(benchmark: str, results: Mapping[str, Mapping[str, float]]) -> str:
    """Say which scores are 0 or unknown over all classes, and why that may be; empty where none is.

    Args:
        benchmark: its name.
        results: ``{task: {metric: percent}}``.
    """
    scores = {task: results[task][metric] for task, metric in HEADLINES.items() if metric in results.get(task, {})}
    zero = [task for task, score in scores.items() if score == 0]
    unknown = [HEADLINES[task] for task, score in scores.items() if math.isnan(score)]
    told = []
    if zero:
        causes = dict.fromkeys(cause for task in zero for cause in (*OF_ANY, *OF_TASK[task]))
        listed = "; ".join(f"({number}) {cause}" for number, cause in enumerate(causes, start=1))
        named = " and ".join(HEADLINES[task] for task in zero)
        told.append(f"{named} on {benchmark}: 0 for all classes. Likely causes: {listed}.")
    if unknown:
        named = " and ".join(unknown)
        told.append(f"{named} on {benchmark}: not a number, because no class is annotated in the evaluated images.")
    return " ".join(told)


def warn_about_zero_scores(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Log one warning with what :func:`diagnose` says of all benchmarks."""
    if hints := [hint for benchmark, of_it in results.items() if (hint := diagnose(benchmark, of_it))]:
        logger.warning("%s", "\n".join(hints))
