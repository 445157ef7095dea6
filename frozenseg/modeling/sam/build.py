"""Builder of a frozen SAM from a name and a source of weights."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import torch

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling import pretrained
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.weights import load_sam_weights
from frozenseg.modeling.without_initialisation import WithoutInitialisation
from frozenseg.registry import SAM


def build_sam(name: str, weights: str) -> FrozenSAM:
    """Build a frozen SAM.

    Args:
        name: registered name, such as ``vit_b``.
        weights: a file, ``random[:SEED]``, ``toyworld`` for those that come with the package, or empty for the released
            file (downloaded once into torch's hub folder).

    Raises:
        ConfigError: unknown name.
        CheckpointError: the weights are missing, damaged, of another SAM, or cannot be downloaded.
    """
    builder = SAM.look_up(name)
    seed = pretrained.random_seed(weights)
    file = _weights_file(name, weights) if seed is None else None
    initial_values = WithoutInitialisation() if file else nullcontext()
    with torch.random.fork_rng(devices=[]), initial_values:
        torch.manual_seed(seed or 0)
        sam = cast(FrozenSAM, builder())
    if file is not None:
        load_sam_weights(sam, name, file)
    return sam


def _weights_file(name: str, weights: str) -> Path:
    file = pretrained.pretrained_encoder(pretrained.SAM_WEIGHTS, weights, name)
    if file is not None:
        return file
    if weights == pretrained.RELEASED:
        toyworld = f"{pretrained.TOYWORLD!r} or " if name == pretrained.TOYWORLD_SAM else ""
        raise ConfigError(
            f"There are no released weights to download for SAM {name!r}: set MODEL.SAM_WEIGHTS to a file, or to "
            f"{toyworld}'random'."
        )
    if not os.path.isfile(weights):
        raise CheckpointError(
            f"MODEL.SAM_WEIGHTS {weights!r} is not a file: set it to the path of a checkpoint, to 'random', or to "
            f"{pretrained.TOYWORLD!r} for ToyWorld's."
        )
    return Path(weights)
