"""Where a CLIP's weights come from: an open_clip tag, a local file, or a repository of the Hugging Face hub."""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
from open_clip.pretrained import download_pretrained_from_hf
from torch import nn

from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.log import get_logger
from frozenseg.toyworld import shipped

logger = get_logger(__name__)
HUB = "hf-hub:"
CONFIG_FILE = "open_clip_config.json"
BIG_VISION = (".npz", ".npy")  # open_clip reads them as another family's weights
OPENAI = "openai"
DIFFERENCES = "Error(s) in loading"  # what PyTorch's list of differing tensors begins with


class ClipWeights(NamedTuple):
    """Weights on this machine."""

    file: Path
    quick_gelu: bool  # trained with QuickGELU, whatever the architecture's name says


def find_weights(model_name: str, source: str) -> ClipWeights:
    """Bring weights onto this machine.

    Args:
        model_name: open_clip's name of the architecture.
        source: open_clip tag of that architecture, local file, ``hf-hub:ORG/REPO``, or ``toyworld`` for those that come
            with the package.

    Raises:
        ConfigError: none of these.
        CheckpointError: they cannot be fetched, or are of a kind that is not read.
    """
    if source == shipped.TOYWORLD:
        return ClipWeights(shipped.encoder_weights(model_name, "CLIP_MODEL_NAME"), quick_gelu=False)
    tag = open_clip.get_pretrained_cfg(model_name, source)
    if tag:
        return ClipWeights(_fetched_tag(model_name, source, tag), bool(tag.get("quick_gelu")))
    if source.startswith(HUB):
        file = hub_file(source)
        return ClipWeights(file, _hub_says_quick_gelu(source) or OPENAI in source.lower())
    file = Path(source)
    if file.is_file():
        _refuse_other_kinds(file)
        beside = file.with_name(CONFIG_FILE)
        described = beside.is_file() and bool(described_model(beside).get("quick_gelu"))
        return ClipWeights(file, described or OPENAI in file.name.lower())
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    raise ConfigError(
        f"CLIP_PRETRAINED_WEIGHTS {source!r} is neither a file nor a tag of {model_name}.{did_you_mean(source, tags)} "
        f"Tags: {', '.join(tags) or 'none'}; '{HUB}ORG/REPO' for a repository of the Hugging Face hub, 'random' for an "
        f"untrained CLIP, {shipped.TOYWORLD!r} for ToyWorld's."
    )


def load_weights(model: nn.Module, model_name: str, weights: ClipWeights, source: str) -> None:
    """Load weights into an open_clip model, running nothing that their file may hold.

    Args:
        model: built for ``model_name``.
        model_name: open_clip's name of the architecture.
        weights: what :func:`find_weights` found.
        source: what the config calls them.

    Raises:
        CheckpointError: unreadable, or of another architecture.
    """
    try:
        open_clip.load_checkpoint(model, str(weights.file), weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to say
        if str(error).startswith(DIFFERENCES):
            why = f"({first_line(error)}): give weights of that architecture"
        else:
            why = (
                "without running what is in them, or are damaged: fetch the file again, or save its state dict alone, "
                "with torch.save, in the program that wrote it"
            )
        raise CheckpointError(f"CLIP weights {source!r} of {model_name} cannot be loaded {why}.") from error


def described_model(file: Path) -> dict[str, Any]:
    """Return the architecture that an ``open_clip_config.json`` describes.

    Args:
        file: published by open_clip beside weights.

    Raises:
        CheckpointError: it describes none.
    """
    try:
        config = json.loads(file.read_text(encoding="utf-8"))["model_cfg"]
        if {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
            return config
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} describes no CLIP ({first_line(error)}): it needs a 'model_cfg'.") from error
    raise CheckpointError(f"{file} describes no CLIP: its 'model_cfg' needs embed_dim, vision_cfg and text_cfg.")


def hub_file(source: str, name: str | None = None) -> Path:
    """Return a file of a hub repository, fetched once into huggingface_hub's own cache.

    Args:
        source: ``hf-hub:ORG/REPO``.
        name: which file; None for open_clip's weights, safetensors before others.

    Raises:
        CheckpointError: neither in the cache nor to be fetched.
    """
    repository = source.removeprefix(HUB)
    try:
        return Path(download_pretrained_from_hf(repository, filename=name))
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{name or 'The weights'} of {source} cannot be had ({first_line(error)}): check the name and the network, "
            "or fetch the repository on another machine and set HF_HUB_CACHE to the folder it was fetched into."
        ) from error


def first_line(error: Exception) -> str:
    """Return what an error says in one line; of PyTorch's lists of differences, the first one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    line = lines[1] if lines[0].startswith(DIFFERENCES) and len(lines) > 1 else lines[0]
    return line if len(line) <= 200 else f"{line[:200]}…"


def _fetched_tag(model_name: str, source: str, tag: dict[str, str]) -> Path:
    try:
        return Path(open_clip.download_pretrained(tag))
    except (RuntimeError, OSError, ValueError) as error:
        raise CheckpointError(
            f"CLIP weights {source!r} of {model_name} cannot be fetched ({first_line(error)}): check the network, or "
            "set CLIP_PRETRAINED_WEIGHTS to a local file, or to 'random' for an untrained CLIP."
        ) from error


def _refuse_other_kinds(file: Path) -> None:
    if file.suffix in BIG_VISION:
        raise CheckpointError(f"{file} is a NumPy file; CLIP weights are read from .pt, .pth, .bin and .safetensors.")
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise CheckpointError(
                f"{file} is a TorchScript program, as OpenAI first published its CLIPs, and programs are not loaded: "
                "set CLIP_PRETRAINED_WEIGHTS to 'openai', the same weights as tensors."
            )


def _hub_says_quick_gelu(source: str) -> bool:
    try:
        file = hub_file(source, CONFIG_FILE)
    except CheckpointError:
        logger.info("%s has no %s: the activation is the one of the architecture's name.", source, CONFIG_FILE)
        return False
    return bool(described_model(file).get("quick_gelu"))
