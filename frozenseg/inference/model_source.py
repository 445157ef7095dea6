"""Config of trained weights that are named without one: of a zoo model, of a folder or repository, of a checkpoint."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.config import OPTIONS, CfgNode, config_from_text, load_config
from frozenseg.downloads.hub import HUB, hub_weights
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.modeling.pretrained import (
    LOCAL_FOLDER,
    pretrained_models,
    trained_model,
    weights_file,
)

CONFIG_FILE_NAME = "config.yaml"  # in a folder and in a repository of the hub


def require_source(source: object) -> str | Path:
    """Return a source of a trained model unchanged.

    Args:
        source: name of the model zoo, ``hf-hub:ORG/REPO``, ``local-dir:FOLDER``, or the path of a file or folder.

    Raises:
        ConfigError: it is none of these; the message has the nearest names of the zoo.
    """
    names = pretrained_models()
    if isinstance(source, (str, Path)):
        text = str(source)
        if (
            text in names
            or text.startswith((HUB, LOCAL_FOLDER))
            or (text and os.path.exists(os.path.expanduser(source)))
        ):
            return source
    hint = did_you_mean(str(source), names)
    raise ConfigError(
        f"Unknown pretrained model {source!r}.{hint} Available: {', '.join(names)}; {HUB}ORG/REPO, "
        f"{LOCAL_FOLDER}FOLDER, or the path of a file."
    )


def config_of_weights(checkpoint: Mapping[str, Any], weights: str | Path | None, options: Sequence[Any]) -> CfgNode:
    """Return the config of trained weights.

    Args:
        checkpoint: content of the weights.
        weights: source of the weights.
        options: overrides, ``[KEY, VALUE, …]``.

    Raises:
        ConfigError: there is no config, or ``config.yaml`` beside the weights is not the one in them.
    """
    if not weights:
        raise ConfigError("Neither a config nor weights: pass the model's config file, or a checkpoint with a config.")
    if "config" in checkpoint:
        cfg = config_from_text(checkpoint["config"], f"the config in {weights}", options, OPTIONS)
        _refuse_changed_copy(checkpoint["config"], weights)
        return cfg
    entry = trained_model(str(weights))
    if entry is not None:
        return load_config(entry.config, options, OPTIONS)
    if (file := _config_beside(weights)) is not None:
        return load_config(file, options, OPTIONS)
    raise ConfigError(f"{weights} holds no config: pass the config file that the weights were trained with.")


def _config_beside(weights: str | Path) -> Path | None:
    """Return the config file in the folder or repository of weights, or None."""
    text = str(weights)
    if text.startswith(HUB):
        return hub_weights(text, CONFIG_FILE_NAME)
    file = weights_file(weights).with_name(CONFIG_FILE_NAME)
    is_folder = text.startswith(LOCAL_FOLDER) or os.path.isdir(os.path.expanduser(text))
    return file if is_folder and file.is_file() else None


def _refuse_changed_copy(config: str, weights: str | Path) -> None:
    """Raise ConfigError if a folder's ``config.yaml``, a copy for readers, differs from the config in the weights."""
    if str(weights).startswith(HUB) or (file := _config_beside(weights)) is None:
        return
    if file.read_text(encoding="utf-8").strip() != config.strip():
        raise ConfigError(
            f"{file} differs from the config in the weights beside it, which takes effect: undo the change, and pass "
            "changed keys as options, such as TEST.AUG.ENABLED True, or the file as config."
        )
