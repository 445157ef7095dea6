"""Trained weights into a model: read safely, compared name by name, refused with the first differences."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
SHOWN = 5  # differing keys named in an error
DERIVED = {"criterion.empty_weight"}  # follows from the config and the training vocabulary


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read one of our checkpoints without running anything in it.

    Returns:
        ``model`` (trained tensors by name), ``frozen`` (hash by part), ``vocabulary``, ``isthing``, ``config``, and
        what the trainer adds.

    Raises:
        CheckpointError: missing, damaged, or not a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}; give the path of a .pth file.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: it is cut short, or holds more than tensors.") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("model"), dict):
        raise CheckpointError(f"{path} is no checkpoint: it holds no 'model'.")
    return checkpoint


def trained_vocabulary(checkpoint: dict[str, Any]) -> Vocabulary | None:
    """Return the vocabulary that a checkpoint was trained on, or None where it does not say."""
    if "vocabulary" not in checkpoint:
        return None
    return Vocabulary.from_strings(checkpoint["vocabulary"], checkpoint["isthing"])


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return what a checkpoint of the model holds: its trainable parameters by name, on the CPU."""
    return {name: value.detach().cpu() for name, value in model.named_parameters() if value.requires_grad}


def load_trained(model: nn.Module, path: str | Path) -> dict[str, Any]:
    """Load trained weights.

    Args:
        model: built from the same config.
        path: one of our checkpoints.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: another architecture, with the first differing keys, or other frozen encoders.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint["model"]
    differences = _differences(model, state)
    if differences:
        more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise CheckpointError(
            f"{path} is of another architecture than the config: {'; '.join(differences[:SHOWN])}{more}. "
            "Give the config that it was trained with."
        )
    _check_frozen(model, checkpoint, path)
    model.load_state_dict({name: value for name, value in state.items() if name not in DERIVED}, strict=False)
    logger.info("Loaded %d trained tensors from %s.", len(state), path)
    return checkpoint


def _differences(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    own = model.state_dict()
    needed = [name for name, value in model.named_parameters() if value.requires_grad]
    missing = [f"{name} is missing" for name in needed if name not in state]
    unexpected = [f"{name} is unknown to the model" for name in state if name not in own and name not in DERIVED]
    reshaped = [
        f"{name} is {tuple(value.shape)}, the model's is {tuple(own[name].shape)}"
        for name, value in state.items()
        if name in own and name not in DERIVED and own[name].shape != value.shape
    ]
    return missing + unexpected + reshaped


def _check_frozen(model: nn.Module, checkpoint: dict[str, Any], path: str | Path) -> None:
    trained_with = checkpoint.get("frozen")
    if trained_with is None:
        return
    for part, digest in model.frozen_hashes().items():
        if trained_with.get(part) != digest:
            raise CheckpointError(
                f"{path} was trained with another frozen {part!r} (hash {trained_with.get(part)}, here {digest}): give "
                "the config and the pretrained weights that it was trained with."
            )
