"""Config class ``CfgNode``: fvcore's CfgNode with checked keys and values, and with the origin of each value."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from fvcore.common.config import CfgNode as FvcoreCfgNode

from frozenseg.config.clip_section import (
    META_ARCHITECTURE,
    PUBLISHED_SECTIONS,
    SECTION,
    canonical_name,
    merge_spellings,
    published_section,
)
from frozenseg.config.defaults import KEY_BY_NAME, KEYS, ROLES, Role, names_with_role
from frozenseg.config.legacy import check_legacy, is_legacy
from frozenseg.config.relations import check_relations, check_value
from frozenseg.config.values import coerce
from frozenseg.config.yaml_files import COMMAND_LINE, Setting, flatten, override, read_settings, short_repr
from frozenseg.errors import ConfigError, did_you_mean

ASSIGNMENT = "assignment"
ORIGINS = "__origins__"  # attribute of a section: key → origin of its value
SECTION_PREFIX = "__prefix__"  # attribute of a section: its dotted name with a dot at its end
_CLIP = SECTION.rpartition(".")[2]
ALIASES = {section.rpartition(".")[2]: _CLIP for section in PUBLISHED_SECTIONS}


class CfgNode(FvcoreCfgNode):
    """Nested config keys, read as attributes: ``cfg.SOLVER.MAX_ITER``.

    All settings are checked before any value changes: an unknown key, a value of the wrong type or outside of its
    bounds, or values that contradict each other are an error that names the file, the key and the expected value. Only
    plain YAML is read; no code in a file is executed.

    Example:
        >>> cfg = get_cfg()
        >>> cfg.merge_from_list(["SOLVER.MAX_ITER", "100"])
        >>> cfg.SOLVER.MAX_ITER
        100
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__[ORIGINS] = {}
        self.__dict__[SECTION_PREFIX] = ""

    def merge_from_file(self, cfg_filename: str | Path, allow_unsafe: bool = False) -> None:
        """Set the values of a YAML file and of the files in its ``_BASE_``.

        Args:
            cfg_filename: path or name of the file, see :func:`find_config`.
            allow_unsafe: argument of fvcore's method; only False is accepted.

        Raises:
            ConfigError: see :func:`read_settings`; an unknown key; a value of the wrong type or out of bounds.
        """
        _check_safe(allow_unsafe)
        self.merge_settings(read_settings(cfg_filename))

    def merge_from_list(self, cfg_list: Sequence[Any]) -> None:
        """Set ``[KEY, VALUE, KEY, VALUE, …]``, as from a command line.

        Raises:
            ConfigError: a key without a value; an unknown key; a value of the wrong type or out of bounds.
        """
        self.merge_settings(settings_of_pairs(cfg_list))

    def merge_from_other_cfg(self, cfg_other: Mapping[str, Any]) -> None:
        """Set the values of another config.

        Raises:
            ConfigError: an unknown key; a value of the wrong type or out of bounds.
        """
        origin = "merged config"
        self.merge_settings({name: Setting(value, origin) for name, value in flatten(dict(cfg_other), origin)})

    def merge_settings(self, settings: Mapping[str, Setting]) -> None:
        """Check all settings, then set their values and store their origins.

        Args:
            settings: by dotted key, in ascending precedence.

        Raises:
            AttributeError: the config is frozen.
            ConfigError: an unknown key; a value of the wrong type or out of bounds.
        """
        if self.is_frozen():
            raise AttributeError("The config is frozen: defrost() it, or clone() it first.")
        leaves = dict(flatten(self, "config"))
        checked: dict[str, Setting] = {}
        legacy: dict[str, Setting] = {}
        for name, setting in merge_spellings(settings, leaves.get(META_ARCHITECTURE, ""), leaves).items():
            if name in leaves:
                checked[name] = Setting(coerce(name, setting, leaves[name]), setting.origin)
                check_value(name, checked[name])
            elif is_legacy(name):
                legacy[name] = setting
            else:
                raise ConfigError(_unknown_key(name, setting, leaves))
        check_legacy(legacy)
        merged = leaves | {name: setting.value for name, setting in checked.items()}
        check_relations(merged, self.origins() | {name: origin for name, (_, origin) in checked.items()}, checked)
        for name, (value, origin) in checked.items():
            *sections, key = name.split(".")
            node = self
            for section in sections:
                node = node[section]
            node[key] = value
            node.__dict__[ORIGINS][key] = origin

    def freeze(self) -> None:
        """Make all values constant, after a check of the bounds and relations of values that were assigned.

        Raises:
            ConfigError: a value is out of bounds, or two values contradict each other.
        """
        values, origins = dict(flatten(self, "config", self.__dict__[SECTION_PREFIX])), self.origins()
        for name, value in values.items():
            check_value(name, Setting(value, origins.get(name, "config")))
        check_relations(values, origins, values)
        super().freeze()

    def origins(self) -> dict[str, str]:
        """Return the origin (file, ``command line`` or ``assignment``) of each value that is set, by dotted key.

        Origins are kept by ``clone()`` and by pickles; ``dump()`` and comparisons ignore them.
        """
        origins = dict(self.__dict__[ORIGINS])
        for section, node in self.items():
            if isinstance(node, CfgNode):
                origins |= {f"{section}.{name}": origin for name, origin in node.origins().items()}
        return origins

    def select(self, *roles: Role) -> dict[str, Any]:
        """Return the values of the keys that have one of the roles, by dotted key."""
        names = names_with_role(*roles)
        return {name: value for name, value in flatten(self, "config") if name in names}

    def dump(self, **kwargs: Any) -> str:
        """Return the config as YAML, with the published name of the CLIP section.

        Args:
            kwargs: arguments of ``yaml.safe_dump``.
        """
        return str(super(CfgNode, self._as_published()).dump(**kwargs))

    def describe(self) -> str:
        """Return the config as YAML like :meth:`dump`, with the role, meaning and origin of each key as comments."""
        published = self._as_published()
        legend = [f"# {role}: {meaning}" for role, meaning in ROLES.items()]
        return "\n".join([*legend, *_described(published, published.origins())]) + "\n"

    @classmethod
    def load_yaml_with_base(cls, filename: str, allow_unsafe: bool = False) -> dict[str, Any]:
        """Return a YAML file with its ``_BASE_`` resolved, as nested dictionaries; see :meth:`merge_from_file`."""
        _check_safe(allow_unsafe)
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

    def _as_published(self) -> "CfgNode":
        """Return a copy in which the CLIP section has its published name."""
        copied = self.clone()
        model = dict.get(copied, "MODEL", {})
        if _CLIP in model:
            model[published_section(model.META_ARCHITECTURE).rpartition(".")[2]] = model.pop(_CLIP)
        return copied

    def __getattr__(self, name: str) -> Any:
        """Return a value or a section; ``FROZEN_SEG`` and ``FC_CLIP`` are the CLIP section."""
        if name not in self and ALIASES.get(name) in self:
            name = ALIASES[name]
        return super().__getattr__(name)

    def __missing__(self, name: str) -> Any:
        """Return the CLIP section for ``cfg["MODEL"]["FROZEN_SEG"]``."""
        if ALIASES.get(name) in self:
            return self[ALIASES[name]]
        raise KeyError(name)

    def __setattr__(self, name: str, val: Any) -> None:
        """Set an existing key to a value of its type.

        Raises:
            AttributeError: the config is frozen.
            ConfigError: there is no such key, or the value is of the wrong type or out of bounds.
        """
        if not self.is_frozen() and name not in self.__dict__:
            if name not in self:
                raise ConfigError(f"Unknown key {name!r}.{did_you_mean(name, self)}")
            if not isinstance(val, CfgNode):
                val = coerce(name, Setting(val, ASSIGNMENT), self[name])
                check_value(f"{self.__dict__[SECTION_PREFIX]}{name}", Setting(val, ASSIGNMENT))
                self.__dict__[ORIGINS][name] = ASSIGNMENT
        super().__setattr__(name, val)


def get_cfg() -> CfgNode:
    """Return a config with every key at its default; ``describe()`` lists them."""
    root = CfgNode()
    for key in KEYS:
        *sections, last = key.name.split(".")
        node = root
        for depth, section in enumerate(sections, start=1):
            node = node.setdefault(section, CfgNode())
            node.__dict__[SECTION_PREFIX] = "".join(f"{name}." for name in sections[:depth])
        node[last] = copy.deepcopy(key.default)
    return root


def settings_of_pairs(opts: Sequence[Any], origin: str = COMMAND_LINE) -> dict[str, Setting]:
    """Return the settings of ``[KEY, VALUE, KEY, VALUE, …]`` in ascending precedence.

    Args:
        opts: the pairs.
        origin: of the pairs, for messages.

    Raises:
        ConfigError: the last key has no value.
    """
    if len(opts) % 2:
        raise ConfigError(f"{origin}: {opts[-1]!r} has no value; expected KEY VALUE pairs such as SEED 1.")
    settings: dict[str, Setting] = {}
    for name, value in zip(opts[::2], opts[1::2], strict=True):
        settings = override(settings, {str(name): Setting(value, origin)})
    return settings


def _described(tree: Mapping[str, Any], origins: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _described(value, origins, f"{prefix}{name}.")
            continue
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
        key = KEY_BY_NAME[canonical_name(f"{prefix}{name}")]
        origin = origins.get(f"{prefix}{name}")
        yield f"{indent}{name}: {text}  # {key.role}: {key.meaning}{f' [{origin}]' if origin else ''}"


def _unknown_key(name: str, setting: Setting, leaves: Mapping[str, Any]) -> str:
    if any(leaf.startswith(f"{canonical_name(f'{name}.')}") for leaf in leaves):
        return f"{setting.origin}: {name} is a section of keys, received {short_repr(setting.value)} for it."
    valid = [*leaves, *_published_spellings(leaves)]
    tail = name.upper().rpartition(".")[2]
    same_tail = [leaf for leaf in valid if leaf.rpartition(".")[2] == tail]
    hint = did_you_mean(name.upper(), same_tail or valid) or did_you_mean(tail, valid)
    return f"{setting.origin}: unknown key {name!r}.{hint or ' All keys are listed in frozenseg/config/defaults.'}"


def _published_spellings(leaves: Mapping[str, Any]) -> list[str]:
    """Return the keys of the CLIP section under both published names."""
    keys = [leaf.removeprefix(SECTION) for leaf in leaves if leaf.startswith(f"{SECTION}.")]
    return [f"{section}{key}" for section in PUBLISHED_SECTIONS for key in keys]


def _check_safe(allow_unsafe: bool) -> None:
    if allow_unsafe:
        raise ConfigError("allow_unsafe is True, expected False: a config file is never executed.")
