"""Move of a built model to its device, with what makes it fast there: precision, memory, compilation.

``MODEL.PRECISION fast`` takes bfloat16 for the frozen encoders and, at inference, for both decoders, where the
processor multiplies bfloat16 natively; else int8 for the linear layers of the frozen encoders, where it has VNNI.
Elsewhere both are slower than float32, and the model stays in float32. Sampling locations, class logits and outputs
stay in float32. On CUDA convolutions read channels_last, and ``MODEL.COMPILE`` compiles encoders and decoders by
``torch.compile``.
"""

from typing import Any

import torch

from frozenseg.config import CfgNode
from frozenseg.freed_memory import keep_freed_memory
from frozenseg.log import get_logger
from frozenseg.modeling.layers.int8_linear import multiplies_int8
from frozenseg.modeling.meta_arch.base import MaskClassifier

logger = get_logger(__name__)
WITH_CUDA_GRAPHS = "reduce-overhead"


def on_device(model: MaskClassifier, cfg: CfgNode, device: torch.device) -> MaskClassifier:
    """Move a model with its weights to a device and set it up for it; call it before the first image.

    Args:
        model: from :func:`frozenseg.modeling.build.build_model`, with its weights loaded.
        cfg: reads MODEL.PRECISION and MODEL.COMPILE.
        device: of the model.

    Returns:
        The same model.

    Raises:
        ConfigError: MODEL.FROZEN_DTYPE is int8 on a device without VNNI.
    """
    for part in model.frozen_parts().values():
        part.require_instructions(device)
    model.to(device)
    if cfg.MODEL.PRECISION == "fast":
        lower_precision_for(model, device)
    elif cfg.MODEL.PRECISION == "bfloat16":
        lower_precision(model, "MODEL.PRECISION")
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        model.backbone.to(memory_format=torch.channels_last)  # weights of convolutions; their values stay the same
    if cfg.MODEL.COMPILE != "off":
        compile_parts(model, cfg.MODEL.COMPILE)
    return model


def lower_precision_for(model: MaskClassifier, device: torch.device) -> None:
    """Run a model in the lower precision that is faster than float32 on its device, if any, and log the choice.

    A lower precision that MODEL.FROZEN_DTYPE sets for the encoders is kept.

    Args:
        model: before its first image.
        device: of the model.
    """
    if instructions := native_bfloat16(device):
        lower_precision(model, instructions)
    elif multiplies_int8(device):
        logger.info("Fast precision: int8 for the linear layers of the frozen encoders, by VNNI.")
        _lower_encoders(model, torch.int8)
    else:
        logger.info("Fast precision: float32, as this processor multiplies neither bfloat16 nor int8 natively.")


def lower_precision(model: MaskClassifier, reason: str) -> None:
    """Run encoders and decoders in bfloat16, and log it.

    Args:
        model: before its first image.
        reason: instructions that multiply bfloat16, or the key that asks for it.
    """
    logger.info("Fast precision: bfloat16 for encoders and decoders, by %s.", reason)
    _lower_encoders(model, torch.bfloat16)
    model.sem_seg_head.set_inference_precision(torch.bfloat16)


def _lower_encoders(model: MaskClassifier, precision: torch.dtype) -> None:
    if all(part.precision == torch.float32 for part in model.frozen_parts().values()):
        model.set_frozen_precision(precision)


def native_bfloat16(device: torch.device) -> str | None:
    """Return the instructions that multiply bfloat16 on a device; None without any."""
    if device.type == "cuda":
        return "CUDA" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512 BF16" if torch.cpu._is_avx512_bf16_supported() else None


def compile_parts(model: MaskClassifier, mode: str) -> None:
    """Compile the encoders and decoders in place, on CUDA only; names of weights stay the same.

    Args:
        model: on its device.
        mode: ``default``, or ``reduce-overhead`` with CUDA graphs, which are recorded for each size of the padded
            input: a large MODEL.MASK_FORMER.SIZE_DIVISIBILITY keeps the number of sizes small.
    """
    if model.device.type != "cuda":
        logger.info("MODEL.COMPILE %s: without effect on a CPU.", mode)
        return
    if mode == WITH_CUDA_GRAPHS:
        model.register_forward_pre_hook(_start_of_cuda_graphs)
    head = model.sem_seg_head
    for part in (*model.frozen_parts().values(), head.pixel_decoder):
        part.compile(mode=mode)
    for name in ("decode", "decode_last"):
        setattr(head.predictor, name, torch.compile(getattr(head.predictor, name), mode=mode))
    logger.info("Encoders and decoders are compiled at the first image of each size (mode %s).", mode)


def _start_of_cuda_graphs(*_: Any) -> None:
    """Let the graphs of all parts reuse the memory of the previous image."""
    torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch's function has no annotations
