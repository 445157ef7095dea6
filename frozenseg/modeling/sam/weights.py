"""Loader of SAM weights: reads a file, recognises the SAM that it belongs to, and compares it with the model."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from frozenseg.errors import CheckpointError
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.weight_checks import refuse_implausible, refuse_non_finite
from frozenseg.safe_pickle import load_torch

# The first convolution, (out, in, height, width), identifies the SAM of a file.
VIT, TINY = "image_encoder.patch_embed.proj.weight", "image_encoder.patch_embed.conv1.conv.weight"
MOBILE = "image_encoder.patch_embed.seq.0.c.weight"
SAM_BY_FIRST_CONVOLUTION: dict[tuple[str, tuple[int, ...]], str] = {
    (MOBILE, (32, 3, 3, 3)): "vit_t",
    (TINY, (32, 3, 3, 3)): "vit_t",
    (VIT, (768, 3, 16, 16)): "vit_b",
    (VIT, (1024, 3, 16, 16)): "vit_l",
    (VIT, (1280, 3, 16, 16)): "vit_h",
    (VIT, (64, 3, 8, 8)): "vit_toy",
    (TINY, (8, 3, 3, 3)): "vit_t_toy",
}


def load_sam_weights(sam: FrozenSAM, name: str, file: Path) -> None:
    """Load a file into a SAM.

    Args:
        sam: as built.
        name: registered name of the SAM.
        file: ``.safetensors``, or a PyTorch file of tensors by name, bare or under ``model``.

    Raises:
        CheckpointError: the file is unreadable, of another SAM, or has weights that are not finite.
    """
    state = read_tensors(file)
    actual = sam_name_of(state)
    if actual not in (None, name):
        raise CheckpointError(
            f"{file} holds SAM {actual!r}, but the config names {name!r}: set MODEL.SAM_NAME to {actual!r}, or "
            f"MODEL.SAM_WEIGHTS to a file of {name!r}."
        )
    if sam.convert_names is not None:
        state = sam.convert_names(state)
    expected = sam.state_dict()
    for key in [*expected, *state]:
        if key not in state or key not in expected or state[key].shape != expected[key].shape:
            raise CheckpointError(
                f"{file} does not hold SAM {name!r}: the first difference is {key!r} ({_shape(state, key)} in the "
                f"file, {_shape(expected, key)} in the model)."
            )
    refuse_non_finite(state, str(file), expected)
    sam.load_state_dict(state)


def sam_name_of(state: dict[str, Tensor]) -> str | None:
    """Return the registered name of the SAM that weights belong to, or None for an unknown one."""
    shapes = {(key, tuple(value.shape)) for key, value in state.items()}
    return next((name for mark, name in SAM_BY_FIRST_CONVOLUTION.items() if mark in shapes), None)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read tensors by name without running code from the file.

    Args:
        file: ``.safetensors``, or a file of ``torch.save``.

    Raises:
        CheckpointError: the file is damaged, or holds more than tensors.
    """
    try:
        if file.suffix == ".safetensors":
            content: Any = load_file(file)
        else:
            content = load_torch(file)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception
        raise CheckpointError(
            f"{file} cannot be read as SAM weights: it is damaged, truncated, or holds more than tensors. Download it "
            "again, or save its state dict alone, with torch.save, in the program that wrote it."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{file} cannot be read as SAM weights: expected tensors by name, received other values.")
    refuse_implausible(content, str(file), file.stat().st_size)
    return content


def _shape(state: dict[str, Tensor], key: str) -> str:
    return str(tuple(state[key].shape)) if key in state else "missing"
