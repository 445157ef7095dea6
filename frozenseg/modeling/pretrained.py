"""Pretrained weights by name: a table of config values and their files, and reproducible random weights.

A config key of weights takes a path, a name of this table, or ``random[:SEED]``.
"""

import os
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.log import get_logger

logger = get_logger(__name__)
PACKAGE = Path(__file__).parents[1]
RANDOM = "random"
TOYWORLD = "toyworld"  # files that come with the package
RELEASED = ""  # an empty value: the file that the authors released
TOYWORLD_CLIP, TOYWORLD_SAM = "toyworld_convnext", "vit_toy"  # architectures
# config keys of weights, and of the architecture that they must fit
MODEL_WEIGHTS, CLIP_WEIGHTS, SAM_WEIGHTS = "MODEL.WEIGHTS", "CLIP_PRETRAINED_WEIGHTS", "MODEL.SAM_WEIGHTS"
ARCHITECTURE_KEYS = {CLIP_WEIGHTS: "CLIP_MODEL_NAME", SAM_WEIGHTS: "MODEL.SAM_NAME"}
SAM_RELEASE = "https://dl.fbaipublicfiles.com/segment_anything"
MOBILE_SAM = "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/master/weights/mobile_sam.pt"


class Pretrained(NamedTuple):
    """A file of weights that has a name."""

    key: str  # config key
    name: str  # value of that key
    architecture: str
    location: str  # URL, or path in the package
    sha256: str = ""  # first digits, of a file that is downloaded


TABLE = (
    Pretrained(MODEL_WEIGHTS, TOYWORLD, "FrozenSeg-tiny", "toyworld/weights/frozenseg_tiny.safetensors"),
    Pretrained(CLIP_WEIGHTS, TOYWORLD, TOYWORLD_CLIP, "toyworld/weights/clip.safetensors"),
    Pretrained(SAM_WEIGHTS, TOYWORLD, TOYWORLD_SAM, "toyworld/weights/sam.safetensors"),
    Pretrained(SAM_WEIGHTS, RELEASED, "vit_b", f"{SAM_RELEASE}/sam_vit_b_01ec64.pth", "01ec64"),
    Pretrained(SAM_WEIGHTS, RELEASED, "vit_l", f"{SAM_RELEASE}/sam_vit_l_0b3195.pth", "0b3195"),
    Pretrained(SAM_WEIGHTS, RELEASED, "vit_h", f"{SAM_RELEASE}/sam_vit_h_4b8939.pth", "4b8939"),
    Pretrained(SAM_WEIGHTS, RELEASED, "vit_t", MOBILE_SAM, "6dbb9052"),
)


def weights_file(source: str | Path) -> Path:
    """Return the file of trained weights that MODEL.WEIGHTS names: a path, or a name of the table."""
    name = str(source)
    return pretrained_model(name) if name in pretrained_models() else Path(os.path.expanduser(source))


def pretrained_models() -> list[str]:
    """Return the names of all trained models of the table."""
    return [entry.name for entry in TABLE if entry.key == MODEL_WEIGHTS]


def pretrained_model(name: str) -> Path:
    """Return the file of a trained model.

    Raises:
        ConfigError: unknown name.
    """
    names = pretrained_models()
    if not isinstance(name, str) or name not in names:
        raise ConfigError(
            f"Unknown pretrained model {name!r}.{did_you_mean(str(name), names)} Available: {', '.join(names)}."
        )
    return _local_file(next(entry for entry in TABLE if (entry.key, entry.name) == (MODEL_WEIGHTS, name)))


def pretrained_encoder(key: str, name: str, architecture: str) -> Path | None:
    """Return the file of a frozen encoder's weights, downloaded once into torch's hub folder if it is not local.

    Args:
        key: ``CLIP_PRETRAINED_WEIGHTS`` or ``MODEL.SAM_WEIGHTS``.
        name: value of that key.
        architecture: the encoder that the weights are for.

    Returns:
        The file; None if the table has no such name, or no released file of the architecture.

    Raises:
        ConfigError: the weights of that name are of another architecture.
        CheckpointError: the download fails.
    """
    files = {entry.architecture: entry for entry in TABLE if (entry.key, entry.name) == (key, name)}
    if architecture in files:
        return _local_file(files[architecture])
    if files and name != RELEASED:
        expected = " or ".join(files)
        raise ConfigError(
            f"The weights {name!r} are those of {expected}, not of {architecture}: set {ARCHITECTURE_KEYS[key]} to "
            f"{expected}."
        )
    return None


def random_seed(weights: str) -> int | None:
    """Return the seed of ``random`` (0) or ``random:SEED``, None for all other weights.

    Args:
        weights: value of a config key of weights.

    Raises:
        ConfigError: SEED is not a whole number.
    """
    kind, _, seed = weights.partition(":")
    if kind != RANDOM:
        return None
    if seed and not seed.isdigit():
        raise ConfigError(f"Weights {weights!r}: the part after 'random:' must be a whole number.")
    return int(seed or 0)


def _local_file(entry: Pretrained) -> Path:
    if not entry.sha256:
        return PACKAGE / entry.location
    import torch  # slow import, not needed by command lines that only list the names

    file = Path(torch.hub.get_dir()) / "checkpoints" / entry.location.rsplit("/", 1)[-1]
    if not file.is_file():
        _download(entry, file)
    return file


def _download(entry: Pretrained, file: Path) -> None:
    import torch

    url = entry.location
    logger.info("Downloading %s to %s.", url, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(file), hash_prefix=entry.sha256)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"The weights {url} cannot be downloaded ({error}): download the file on another machine and set "
            f"{entry.key} to its path, or to 'random' for an untrained encoder."
        ) from error
