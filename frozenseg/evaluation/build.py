"""Builder of the evaluators of a data set, from its metadata and the requested outputs."""

from collections.abc import Sequence, Set
from typing import Any

from frozenseg.errors import DataError, did_you_mean
from frozenseg.evaluation.evaluator import DatasetEvaluator, DatasetEvaluators
from frozenseg.log import get_logger
from frozenseg.registry import EVALUATOR
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.output_kinds import OUTPUT_KINDS, OutputKind

logger = get_logger(__name__)


def build_evaluators(
    metadata: DatasetMetadata, output_kinds: Set[OutputKind], seen: Sequence[bool]
) -> DatasetEvaluators:
    """Build all metrics that a data set and the requested outputs allow.

    Args:
        metadata: of the data set; its ``evaluator_type`` selects the registered evaluators.
        output_kinds: the requested outputs of the model.
        seen: one flag per class, True if the class was seen in training.

    Raises:
        DataError: an output kind or the evaluator type is unknown, or no metric remains.
    """
    if unknown := set(output_kinds) - set(OUTPUT_KINDS):
        raise DataError(f"Unknown output kind {min(unknown)!r}: choose among {', '.join(OUTPUT_KINDS)}.")
    selected = []
    for cls in _evaluators_of(metadata):
        if cls.output_kind not in output_kinds:
            continue
        if missing := cls.missing_data(metadata):
            logger.info("%s is skipped for %s: no %s.", cls.__name__, metadata.name, missing)
        else:
            selected.append(cls)
    if not selected:
        raise DataError(
            f"No metric of {metadata.name} ({metadata.evaluator_type}) can be computed from the outputs "
            f"{', '.join(sorted(output_kinds)) or 'none'}: switch on others under MODEL.MASK_FORMER.TEST."
        )
    selected.sort(key=lambda cls: OUTPUT_KINDS.index(cls.output_kind))
    return DatasetEvaluators(cls.from_metadata(metadata, seen) for cls in selected)


def scored_outputs(metadata: DatasetMetadata) -> set[OutputKind]:
    """Return the kinds of output that the registered evaluators score for a data set."""
    return {cls.output_kind for cls in _registered() if metadata.evaluator_type in cls.evaluator_types}


def _registered() -> list[type[DatasetEvaluator[Any]]]:
    return [EVALUATOR.look_up(name) for name in EVALUATOR.names()]


def _evaluators_of(metadata: DatasetMetadata) -> list[type[DatasetEvaluator[Any]]]:
    """Return the registered evaluators of a data set's ``evaluator_type``."""
    classes = _registered()
    types = {evaluator_type for cls in classes for evaluator_type in cls.evaluator_types}
    if metadata.evaluator_type not in types:
        raise DataError(
            f"Unknown evaluator_type {metadata.evaluator_type!r} of {metadata.name}."
            f"{did_you_mean(metadata.evaluator_type, types)} Known: {', '.join(sorted(types))}."
        )
    return [cls for cls in classes if metadata.evaluator_type in cls.evaluator_types]
