"""Conversion between Detectron2's configs and ours; Detectron2 itself is not imported."""

from collections.abc import Sequence
from typing import Any

from fvcore.common.config import CfgNode

from frozenseg.config import CfgNode as FrozenSegCfgNode
from frozenseg.config import get_cfg, load_shared_config
from frozenseg.config.clip_section import PUBLISHED_SECTIONS
from frozenseg.config.defaults import KEYS
from frozenseg.config.legacy import FIXED, IGNORED
from frozenseg.config.yaml_files import Setting, flatten
from frozenseg.engine.arguments import KEY_OF_FLAG
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger

logger = get_logger(__name__)
FROZENSEG_KEYS = frozenset(key.name for key in KEYS)
DETECTRON2_DEFAULTS = ("MODEL.DEVICE",)  # keys of both frameworks for which Detectron2's value is kept
FROZENSEG_ORIGINS = "__frozenseg_origins__"  # attribute of Detectron2's config: dotted key of ours → origin


def add_frozenseg_config(cfg: CfgNode) -> None:
    """Add our keys to a config of Detectron2; keys of both frameworks get our defaults, except MODEL.DEVICE.

    Keys of the released code without effect here are added as well, so that its config files load.

    Args:
        cfg: a new config from Detectron2's ``get_cfg``.
    """
    for key in KEYS:
        if key.name not in DETECTRON2_DEFAULTS or not has_key(cfg, key.name):
            set_key(cfg, key.name, key.default)
    for section in PUBLISHED_SECTIONS:
        set_key(cfg, section, cfg.MODEL.CLIP)  # the same object under its published names
    set_key(cfg, "MODEL.MASK_ON", True)  # otherwise Detectron2's mapper omits the masks
    legacy = {name: values[0] for name, values in FIXED.items()} | dict.fromkeys(IGNORED)
    for name, value in legacy.items():
        if not has_key(cfg, name):
            set_key(cfg, name, value)


def read_config(cfg: CfgNode, path: str, opts: Sequence[Any]) -> FrozenSegCfgNode:
    """Add our keys to a config of Detectron2, and set the values of a YAML file and of a command line.

    Args:
        cfg: a new config from Detectron2's ``get_cfg``.
        path: YAML file with keys of both frameworks.
        opts: ``[KEY, VALUE, …]`` with keys of both frameworks.

    Returns:
        Our keys only, including the requested MODEL.DEVICE, which is not set in ``cfg``.

    Raises:
        ConfigError: a file, a key or a value is wrong.
    """
    detectron2_keys = {name for name, _ in flatten(cfg, "Detectron2")} - FROZENSEG_KEYS
    our_cfg, others = load_shared_config(path, opts, detectron2_keys)
    add_frozenseg_config(cfg)
    copy_frozenseg_keys(cfg, our_cfg)
    try:
        cfg.merge_from_list(others)
    except (AssertionError, KeyError, ValueError) as error:
        raise ConfigError(f"Wrong key of Detectron2 in {path} or on the command line: {error}.") from error
    return our_cfg


def frozenseg_config(cfg: CfgNode) -> FrozenSegCfgNode:
    """Return our keys of a Detectron2 config, frozen.

    Args:
        cfg: config of Detectron2 after :func:`add_frozenseg_config`.

    Raises:
        ConfigError: a value is of the wrong type, or our keys are missing.
    """
    missing = [key.name for key in KEYS if not has_key(cfg, key.name)]
    if missing:
        raise ConfigError(f"The config has no {missing[0]}: call add_frozenseg_config(cfg) on Detectron2's get_cfg().")
    our_cfg = get_cfg()
    origins = cfg.__dict__.get(FROZENSEG_ORIGINS, {})
    our_cfg.merge_settings(
        {key.name: Setting(get_key(cfg, key.name), origins.get(key.name, "Detectron2's config")) for key in KEYS}
    )
    our_cfg.freeze()
    return our_cfg


def copy_frozenseg_keys(cfg: CfgNode, our_cfg: FrozenSegCfgNode) -> None:
    """Copy the values and origins of one of our configs to a config of Detectron2, except MODEL.DEVICE.

    Args:
        cfg: config of Detectron2 after :func:`add_frozenseg_config`; is changed.
        our_cfg: the values to copy.
    """
    for key in KEYS:
        if key.name not in DETECTRON2_DEFAULTS:
            set_key(cfg, key.name, get_key(our_cfg, key.name))
    cfg.__dict__[FROZENSEG_ORIGINS] = our_cfg.origins()


def check_images_at_once(cfg: FrozenSegCfgNode) -> None:
    """Check that SOLVER.IMAGES_AT_ONCE is not set, since Detectron2's trainer does not split a batch.

    Raises:
        ConfigError: it is set.
    """
    if cfg.SOLVER.IMAGES_AT_ONCE:
        raise ConfigError(
            f"SOLVER.IMAGES_AT_ONCE is {cfg.SOLVER.IMAGES_AT_ONCE}, but Detectron2's trainer processes all images of a "
            "step at once: set it to 0 and reduce SOLVER.IMS_PER_BATCH, or train without --engine detectron2."
        )


def warn_of_keys_without_effect(cfg: FrozenSegCfgNode) -> None:
    """Log a warning that lists the keys which are set but have no effect under Detectron2's trainer."""
    flags = {key: f" (--{flag.replace('_', '-')})" for flag, key in KEY_OF_FLAG.items()}
    changed = [key.name for key in KEYS if key.engine_only and get_key(cfg, key.name) != key.default]
    if changed:
        names = ", ".join(f"{name}{flags.get(name, '')}" for name in changed)
        logger.warning("Keys without effect under Detectron2's trainer: %s.", names)


def has_key(cfg: CfgNode, name: str) -> bool:
    """Return True if a config has a dotted key."""
    for part in name.split("."):
        if not isinstance(cfg, CfgNode) or part not in cfg:
            return False
        cfg = cfg[part]
    return True


def get_key(cfg: CfgNode, name: str) -> Any:
    """Return the value of a dotted key, with Detectron2's tuples converted to lists."""
    for part in name.split("."):
        cfg = cfg[part]
    return list(cfg) if isinstance(cfg, tuple) else cfg


def set_key(cfg: CfgNode, name: str, value: Any) -> None:
    """Set a dotted key, which may be new to the config; lists are copied."""
    *sections, key = name.split(".")
    for section in sections:
        if section not in cfg:
            cfg[section] = type(cfg)()
        cfg = cfg[section]
    cfg[key] = list(value) if isinstance(value, list) else value
