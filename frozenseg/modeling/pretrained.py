"""Sources of weights: names of the model zoo, the Hugging Face hub, folders, files, and reproducible random weights.

A config key of weights takes a path, a name of the model zoo, or ``random[:SEED]``. MODEL.WEIGHTS and ``--weights``
take also ``hf-hub:ORG/REPO[@REVISION]`` and ``local-dir:FOLDER``.
"""

import os
from pathlib import Path

from frozenseg.downloads.hub import HUB, hub_weights
from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.modeling.model_zoo.weights import ZooModel, download_weights, zoo_weights

RANDOM = "random"
TOYWORLD = "toyworld"  # files that come with the package
TOYWORLD_CONFIG = "toyworld/frozenseg_tiny_sam_masks"  # for drawings and labels: SAM proposals vote in all outputs
RELEASED = ""  # an empty value: the file that the authors released
LOCAL_FOLDER = "local-dir:"
WEIGHTS_FILE = "model.safetensors"  # in a folder and in a repository of the hub
_SUFFIXES = (".safetensors", ".pth", ".pkl")
TOYWORLD_CLIP, TOYWORLD_SAM = "toyworld_convnext", "vit_toy"  # architectures
TOYWORLD_TINY_SAM = "vit_t_toy"  # architecture of another SAM for ToyWorld, without weights in the package
# config keys of weights, and of the architecture that they must fit
CLIP_WEIGHTS, SAM_WEIGHTS = "CLIP_PRETRAINED_WEIGHTS", "MODEL.SAM_WEIGHTS"
ARCHITECTURE_KEYS = {CLIP_WEIGHTS: "CLIP_MODEL_NAME", SAM_WEIGHTS: "MODEL.SAM_NAME"}


def weights_file(source: str | Path) -> Path:
    """Return the file of trained weights that MODEL.WEIGHTS or ``--weights`` names, downloaded once if necessary.

    Args:
        source: path of a file, which need not exist; a trained model of the zoo, such as ``toyworld``;
            ``hf-hub:ORG/REPO``, with ``@REVISION`` if it is not the main branch; or ``local-dir:FOLDER``, a folder that
            ``Segmenter.save_pretrained`` has written.

    Raises:
        ConfigError: the weights need the user's consent, or a hub repository is misspelt.
        CheckpointError: a folder has no weights, or the text is nearly the name of a model.
        DownloadError: the download fails.
    """
    name = str(source)
    if name.startswith(HUB):
        return hub_weights(name, WEIGHTS_FILE)
    if name.startswith(LOCAL_FOLDER):
        return weights_in_folder(local_folder(name))
    entry = trained_model(name)
    if entry is not None:
        return download_weights(entry)
    path = Path(os.path.expanduser(source))
    if os.path.isfile(path / WEIGHTS_FILE):
        return path / WEIGHTS_FILE
    looks_like_name = path.parent == Path() and not path.suffix and not os.path.exists(path)
    if looks_like_name and (hint := did_you_mean(name, pretrained_models())):
        raise CheckpointError(f"There is no checkpoint {name}, and no model of that name.{hint}")
    return path


def trained_model(name: str) -> ZooModel | None:
    """Return the trained model of the zoo with a name, or None."""
    return next((entry for entry in zoo_weights() if entry.is_trained_model and entry.name == name), None)


def local_folder(source: str) -> Path:
    """Return the folder of ``local-dir:FOLDER``."""
    return Path(os.path.expanduser(source.removeprefix(LOCAL_FOLDER)))


def weights_in_folder(folder: Path) -> Path:
    """Return the file of weights in a folder.

    Raises:
        CheckpointError: the folder does not exist, or has no weights or several.
    """
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"{LOCAL_FOLDER}{folder} is not a folder: pass one that Segmenter.save_pretrained has written."
        )
    if (folder / WEIGHTS_FILE).is_file():
        return folder / WEIGHTS_FILE
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if len(files) != 1:
        names = ", ".join(path.name for path in files[:5]) or "no file of weights"
        raise CheckpointError(f"{folder} has {names}, expected {WEIGHTS_FILE}: pass the path of a file of weights.")
    return files[0]


def pretrained_models() -> list[str]:
    """Return the names of all trained models of the zoo."""
    return [entry.name for entry in zoo_weights() if entry.is_trained_model]


def pretrained_encoder(key: str, name: str, architecture: str) -> Path | None:
    """Return the file of a frozen encoder's weights, downloaded once if it is not on this machine.

    Args:
        key: ``CLIP_PRETRAINED_WEIGHTS`` or ``MODEL.SAM_WEIGHTS``.
        name: value of that key: ``toyworld``, a name of the model zoo, or empty for the released file.
        architecture: the encoder that the weights are for.

    Returns:
        The file; None if the table has no such name, or no released file of the architecture.

    Raises:
        ConfigError: the weights of that name are of another architecture.
        DownloadError: the download fails.
    """
    files = {entry.architecture: entry for entry in zoo_weights() if entry.key == key and name in _values(entry)}
    if architecture in files:
        return download_weights(files[architecture])
    if files and name != RELEASED:
        expected = " or ".join(files)
        raise ConfigError(
            f"The weights {name!r} are those of {expected}, not of {architecture}: set {ARCHITECTURE_KEYS[key]} to "
            f"{expected}."
        )
    return None


def packaged_encoder(key: str, architecture: str) -> ZooModel | None:
    """Return the entry of the encoder of an architecture whose weights are in the package, or None.

    Args:
        key: ``CLIP_PRETRAINED_WEIGHTS`` or ``MODEL.SAM_WEIGHTS``.
        architecture: of the encoder.
    """
    entries = (entry for entry in zoo_weights() if entry.key == key and not entry.url)
    return next((entry for entry in entries if entry.architecture == architecture), None)


def encoder_names(key: str) -> set[str]:
    """Return the values of a config key that select weights of the zoo.

    Args:
        key: ``CLIP_PRETRAINED_WEIGHTS`` or ``MODEL.SAM_WEIGHTS``.
    """
    return {value for entry in zoo_weights() if entry.key == key for value in _values(entry)}


def _values(entry: ZooModel) -> tuple[str, str]:
    """Return the values of a config key that select an encoder's weights."""
    return entry.name, RELEASED if entry.url else TOYWORLD


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
