"""Sources of CLIP weights: an open_clip tag, a local file, a repository of the Hugging Face hub, or the package."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from frozenseg.downloads.hub import HUB
from frozenseg.errors import CheckpointError, ConfigError, DownloadError, did_you_mean
from frozenseg.log import get_logger
from frozenseg.modeling import pretrained
from frozenseg.modeling.clip.token_rows import IDS, load_token_rows
from frozenseg.modeling.clip.weight_files import hub_file, tag_file
from frozenseg.modeling.weight_checks import refuse_non_finite
from frozenseg.safe_pickle import refuse_expanding

logger = get_logger(__name__)
CONFIG_FILE = "open_clip_config.json"
BIG_VISION = (".npz", ".npy")  # formats of the big_vision code base, which open_clip also reads
OPENAI = "openai"
DIFFERENCES = "Error(s) in loading"  # beginning of PyTorch's message with a list of differing tensors


class ClipWeights(NamedTuple):
    """A local file of weights."""

    file: Path
    quick_gelu: bool  # True if trained with QuickGELU, even if the architecture's name does not say so


def find_clip_weights(model_name: str, source: str) -> ClipWeights:
    """Return the local file of weights, downloaded if necessary.

    Args:
        model_name: open_clip's name of the architecture.
        source: open_clip tag of that architecture, local file, ``hf-hub:ORG/REPO``, or ``toyworld`` for those that come
            with the package.

    Raises:
        ConfigError: the source is none of these.
        CheckpointError: the download fails, or the format is not supported.
    """
    named = pretrained.pretrained_encoder(pretrained.CLIP_WEIGHTS, source, model_name)
    if named is not None:
        return ClipWeights(named, quick_gelu=False)
    tag = open_clip.get_pretrained_cfg(model_name, source)
    if tag:
        return ClipWeights(_download_tag(model_name, source, tag), bool(tag.get("quick_gelu")))
    if source.startswith(HUB):
        file = hub_file(source)
        return ClipWeights(file, _hub_has_quick_gelu(source) or OPENAI in source.lower())
    file = Path(source)
    if os.path.isfile(file):
        _refuse_other_formats(file)
        description = file.with_name(CONFIG_FILE)
        quick_gelu = description.is_file() and bool(read_architecture(description).get("quick_gelu"))
        return ClipWeights(file, quick_gelu or OPENAI in file.name.lower())
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    raise ConfigError(
        f"CLIP_PRETRAINED_WEIGHTS {source!r} is neither a file nor a tag of {model_name}.{did_you_mean(source, tags)} "
        f"Tags: {', '.join(tags) or 'none'}; '{HUB}ORG/REPO' for a repository of the Hugging Face hub, 'random' for an "
        f"untrained CLIP, {pretrained.TOYWORLD!r} for ToyWorld's."
    )


def load_clip_weights(model: nn.Module, model_name: str, weights: ClipWeights, source: str) -> None:
    """Load weights into an open_clip model without running code from their file.

    Args:
        model: built for ``model_name``.
        model_name: open_clip's name of the architecture.
        weights: from :func:`find_clip_weights`.
        source: the config's value, for messages.

    Raises:
        CheckpointError: the file is unreadable, of another architecture, or has weights that are not finite.
    """
    try:
        with weights.file.open("rb") as file:
            refuse_expanding(file)
        if has_few_token_rows(weights.file):
            load_token_rows(model, load_file(weights.file))
        else:
            open_clip.load_checkpoint(model, str(weights.file), weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception
        if str(error).startswith(DIFFERENCES):
            reason = f"({first_line(error)}): use weights of that architecture"
        else:
            reason = (
                "without running code from their file, or are damaged: download the file again, or save its state dict "
                "alone, with torch.save, in the program that wrote it"
            )
        raise CheckpointError(f"CLIP weights {source!r} of {model_name} cannot be loaded {reason}.") from error
    refuse_non_finite(dict(model.named_parameters()), f"{weights.file} ({source!r} of {model_name})")


def has_few_token_rows(file: Path) -> bool:
    """Return True if a file has only the rows of the token embedding that the training used."""
    try:
        with safe_open(file, framework="pt") as weights:
            return IDS in weights.keys()  # noqa: SIM118  # safetensors' reader is no mapping
    except (OSError, SafetensorError):  # another format
        return False


def read_architecture(file: Path) -> dict[str, Any]:
    """Return the architecture that an ``open_clip_config.json`` describes.

    Args:
        file: published by open_clip next to weights.

    Raises:
        CheckpointError: it describes no CLIP.
    """
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["model_cfg"]
        if {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
            return config
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} describes no CLIP ({first_line(error)}): it needs a 'model_cfg'.") from error
    raise CheckpointError(f"{file} describes no CLIP: its 'model_cfg' needs embed_dim, vision_cfg and text_cfg.")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; of PyTorch's list of differing tensors, the first entry."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    line = lines[1] if lines[0].startswith(DIFFERENCES) and len(lines) > 1 else lines[0]
    return line if len(line) <= 200 else f"{line[:200]}…"


def _download_tag(model_name: str, source: str, tag: dict[str, str]) -> Path:
    try:
        return tag_file(tag)
    except (CheckpointError, DownloadError) as error:
        raise CheckpointError(
            f"CLIP weights {source!r} of {model_name} cannot be downloaded ({str(error).rstrip('.')}): check the "
            "network; CLIP_PRETRAINED_WEIGHTS 'random' builds an untrained CLIP."
        ) from error


def _refuse_other_formats(file: Path) -> None:
    if file.suffix in BIG_VISION:
        raise CheckpointError(f"{file} is a NumPy file; CLIP weights are read from .pt, .pth, .bin and .safetensors.")
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise CheckpointError(
                f"{file} is a TorchScript program, the format in which OpenAI first published CLIP; programs are not "
                "loaded: set CLIP_PRETRAINED_WEIGHTS to 'openai', the same weights as tensors."
            )


def _hub_has_quick_gelu(source: str) -> bool:
    try:
        file = hub_file(source, CONFIG_FILE)
    except CheckpointError:
        logger.info("%s has no %s: the activation follows from the name of the architecture.", source, CONFIG_FILE)
        return False
    return bool(read_architecture(file).get("quick_gelu"))
