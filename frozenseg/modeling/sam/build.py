"""From a name and a source of weights to a frozen SAM."""

from pathlib import Path

import torch

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.log import get_logger
from frozenseg.modeling.random_weights import random_seed
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.weights import load_weights
from frozenseg.registry import SAM
from frozenseg.toyworld import shipped

logger = get_logger(__name__)
RELEASE = "https://dl.fbaipublicfiles.com/segment_anything/"
RELEASED_FILES = {"vit_b": "sam_vit_b_01ec64.pth", "vit_l": "sam_vit_l_0b3195.pth", "vit_h": "sam_vit_h_4b8939.pth"}
BY_HAND = {"vit_t": "weights/mobile_sam.pt of https://github.com/ChaoningZhang/MobileSAM"}


def build_sam(name: str, weights: str) -> FrozenSAM:
    """Build a frozen SAM.

    Args:
        name: registered name, such as ``vit_b``.
        weights: a file, ``random[:SEED]``, ``toyworld`` for those that come with the package, or empty for the released
            file (downloaded once into torch's hub folder; not for ``vit_t``).

    Raises:
        ConfigError: unknown name.
        CheckpointError: the weights cannot be had or belong to another SAM.
    """
    builder = SAM.look_up(name)
    seed = random_seed(weights)
    file = _weights_file(name, weights) if seed is None else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        sam = builder()
    if file is not None:
        load_weights(sam, name, file)
    return sam


def _weights_file(name: str, weights: str) -> Path:
    if weights == shipped.TOYWORLD:
        return shipped.encoder_weights(name, "MODEL.SAM_NAME")
    if weights:
        if not Path(weights).is_file():
            raise CheckpointError(
                f"MODEL.SAM_WEIGHTS {weights!r} is no file: give a checkpoint's path, 'random', or "
                f"{shipped.TOYWORLD!r} for ToyWorld's."
            )
        return Path(weights)
    if name not in RELEASED_FILES:
        source = BY_HAND.get(name)
        file = f"a copy of {source}" if source else "a file"
        ours = f"{shipped.TOYWORLD!r} or " if name == shipped.SAM_NAME else ""
        raise ConfigError(
            f"There are no released weights to fetch for SAM {name!r}: set MODEL.SAM_WEIGHTS to {file}, or to "
            f"{ours}'random'."
        )
    file = Path(torch.hub.get_dir()) / "checkpoints" / RELEASED_FILES[name]
    if not file.is_file():
        _download(RELEASE + RELEASED_FILES[name], file)
    return file


def _download(url: str, file: Path) -> None:
    """Fetch a released file; its name ends with the first digits of its SHA-256."""
    logger.info("Downloading %s to %s.", url, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(file), hash_prefix=file.stem.rsplit("_", 1)[-1])
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"SAM weights {url} cannot be downloaded ({error}): fetch the file by hand and set MODEL.SAM_WEIGHTS to "
            "it, or set it to 'random' for an untrained SAM."
        ) from error
