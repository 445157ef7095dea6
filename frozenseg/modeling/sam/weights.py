"""A file of SAM weights → tensors by our names, and which SAM they are of."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from frozenseg.errors import CheckpointError
from frozenseg.modeling.sam.base import FrozenSAM

# What each SAM's file is known by: the first convolution, (out, in, height, width).
VIT, TINY = "image_encoder.patch_embed.proj.weight", "image_encoder.patch_embed.conv1.conv.weight"
MOBILE = "image_encoder.patch_embed.seq.0.c.weight"
KNOWN_BY: dict[tuple[str, tuple[int, ...]], str] = {
    (MOBILE, (32, 3, 3, 3)): "vit_t",
    (TINY, (32, 3, 3, 3)): "vit_t",
    (VIT, (768, 3, 16, 16)): "vit_b",
    (VIT, (1024, 3, 16, 16)): "vit_l",
    (VIT, (1280, 3, 16, 16)): "vit_h",
    (VIT, (64, 3, 8, 8)): "vit_toy",
}


def load_weights(sam: FrozenSAM, name: str, file: Path) -> None:
    """Load a file into a SAM.

    Args:
        sam: as built.
        name: what it is called in configs.
        file: ``.safetensors``, or a PyTorch file of tensors, which may hold them under ``model``.

    Raises:
        CheckpointError: unreadable, or of another SAM.
    """
    state = read_tensors(file)
    held = held_by(state)
    if held not in (None, name):
        raise CheckpointError(
            f"{file} holds SAM {held!r}, but {name!r} was asked for: set MODEL.SAM_NAME to {held!r}, or "
            f"MODEL.SAM_WEIGHTS to a file of {name!r}."
        )
    if sam.own_names is not None:
        state = sam.own_names(state)
    own = sam.state_dict()
    for key in [*own, *state]:
        if key not in state or key not in own or state[key].shape != own[key].shape:
            raise CheckpointError(
                f"{file} does not hold SAM {name!r}: they differ first at {key!r} ({_shape(state, key)} in the file, "
                f"{_shape(own, key)} in the model)."
            )
    sam.load_state_dict(state)


def held_by(state: dict[str, Tensor]) -> str | None:
    """Return the name of the SAM that weights are of, or None where it is none that we know."""
    shapes = {(key, tuple(value.shape)) for key, value in state.items()}
    return next((name for mark, name in KNOWN_BY.items() if mark in shapes), None)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read tensors by name, running nothing that the file may hold.

    Args:
        file: ``.safetensors``, or what ``torch.save`` wrote.

    Raises:
        CheckpointError: damaged, or not tensors alone.
    """
    try:
        if file.suffix == ".safetensors":
            content: Any = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to say
        raise CheckpointError(
            f"{file} cannot be read as SAM weights: it is damaged, cut short, or more than tensors; fetch it "
            "again, or save its state dict alone, with torch.save, in the program that wrote it."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{file} cannot be read as SAM weights: it holds something else than tensors by name.")
    return content


def _shape(state: dict[str, Tensor], key: str) -> str:
    return str(tuple(state[key].shape)) if key in state else "missing"
