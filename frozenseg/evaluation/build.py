"""From a data set's metadata and the read-outs that are on to its evaluators, by registry."""

from collections.abc import Sequence, Set
from typing import Any

from frozenseg.errors import DataError, did_you_mean
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.log import get_logger
from frozenseg.registry import EVALUATOR

READ_OUTS = ("panoptic", "semantic", "instance", "recall")
logger = get_logger(__name__)


def build_evaluators(metadata: Any, read_outs: Set[str], seen: Sequence[bool]) -> DatasetEvaluators:
    """Build all metrics that a data set and a model allow.

    Args:
        metadata: the data set's attributes; its ``evaluator_type`` chooses among the registered evaluators.
        read_outs: what the model gives: some of ``READ_OUTS``.
        seen: one flag a class: whether training has shown it.

    Raises:
        DataError: unknown read-out or evaluator type, or nothing can be scored.
    """
    if unknown := set(read_outs) - set(READ_OUTS):
        raise DataError(f"Unknown read-out {min(unknown)!r}: choose among {', '.join(READ_OUTS)}.")
    classes = [EVALUATOR.look_up(name) for name in EVALUATOR.names()]
    types = {evaluator_type for cls in classes for evaluator_type in cls.evaluator_types}
    if metadata.evaluator_type not in types:
        raise DataError(
            f"Unknown evaluator_type {metadata.evaluator_type!r} of {metadata.name}."
            f"{did_you_mean(metadata.evaluator_type, types)} Known: {', '.join(sorted(types))}."
        )
    chosen = []
    for cls in classes:
        if cls.read_out not in read_outs or metadata.evaluator_type not in cls.evaluator_types:
            continue
        if missing := cls.lacks(metadata):
            logger.info("%s is left out for %s: no %s.", cls.__name__, metadata.name, missing)
        else:
            chosen.append(cls)
    if not chosen:
        raise DataError(
            f"Nothing of {metadata.name} ({metadata.evaluator_type}) can be scored from the read-outs "
            f"{', '.join(sorted(read_outs)) or 'none'}: switch on others under MODEL.MASK_FORMER.TEST."
        )
    chosen.sort(key=lambda cls: READ_OUTS.index(cls.read_out))
    return DatasetEvaluators(cls.from_metadata(metadata, seen) for cls in chosen)
