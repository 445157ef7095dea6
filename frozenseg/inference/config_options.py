"""Config of a segmenter: the options of a call, and the training vocabulary."""

from collections.abc import Mapping, Sequence
from typing import Any

from frozenseg.config import CfgNode
from frozenseg.data.training_classes import training_classes
from frozenseg.errors import ConfigError
from frozenseg.modeling.checkpoint_file import trained_vocabulary
from frozenseg.vocabulary import Vocabulary

OptionsLike = Sequence[Any] | Mapping[str, Any]


def option_pairs(options: OptionsLike) -> list[Any]:
    """Return the options of a call as ``[KEY, VALUE, …]``.

    Raises:
        ConfigError: they are neither pairs nor a dictionary.
    """
    if isinstance(options, Mapping):
        return [item for pair in options.items() for item in pair]
    if not isinstance(options, (list, tuple)):
        raise ConfigError(f"options is {options!r}, expected [KEY, VALUE, KEY, VALUE] or {{KEY: VALUE}}.")
    for key in options[::2]:
        if not isinstance(key, str):
            raise ConfigError(f"options has {key!r} where a key is expected: pass [KEY, VALUE, KEY, VALUE].")
    if len(options) % 2:
        raise ConfigError(f"options has no value for its last key {options[-1]!r}: pass [KEY, VALUE, KEY, VALUE].")
    return list(options)


def training_vocabulary(cfg: CfgNode, checkpoint: Mapping[str, Any], weights: str) -> Vocabulary:
    """Return the vocabulary of the weights or of the config, which decides the classes that count as seen."""
    trained = trained_vocabulary(checkpoint)
    if trained is None and not cfg.DATASETS.TRAIN:
        return Vocabulary.parse("object")
    return training_classes(cfg, trained, checkpoint.get("config", ""), weights).vocabulary
