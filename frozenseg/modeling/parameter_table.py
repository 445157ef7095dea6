"""Numbers of trainable and frozen parameters, per box of the figure."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import nn

# Prefix of parameter names → box; the first matching prefix counts.
PARAMETER_BOXES: tuple[tuple[str, str], ...] = (
    ("backbone.clip_model.visual.", "CLIP image"),
    ("backbone.", "CLIP text"),
    ("sam.image_encoder.", "SAM encoder"),
    ("sam.", "SAM prompt and mask decoder"),
    ("sem_seg_head.pixel_decoder.fpn3.", "SAM branch"),
    ("sem_seg_head.pixel_decoder.sam_transformer.", "SAM branch"),
    ("sem_seg_head.pixel_decoder.", "pixel decoder"),
    ("sem_seg_head.predictor.transformer_cross_attention_layers_sam.", "injectors"),
    ("sem_seg_head.predictor.", "transformer decoder"),
    ("void_embedding.", "void"),
)
TEXT = "CLIP text"
OTHER = "other"


class BoxParameters(NamedTuple):
    """Parameters of one box."""

    box: str
    trainable: int
    frozen: int


def parameter_table(model: nn.Module) -> list[BoxParameters]:
    """Count the parameters of a model per box, in the order of the figure; empty boxes are omitted.

    Args:
        model: FrozenSeg, FC-CLIP, or one with the same parts; all other parameters are counted as ``other``.
    """
    trainable: dict[str, int] = {}
    frozen: dict[str, int] = {}
    for name, value in model.named_parameters():
        counts = trainable if value.requires_grad else frozen
        counts[box_of(name)] = counts.get(box_of(name), 0) + value.numel()
    order = dict.fromkeys([*(box for _, box in PARAMETER_BOXES), OTHER])
    return [
        BoxParameters(box, trainable.get(box, 0), frozen.get(box, 0)) for box in order if box in {*trainable, *frozen}
    ]


def box_of(name: str) -> str:
    """Return the box of a parameter or buffer by its name."""
    return next((box for prefix, box in PARAMETER_BOXES if name.startswith(prefix)), OTHER)


def sums(table: Iterable[BoxParameters]) -> dict[str, int]:
    """Return ``trainable``, ``frozen`` and ``frozen_without_text``, the sums over all boxes."""
    rows = list(table)
    text = sum(row.frozen for row in rows if row.box == TEXT)
    frozen = sum(row.frozen for row in rows)
    return {"trainable": sum(row.trainable for row in rows), "frozen": frozen, "frozen_without_text": frozen - text}
