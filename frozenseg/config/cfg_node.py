"""The config: fvcore's CfgNode that knows its keys and answers a wrong one with the right ones."""

import copy
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode as FvcoreCfgNode

from frozenseg.config.defaults import KEYS, meaning_of
from frozenseg.config.legacy import check_legacy, is_legacy
from frozenseg.config.values import coerce
from frozenseg.config.yaml_files import Setting, flatten, read_settings, settings_in
from frozenseg.errors import ConfigError, did_you_mean

COMMAND_LINE = "command line"
ASSIGNMENT = "assignment"
ORIGINS = "__origins__"  # attribute of a section: where the value of each of its keys was set
VERSIONS = (2,)


class CfgNode(FvcoreCfgNode):
    """Nested keys, read as attributes: ``cfg.SOLVER.MAX_ITER``.

    Merging checks everything before it changes anything: unknown keys and values of the wrong kind are errors that
    name the file, the key and the nearest valid one. Only plain YAML is read; nothing in a file is ever executed.

    Example:
        >>> cfg = get_cfg()
        >>> cfg.merge_from_list(["SOLVER.MAX_ITER", "100"])
        >>> cfg.SOLVER.MAX_ITER
        100
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__[ORIGINS] = {}

    def merge_from_file(self, cfg_filename: str | Path, allow_unsafe: bool = False) -> None:
        """Take over the values of a YAML file and of the files that its ``_BASE_`` names.

        Args:
            cfg_filename: the file.
            allow_unsafe: fvcore's argument; only False is accepted.

        Raises:
            ConfigError: see :func:`read_settings`; an unknown key; a value of the wrong kind.
        """
        _refuse_unsafe(allow_unsafe)
        self.merge_settings(read_settings(cfg_filename))

    def merge_from_list(self, cfg_list: Sequence[Any]) -> None:
        """Take over ``[KEY, VALUE, KEY, VALUE, …]``, as from a command line.

        Raises:
            ConfigError: a key without a value; an unknown key; a value of the wrong kind.
        """
        self.merge_settings(_pairs(cfg_list))

    def merge_from_other_cfg(self, cfg_other: Mapping[str, Any]) -> None:
        """Take over the values of another config.

        Raises:
            ConfigError: an unknown key; a value of the wrong kind.
        """
        origin = "merged config"
        self.merge_settings({name: Setting(value, origin) for name, value in flatten(dict(cfg_other), origin)})

    def origins(self) -> dict[str, str]:
        """Return where each key was set, by dotted name: a file or ``command line``; defaults are not listed.

        The origins are no values: they stay with clones and pickles and take no part in ``dump()`` and comparisons.
        """
        names = dict(self.__dict__[ORIGINS])
        for section, node in self.items():
            if isinstance(node, CfgNode):
                names |= {f"{section}.{name}": origin for name, origin in node.origins().items()}
        return names

    def merge_settings(self, settings: Mapping[str, Setting]) -> None:
        """Check all settings, then set their values and remember their origins.

        Args:
            settings: by dotted key; later ones win.

        Raises:
            AttributeError: the config is frozen.
            ConfigError: an unknown key; a value of the wrong kind.
        """
        if self.is_frozen():
            raise AttributeError("The config is frozen: defrost() it, or clone() it first.")
        leaves = dict(flatten(self, "config"))
        checked: dict[str, Setting] = {}
        legacy: dict[str, Setting] = {}
        for name, setting in settings.items():
            if name in leaves:
                checked[name] = Setting(coerce(name, setting, leaves[name]), setting.origin)
            elif is_legacy(name):
                legacy[name] = setting
            else:
                raise ConfigError(_unknown(name, setting, leaves))
        if "VERSION" in checked and checked["VERSION"].value not in VERSIONS:
            version, origin = checked["VERSION"]
            raise ConfigError(f"{origin}: VERSION is {version}, expected {VERSIONS[0]}.")
        check_legacy(legacy)
        for name, (value, origin) in checked.items():
            *sections, key = name.split(".")
            node = self
            for section in sections:
                node = node[section]
            node[key] = value
            node.__dict__[ORIGINS][key] = origin

    def describe(self) -> str:
        """Return every key with its value and meaning, one a line; the lines are a YAML file that can be loaded."""
        lines = []
        for name, value in flatten(self, "config"):
            text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
            lines.append(f"{name}: {text}  # {meaning_of(name)}")
        return "\n".join(lines) + "\n"

    @classmethod
    def load_yaml_with_base(cls, filename: str, allow_unsafe: bool = False) -> dict[str, Any]:
        """Return a YAML file with its ``_BASE_`` resolved, as nested dictionaries; see :meth:`merge_from_file`."""
        _refuse_unsafe(allow_unsafe)
        tree: dict[str, Any] = {}
        for name, setting in read_settings(filename).items():
            *sections, key = name.split(".")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
            node[key] = setting.value
        return tree

    @classmethod
    def _load_cfg_py_source(cls, filename: str) -> "CfgNode":
        raise ConfigError(f"{filename} is Python, expected a YAML file: a config is never executed.")

    def __setattr__(self, name: str, val: Any) -> None:
        """Set an existing key to a value of its kind.

        Raises:
            AttributeError: the config is frozen.
            ConfigError: there is no such key, or the value is of the wrong kind.
        """
        if not self.is_frozen() and name not in self.__dict__:
            if name not in self:
                raise ConfigError(f"Unknown key {name!r}.{did_you_mean(name, self)}")
            if not isinstance(val, CfgNode):
                val = coerce(name, Setting(val, ASSIGNMENT), self[name])
                self.__dict__[ORIGINS][name] = ASSIGNMENT
        super().__setattr__(name, val)


def get_cfg() -> CfgNode:
    """Return a config with every key at its default; ``describe()`` tells them all."""
    root = CfgNode()
    for key in KEYS:
        *sections, last = key.name.split(".")
        node = root
        for section in sections:
            node = node.setdefault(section, CfgNode())
        node[last] = copy.deepcopy(key.default)
    return root


def load_config(path: str | Path, opts: Sequence[Any] = ()) -> CfgNode:
    """Return the defaults, changed by a YAML file, then by ``KEY VALUE`` pairs; frozen.

    Args:
        path: the file.
        opts: ``[KEY, VALUE, KEY, VALUE, …]``.

    Raises:
        ConfigError: a file is missing or not plain YAML, a key is unknown, a value is of the wrong kind.
    """
    return _resolved({**read_settings(path), **_pairs(opts)})


def load_shared_config(path: str | Path, opts: Sequence[Any], others: Container[str]) -> tuple[CfgNode, list[Any]]:
    """Return a config as :func:`load_config` does, from a file and pairs that may have keys of somebody else, too.

    Args:
        path: the file.
        opts: ``[KEY, VALUE, KEY, VALUE, …]``.
        others: dotted names of the keys that are not ours.

    Returns:
        Our config, and ``[KEY, VALUE, …]`` of the other keys, unchecked.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    settings = {**read_settings(path), **_pairs(opts)}
    cfg = _resolved({name: setting for name, setting in settings.items() if name not in others})
    return cfg, [item for name, (value, _) in settings.items() if name in others for item in (name, value)]


def config_from_text(text: str, origin: str, opts: Sequence[Any] = ()) -> CfgNode:
    """Return the config that a text holds, such as a checkpoint's, then changed by ``KEY VALUE`` pairs; frozen.

    Args:
        text: YAML.
        origin: where it stands, for errors.
        opts: ``[KEY, VALUE, KEY, VALUE, …]``.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    return _resolved({**settings_in(text, origin), **_pairs(opts)})


def _resolved(settings: Mapping[str, Setting]) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_settings(settings)
    cfg.freeze()
    return cfg


def with_protocol(cfg: CfgNode, path: str | Path) -> CfgNode:
    """Return a config under the protocol of a benchmark; frozen.

    Keys that were set on the command line keep their values, also where the protocol has others.

    Args:
        cfg: config of the model; it is not changed.
        path: YAML file of the protocol; its DATASETS keys are ignored.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    fixed = {name for name, origin in cfg.origins().items() if origin == COMMAND_LINE}
    return _changed(cfg, {name: setting for name, setting in _protocol(path).items() if name not in fixed})


def protocol_differences(cfg: CfgNode, path: str | Path) -> list[str]:
    """Return the sorted names of the keys in which a config differs from a protocol.

    Args:
        cfg: config of the model.
        path: YAML file of the protocol; its DATASETS keys are ignored.

    Raises:
        ConfigError: see :func:`load_config`.
    """
    values = dict(flatten(_changed(cfg, _protocol(path)), "protocol"))
    return sorted(name for name, value in flatten(cfg, "config") if values[name] != value)


def _protocol(path: str | Path) -> dict[str, Setting]:
    return {name: setting for name, setting in read_settings(path).items() if not name.startswith("DATASETS.")}


def _changed(cfg: CfgNode, settings: Mapping[str, Setting]) -> CfgNode:
    changed = cfg.clone()
    changed.defrost()
    changed.merge_settings(settings)
    changed.freeze()
    return changed


def clip_section(cfg: CfgNode) -> CfgNode:
    """Return the section about CLIP that the meta-architecture reads: ``MODEL.FC_CLIP`` or ``MODEL.FROZEN_SEG``."""
    return cfg.MODEL.FC_CLIP if cfg.MODEL.META_ARCHITECTURE == "FCCLIP" else cfg.MODEL.FROZEN_SEG


def _pairs(opts: Sequence[Any]) -> dict[str, Setting]:
    if len(opts) % 2:
        raise ConfigError(f"{COMMAND_LINE}: {opts[-1]!r} has no value; expected KEY VALUE pairs such as SEED 1.")
    return {str(name): Setting(value, COMMAND_LINE) for name, value in zip(opts[::2], opts[1::2], strict=True)}


def _unknown(name: str, setting: Setting, leaves: Mapping[str, Any]) -> str:
    if any(leaf.startswith(f"{name}.") for leaf in leaves):
        return f"{setting.origin}: {name} is a section of keys, received {setting.value!r} for it."
    tail = name.upper().rpartition(".")[2]
    same_tail = [leaf for leaf in leaves if leaf.rpartition(".")[2] == tail]
    hint = did_you_mean(name.upper(), same_tail or leaves) or did_you_mean(tail, leaves)
    return f"{setting.origin}: unknown key {name!r}.{hint or ' --print-config shows all keys.'}"


def _refuse_unsafe(allow_unsafe: bool) -> None:
    if allow_unsafe:
        raise ConfigError("allow_unsafe is True, expected False: a config file is never executed.")
