"""Kinds of model output: their names, their fields in the output dictionary, and the config keys that request them."""

from typing import Any, Literal, get_args

OutputKind = Literal["panoptic", "semantic", "instance", "recall"]
ModelOutput = dict[str, Any]  # of one image: field (value of OUTPUT_FIELDS) → prediction, see MaskClassifier.forward
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
OUTPUT_FIELDS: dict[OutputKind, str] = {
    "panoptic": "panoptic_seg",
    "semantic": "sem_seg",
    "instance": "instances",
    "recall": "recall_seg",
}


def switch_of(kind: OutputKind) -> str:
    """Return the config key that requests a kind of output."""
    return f"MODEL.MASK_FORMER.TEST.{kind.upper()}_ON"
