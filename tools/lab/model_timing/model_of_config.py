"""Models of a config without pretrained weights, and the arguments that describe their inputs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.errors import ConfigError
from frozenseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from frozenseg.modeling.meta_arch.base import MaskClassifier

RANDOM_WEIGHTS = (
    "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random",
    "MODEL.SAM_WEIGHTS", "random",
    "MODEL.WEIGHTS", "",
)  # fmt: skip


def parse_size(text: str, flag: str = "--size") -> tuple[int, int]:
    """Return the height and width in a string ``HxW``.

    Args:
        text: the string.
        flag: name of the argument in the message.

    Raises:
        ConfigError: The string has another form.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise ConfigError(f"{flag} {text!r} is not a size: give height x width in pixels, such as 640x640.")
    return int(match[1]), int(match[2])


def numbered_classes(count: int) -> Vocabulary:
    """Return a vocabulary of classes ``class 0``, ``class 1``, …; every second class is stuff.

    Raises:
        ConfigError: There are no classes.
    """
    if count < 1:
        raise ConfigError(f"--classes is {count}: at least 1 class is needed.")
    return Vocabulary.from_strings([f"class {i}" for i in range(count)], isthing=[i % 2 == 0 for i in range(count)])


def model_without_weights(config: Path, options: Sequence[str], vocabulary: Vocabulary) -> "MaskClassifier":
    """Return the model on the meta device: tensors have shapes but no values."""
    from frozenseg.config import load_config
    from frozenseg.modeling.build import build_model
    from frozenseg.modeling.meta_device import on_meta_device

    cfg = load_config(config, options)
    with on_meta_device():
        return build_model(cfg, vocabulary)
