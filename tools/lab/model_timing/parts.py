"""Parts of a model and of a training step, by the names that the checkouts of this project have in common.

The time of a part with a dot before its name is also in the part above it.
"""

from torch import nn

from lab.model_timing.part_clock import PartClock

INSIDE = "· "
CLIP, SAM, PIXEL, DEFORMABLE = "CLIP", "SAM", "pixel decoder", f"{INSIDE}deformable attention"
DECODER, CLASSES, PROPOSALS, OUTPUTS = "transformer decoder", "classification", "SAM proposals", "outputs"
LOSSES, BACKWARD, CLIPPING, OPTIMIZER = "losses", "backward", "gradient clipping", "optimizer"
REST, FORWARD, WHOLE = "rest", "forward", "whole"
SEGMENTATION_PARTS = (CLIP, SAM, PIXEL, DEFORMABLE, DECODER, CLASSES, PROPOSALS, OUTPUTS)
TRAINING_PARTS = (CLIP, SAM, PIXEL, DEFORMABLE, DECODER, LOSSES, BACKWARD, CLIPPING, OPTIMIZER)
_MODULES = {
    CLIP: "backbone",
    SAM: "sam",
    PIXEL: "sem_seg_head.pixel_decoder",
    DECODER: "sem_seg_head.predictor",
    LOSSES: "criterion",
}
_METHODS = {"text_embeddings": CLASSES, "ensemble": CLASSES, "proposal_votes": PROPOSALS, "postprocess": OUTPUTS}


def time_parts(model: nn.Module, clock: PartClock) -> None:
    """Time all modules and methods of a model that are parts."""
    for part, name in _MODULES.items():
        if name in dict(model.named_modules()):
            clock.time_module(part, model.get_submodule(name))
    for name, part in _METHODS.items():
        if hasattr(model, name):
            clock.time_method(part, model, name)
    for module in model.modules():
        if type(module).__name__ == "MSDeformAttn":
            clock.time_module(DEFORMABLE, module)


def is_inside_another(part: str) -> bool:
    """Return True if the time of a part is also in the part above it."""
    return part.startswith(INSIDE)


def with_sums(parts: dict[str, float], whole: float) -> dict[str, float]:
    """Return the seconds of a run with those of no part, without outputs, and of the whole run."""
    named = sum(seconds for part, seconds in parts.items() if not is_inside_another(part))
    sums = {REST: whole - named}
    if OUTPUTS in parts:
        sums[FORWARD] = whole - parts[OUTPUTS]
    return {**parts, **sums, WHOLE: whole}
