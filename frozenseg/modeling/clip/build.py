"""Builder of a frozen CLIP from a name and a source of weights, through open_clip."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from torch import nn

from frozenseg.downloads.hub import HUB
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.modeling.clip.base import POOLING_STRIDE, FrozenCLIP
from frozenseg.modeling.clip.weight_files import hub_file
from frozenseg.modeling.clip.weights import (
    CONFIG_FILE,
    find_clip_weights,
    first_line,
    has_few_token_rows,
    load_clip_weights,
    read_architecture,
)
from frozenseg.modeling.pretrained import random_seed
from frozenseg.modeling.without_initialisation import WithoutInitialisation
from frozenseg.registry import CLIP

OUR_MODELS = Path(__file__).parent / "model_configs"
ANY_FAMILY = "CLIP"


def build_clip(
    model_name: str, weights: str, family: str = ANY_FAMILY, pooling_stride: int = POOLING_STRIDE
) -> FrozenCLIP:
    """Build a frozen CLIP.

    Args:
        model_name: open_clip's name of the architecture, one of ours in ``model_configs``, or ``hf-hub:ORG/REPO`` for
            the architecture that a repository of the Hugging Face hub describes.
        weights: open_clip tag, local file, ``hf-hub:ORG/REPO``, ``toyworld``, or ``random[:SEED]``.
        family: ``CLIP`` to recognise the family by the trunk, or the name of a registered family.
        pooling_stride: stride of the feature map that is pooled under masks; the weights stay the same.

    Raises:
        ConfigError: unknown name, tag or family, or a pooling stride that the family does not have.
        CheckpointError: the weights are missing, damaged, of another architecture, or cannot be downloaded.
    """
    config = _config_of(model_name)
    seed = random_seed(weights)
    source = find_clip_weights(model_name, weights) if seed is None else None
    if source is not None and source.quick_gelu:
        config["quick_gelu"] = True
    initial_values = WithoutInitialisation() if source else nullcontext()
    with torch.random.fork_rng(devices=[]), initial_values:
        torch.manual_seed(seed or 0)
        model = _create(model_name, config)
    if source is not None:
        load_clip_weights(model, model_name, source, weights)
    clip = _family_of(model, model_name, family)(model, open_clip.get_tokenizer(model_name))
    clip.set_pooling_stride(pooling_stride)
    clip.knows_all_tokens = source is None or not has_few_token_rows(source.file)
    return clip


def _config_of(model_name: str) -> dict[str, Any]:
    """Return a copy of open_clip's description of an architecture."""
    if model_name.startswith(HUB):
        return read_architecture(hub_file(model_name, CONFIG_FILE))
    if model_name not in open_clip.list_models():
        open_clip.add_model_config(OUR_MODELS)
    config: dict[str, Any] | None = open_clip.get_model_config(model_name)
    if config is None:
        nearest = did_you_mean(model_name, open_clip.list_models())
        raise ConfigError(
            f"CLIP_MODEL_NAME {model_name!r} is not an open_clip model.{nearest} A repository of the Hugging Face hub "
            f"is written '{HUB}ORG/REPO'."
        )
    return config


def _create(model_name: str, config: dict[str, Any]) -> nn.Module:
    """Build open_clip's class CLIP, untrained, on the default device."""
    if config.pop("custom_text", False) or "multimodal_cfg" in config or "hf_model_name" in config["text_cfg"]:
        raise ConfigError(
            f"{model_name} has a separate text tower; only models of open_clip's class CLIP are supported."
        )
    config["vision_cfg"]["timm_model_pretrained"] = False
    try:
        model: nn.Module = open_clip.CLIP(**config)
    except (TypeError, RuntimeError) as error:
        raise ConfigError(
            f"CLIP_MODEL_NAME {model_name!r} cannot be built by open_clip ({first_line(error)})."
        ) from error
    return model


def _family_of(model: nn.Module, model_name: str, family: str) -> type[FrozenCLIP]:
    if family != ANY_FAMILY:
        return cast(type[FrozenCLIP], CLIP.look_up(family))
    for name in CLIP.names():
        candidate = cast(type[FrozenCLIP], CLIP.get(name))
        if candidate.supports(model):
            return candidate
    raise ConfigError(f"No CLIP family reads the trunk of {model_name!r}. Available: {', '.join(CLIP.names())}.")
