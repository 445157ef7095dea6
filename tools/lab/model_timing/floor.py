"""Smallest possible time of each part: its multiply-adds over the rate of a matrix product on the same machine."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.config import load_config
from lab.model_timing.case import Case
from lab.model_timing.model_of_config import RANDOM_WEIGHTS, model_without_weights, numbered_classes
from lab.model_timing.parts import CLASSES, CLIP, DECODER, OUTPUTS, PIXEL, SAM, WHOLE

PART_OF_BOX = {
    "CLIP image": CLIP,
    "SAM encoder": SAM,
    "pixel decoder": PIXEL,
    "SAM branch": PIXEL,
    "transformer decoder": DECODER,
    "injectors": DECODER,
}
FROZEN = (CLIP, SAM)


def multiply_adds(config: Path, options: Sequence[str], case: Case) -> dict[str, int]:
    """Return the multiply-adds of each part for a batch, counted from shapes.

    Of the outputs only the product of class scores and masks is counted.
    """
    from frozenseg.modeling.flops import count_flops

    options = [*options, *RANDOM_WEIGHTS]
    model = model_without_weights(config, options, numbered_classes(case.classes))
    counted = count_flops(model, (case.height, case.width))
    by_part: dict[str, int] = {}
    for box, count in counted.by_box.items():
        part = PART_OF_BOX.get(box, CLASSES)
        by_part[part] = by_part.get(part, 0) + count * case.batch
    keys = load_config(config, options).MODEL.MASK_FORMER
    if keys.TEST.SEMANTIC_ON:
        pixels = case.output_height * case.output_width
        by_part[OUTPUTS] = keys.NUM_OBJECT_QUERIES * case.classes * pixels * case.batch
    return by_part


def floor_seconds(counts: dict[str, int], rate: float, frozen_rate: float) -> dict[str, float]:
    """Return the floor of each part and of the whole.

    Args:
        counts: multiply-adds of each part.
        rate: multiply-adds per second in float32.
        frozen_rate: of the frozen encoders, in their precision.
    """
    floor = {part: count / (frozen_rate if part in FROZEN else rate) for part, count in counts.items()}
    return {**floor, WHOLE: sum(floor.values())}
