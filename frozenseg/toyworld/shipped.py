"""Weights in the package: ToyWorld's CLIP, its SAM, and a FrozenSeg trained with both."""

from pathlib import Path

from frozenseg.errors import ConfigError

TOYWORLD = "toyworld"  # their name in config keys and flags
CLIP_NAME, SAM_NAME = "toyworld_convnext", "vit_toy"  # the encoders' architectures
FOLDER = Path(__file__).parent / "weights"
CLIP, SAM, FROZENSEG = (FOLDER / f"{name}.safetensors" for name in ("clip", "sam", "frozenseg_tiny"))
ENCODERS = {"CLIP_MODEL_NAME": (CLIP_NAME, CLIP), "MODEL.SAM_NAME": (SAM_NAME, SAM)}


def encoder_weights(name: str, key: str) -> Path:
    """Return the file of an encoder's weights.

    Args:
        name: the requested architecture.
        key: the config's key of that architecture, ``CLIP_MODEL_NAME`` or ``MODEL.SAM_NAME``.

    Raises:
        ConfigError: the package has weights of another architecture.
    """
    architecture, file = ENCODERS[key]
    if name != architecture:
        raise ConfigError(
            f"The weights {TOYWORLD!r} are those of {architecture}, not of {name}: set {key} to {architecture}."
        )
    return file
