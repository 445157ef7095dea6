"""Our keys in a config of Detectron2, and a config of Detectron2 as one of ours; Detectron2 itself is not needed."""

from collections.abc import Sequence
from typing import Any

from fvcore.common.config import CfgNode

from frozenseg.config import CfgNode as FrozenSegCfg
from frozenseg.config import get_cfg, load_shared_config
from frozenseg.config.clip_section import PUBLISHED_SECTIONS
from frozenseg.config.defaults import KEYS
from frozenseg.config.legacy import FIXED, IGNORED
from frozenseg.config.yaml_files import Setting, flatten
from frozenseg.engine.arguments import KEY_OF_FLAG
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger

logger = get_logger(__name__)
OURS = frozenset(key.name for key in KEYS)
ORIGINS = "__frozenseg_origins__"  # attribute of Detectron2's config: where our keys were set, by name
OF_DETECTRON2 = ("MODEL.DEVICE",)  # keys of both whose default stays Detectron2's


def add_frozenseg_config(cfg: CfgNode) -> None:
    """Add all keys to a fresh config of Detectron2, and give those that both have our defaults, but for MODEL.DEVICE.

    Keys of the released code that no longer act are added too, so that its config files load.

    Args:
        cfg: as Detectron2's ``get_cfg`` returns it.
    """
    for key in KEYS:
        if key.name not in OF_DETECTRON2 or not has_key(cfg, key.name):
            set_key(cfg, key.name, key.default)
    for section in PUBLISHED_SECTIONS:
        set_key(cfg, section, cfg.MODEL.CLIP)  # the same section under its published names
    set_key(cfg, "MODEL.MASK_ON", True)  # without it Detectron2's own mapper leaves out the masks
    idle = {name: values[0] for name, values in FIXED.items()} | dict.fromkeys(IGNORED)
    for name, value in idle.items():
        if not has_key(cfg, name):
            set_key(cfg, name, value)


def read_config(cfg: CfgNode, path: str, opts: Sequence[Any]) -> FrozenSegCfg:
    """Add our keys to a fresh config of Detectron2, and take over the values of a YAML file and of a command line.

    Args:
        cfg: as Detectron2's ``get_cfg`` returns it.
        path: the file; it may have keys of both.
        opts: ``[KEY, VALUE, …]``, of both too.

    Returns:
        Our keys alone; MODEL.DEVICE, which stays as it is in ``cfg``, is there as it was asked for.

    Raises:
        ConfigError: a file, a key or a value is wrong.
    """
    theirs = {name for name, _ in flatten(cfg, "Detectron2")} - OURS
    own, others = load_shared_config(path, opts, theirs)
    add_frozenseg_config(cfg)
    take_over(cfg, own)
    try:
        cfg.merge_from_list(others)
    except (AssertionError, KeyError, ValueError) as error:
        raise ConfigError(f"Detectron2's own keys in {path} or on the command line: {error}.") from error
    return own


def frozenseg_config(cfg: CfgNode) -> FrozenSegCfg:
    """Return a config of Detectron2 as one of ours: the keys that we know.

    Raises:
        ConfigError: a value is of the wrong kind, or :func:`add_frozenseg_config` was forgotten.
    """
    missing = [key.name for key in KEYS if not has_key(cfg, key.name)]
    if missing:
        raise ConfigError(f"The config has no {missing[0]}: call add_frozenseg_config(cfg) on Detectron2's get_cfg().")
    own = get_cfg()
    origins = cfg.__dict__.get(ORIGINS, {})
    own.merge_settings(
        {key.name: Setting(get_key(cfg, key.name), origins.get(key.name, "Detectron2's config")) for key in KEYS}
    )
    own.freeze()
    return own


def take_over(cfg: CfgNode, own: FrozenSegCfg) -> None:
    """Copy the values and origins of one of our configs into a config of Detectron2, except MODEL.DEVICE."""
    for key in KEYS:
        if key.name not in OF_DETECTRON2:
            set_key(cfg, key.name, get_key(own, key.name))
    cfg.__dict__[ORIGINS] = own.origins()


def refuse_parts(cfg: FrozenSegCfg) -> None:
    """Refuse to train in parts of a batch.

    Raises:
        ConfigError: SOLVER.IMAGES_AT_ONCE is set.
    """
    if cfg.SOLVER.IMAGES_AT_ONCE:
        raise ConfigError(
            f"SOLVER.IMAGES_AT_ONCE is {cfg.SOLVER.IMAGES_AT_ONCE}, but Detectron2's trainer takes all images of a "
            "step at once: set it to 0 and SOLVER.IMS_PER_BATCH lower, or train with our own engine."
        )


def tell_keys_without_effect(cfg: FrozenSegCfg) -> None:
    """Log a warning that names the keys which are set but have no effect under Detectron2's trainer."""
    flags = {key: f" (--{flag.replace('_', '-')})" for flag, key in KEY_OF_FLAG.items()}
    changed = [key.name for key in KEYS if key.engine_only and get_key(cfg, key.name) != key.default]
    if changed:
        names = ", ".join(f"{name}{flags.get(name, '')}" for name in changed)
        logger.warning("Keys without effect under Detectron2's trainer: %s.", names)


def has_key(cfg: CfgNode, name: str) -> bool:
    """Tell whether a config has a dotted key."""
    for part in name.split("."):
        if not isinstance(cfg, CfgNode) or part not in cfg:
            return False
        cfg = cfg[part]
    return True


def get_key(cfg: CfgNode, name: str) -> Any:
    """Return the value of a dotted key; Detectron2's tuples become lists."""
    for part in name.split("."):
        cfg = cfg[part]
    return list(cfg) if isinstance(cfg, tuple) else cfg


def set_key(cfg: CfgNode, name: str, value: Any) -> None:
    """Set a dotted key, also one that the config does not have yet."""
    *sections, key = name.split(".")
    for section in sections:
        if section not in cfg:
            cfg[section] = type(cfg)()
        cfg = cfg[section]
    cfg[key] = list(value) if isinstance(value, list) else value
