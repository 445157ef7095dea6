"""From a data set's metadata and the read-outs that are on to its evaluators, by registry."""

from collections.abc import Sequence, Set
from typing import Any

from frozenseg.errors import DataError, did_you_mean
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.log import get_logger
from frozenseg.registry import EVALUATOR

OUTPUT_KINDS = ("panoptic", "semantic", "instance", "recall")
logger = get_logger(__name__)


def build_evaluators(metadata: Any, output_kinds: Set[str], seen: Sequence[bool]) -> DatasetEvaluators:
    """Build all metrics that a data set and a model allow.

    Args:
        metadata: the data set's attributes; its ``evaluator_type`` chooses among the registered evaluators.
        output_kinds: what the model gives: some of ``OUTPUT_KINDS``.
        seen: one flag a class: whether training has shown it.

    Raises:
        DataError: unknown read-out or evaluator type, or nothing can be scored.
    """
    if unknown := set(output_kinds) - set(OUTPUT_KINDS):
        raise DataError(f"Unknown output kind {min(unknown)!r}: choose among {', '.join(OUTPUT_KINDS)}.")
    classes = [EVALUATOR.look_up(name) for name in EVALUATOR.names()]
    types = {evaluator_type for cls in classes for evaluator_type in cls.evaluator_types}
    if metadata.evaluator_type not in types:
        raise DataError(
            f"Unknown evaluator_type {metadata.evaluator_type!r} of {metadata.name}."
            f"{did_you_mean(metadata.evaluator_type, types)} Known: {', '.join(sorted(types))}."
        )
    chosen = []
    for cls in classes:
        if cls.output_kind not in output_kinds or metadata.evaluator_type not in cls.evaluator_types:
            continue
        if missing := cls.missing_data(metadata):
            logger.info("%s is left out for %s: no %s.", cls.__name__, metadata.name, missing)
        else:
            chosen.append(cls)
    if not chosen:
        raise DataError(
            f"Nothing of {metadata.name} ({metadata.evaluator_type}) can be scored from the outputs "
            f"{', '.join(sorted(output_kinds)) or 'none'}: switch on others under MODEL.MASK_FORMER.TEST."
        )
    chosen.sort(key=lambda cls: OUTPUT_KINDS.index(cls.output_kind))
    return DatasetEvaluators(cls.from_metadata(metadata, seen) for cls in chosen)
