"""From a name and a source of weights to a frozen CLIP, through open_clip."""

import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch
from torch import nn

from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.random_weights import random_seed
from frozenseg.registry import CLIP

OUR_MODELS = Path(__file__).parent / "model_configs"
ANY_FAMILY = "CLIP"


def build_clip(model_name: str, weights: str, family: str = ANY_FAMILY) -> FrozenCLIP:
    """Build a frozen CLIP.

    Args:
        model_name: open_clip's name of the architecture, or one of ours in ``model_configs``.
        weights: open_clip tag, local file, or ``random[:SEED]``.
        family: ``CLIP`` to recognise the family by the trunk, or a registered family's name.

    Raises:
        ConfigError: unknown name, tag or family.
        CheckpointError: the weights cannot be had.
    """
    open_clip.add_model_config(OUR_MODELS)
    if model_name not in open_clip.list_models():
        nearest = did_you_mean(model_name, open_clip.list_models())
        raise ConfigError(f"CLIP_MODEL_NAME {model_name!r} is no open_clip model.{nearest}")
    model = _create(model_name, weights)
    return _family_of(model, model_name, family)(model, open_clip.get_tokenizer(model_name))


def _create(model_name: str, weights: str) -> nn.Module:
    seed = random_seed(weights)
    if seed is not None:
        with torch.random.fork_rng(devices=[]), _without_warnings():  # that it is untrained is what was asked for
            torch.manual_seed(seed)
            return open_clip.create_model(model_name, pretrained=None, pretrained_text=False)
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if weights not in tags and not Path(weights).is_file():
        raise ConfigError(
            f"CLIP_PRETRAINED_WEIGHTS {weights!r} is neither a file nor a tag of {model_name}."
            f"{did_you_mean(weights, tags)} Tags: {', '.join(tags) or 'none'}; 'random' for an untrained CLIP."
        )
    openai = weights == "openai"  # trained with QuickGELU whatever the model's name says
    try:
        return open_clip.create_model(model_name, pretrained=weights, force_quick_gelu=openai)
    except (RuntimeError, OSError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"CLIP weights {weights!r} of {model_name} cannot be loaded ({_first_line(error)}): check the network, "
            "or set CLIP_PRETRAINED_WEIGHTS to a local file, or to 'random' for an untrained CLIP."
        ) from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _family_of(model: nn.Module, model_name: str, family: str) -> type[FrozenCLIP]:
    if family != ANY_FAMILY:
        return CLIP.look_up(family)
    for name in CLIP.names():
        if CLIP.get(name).supports(model):
            return CLIP.get(name)
    raise ConfigError(f"No CLIP family reads the trunk of {model_name!r}; families: {', '.join(CLIP.names())}.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
