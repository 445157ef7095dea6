"""Functions that return frozen configs: from files, command lines, checkpoints, and with benchmark protocols."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.config.cfg_node import CfgNode, get_cfg, settings_of_pairs
from frozenseg.config.clip_section import canonical_name, without_other_spellings
from frozenseg.config.yaml_files import COMMAND_LINE, OPTIONS, Setting, flatten, override, read_settings, settings_in


def load_config(path: str | Path, opts: Sequence[Any] = (), opts_origin: str = COMMAND_LINE) -> CfgNode:
    """Return the defaults, changed by a YAML file, then by ``KEY VALUE`` pairs; frozen.

    Args:
        path: path or name of the file, see :func:`find_config`.
        opts: ``[KEY, VALUE, KEY, VALUE, …]`` of a command line or of a call.
        opts_origin: of the pairs, for messages: ``COMMAND_LINE`` or ``OPTIONS``.

    Raises:
        ConfigError: a file is missing or not plain YAML, a key is unknown, a value is of the wrong type.
    """
    return _resolved(override(read_settings(path), settings_of_pairs(opts, opts_origin)))


def load_shared_config(path: str | Path, opts: Sequence[Any], others: Container[str]) -> tuple[CfgNode, list[Any]]:
    """Return a config like :func:`load_config`, from a file and pairs that also have keys of another framework.

    Args:
        path: path or name of the file, see :func:`find_config`.
        opts: ``[KEY, VALUE, KEY, VALUE, …]`` of a command line.
        others: dotted names of the keys of the other framework.

    Returns:
        Our config, and ``[KEY, VALUE, …]`` of the other keys, unchecked.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    settings = override(read_settings(path), settings_of_pairs(opts))
    cfg = _resolved({name: setting for name, setting in settings.items() if name not in others})
    return cfg, [item for name, (value, _) in settings.items() if name in others for item in (name, value)]


def config_from_text(text: str, origin: str, opts: Sequence[Any] = (), opts_origin: str = COMMAND_LINE) -> CfgNode:
    """Return a resolved config from its text, such as in a checkpoint, changed by ``KEY VALUE`` pairs; frozen.

    Args:
        text: YAML.
        origin: source of the text, for error messages.
        opts: see :func:`load_config`.
        opts_origin: see :func:`load_config`.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    settings = without_other_spellings(settings_in(text, origin))
    return _resolved(override(settings, settings_of_pairs(opts, opts_origin)))


def values_from_text(text: str, origin: str) -> dict[str, Any]:
    """Return the values in the text of a resolved config by dotted key; keys and values are not checked.

    Args:
        text: YAML; may be of another version, with other keys.
        origin: source of the text, for error messages.

    Raises:
        ConfigError: the text is not plain YAML.
    """
    settings = without_other_spellings(settings_in(text, origin))
    return {name: setting.value for name, setting in settings.items()}


def with_protocol(cfg: CfgNode, path: str | Path) -> CfgNode:
    """Return a config with the settings of a benchmark protocol; frozen.

    Keys that were set on the command line or as options keep their values, even if the protocol sets them, too.

    Args:
        cfg: config of the model; it is not changed.
        path: YAML file of the protocol; its DATASETS keys are ignored.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    fixed = {name for name, origin in cfg.origins().items() if origin in (COMMAND_LINE, OPTIONS)}
    protocol = _protocol_settings(path)
    return _changed(cfg, {name: setting for name, setting in protocol.items() if canonical_name(name) not in fixed})


def protocol_differences(cfg: CfgNode, path: str | Path) -> list[str]:
    """Return the sorted names of the keys in which a config differs from a protocol.

    Args:
        cfg: config of the model.
        path: YAML file of the protocol; its DATASETS keys are ignored.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    values = dict(flatten(_changed(cfg, _protocol_settings(path)), "protocol"))
    return sorted(name for name, value in flatten(cfg, "config") if values[name] != value)


def _protocol_settings(path: str | Path) -> dict[str, Setting]:
    return {name: setting for name, setting in read_settings(path).items() if not name.startswith("DATASETS.")}


def _changed(cfg: CfgNode, settings: Mapping[str, Setting]) -> CfgNode:
    changed = cfg.clone()
    changed.defrost()
    changed.merge_settings(settings)
    changed.freeze()
    return changed


def _resolved(settings: Mapping[str, Setting]) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_settings(settings)
    cfg.freeze()
    return cfg
