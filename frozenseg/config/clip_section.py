"""The CLIP section ``MODEL.CLIP`` and its two published names.

FrozenSeg's configs call the section ``MODEL.FROZEN_SEG``, FC-CLIP's configs ``MODEL.FC_CLIP``. Both names are accepted
in files, on the command line and as attributes, and mean ``MODEL.CLIP``. Each published name belongs to the
meta-architecture with the same letters: FROZEN_SEG to FrozenSeg, FC_CLIP to FCCLIP.
"""

from collections.abc import Mapping
from typing import Any

from frozenseg.config.values import coerce
from frozenseg.config.yaml_files import COMMAND_LINE, OPTIONS, Setting
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger

logger = get_logger(__name__)
SECTION = "MODEL.CLIP"
PUBLISHED_SECTIONS = ("MODEL.FROZEN_SEG", "MODEL.FC_CLIP")
META_ARCHITECTURE = "MODEL.META_ARCHITECTURE"


def canonical_name(name: str) -> str:
    """Return the name of a key inside ``MODEL.CLIP`` if it is spelled with a published section, else the name."""
    section, _, key = name.rpartition(".")
    return f"{SECTION}.{key}" if section in PUBLISHED_SECTIONS else name


def published_section(meta_architecture: str) -> str:
    """Return the published section that belongs to a meta-architecture; FrozenSeg's for any other model."""
    for section in PUBLISHED_SECTIONS:
        if section.rpartition(".")[2].replace("_", "").lower() == meta_architecture.lower():
            return section
    return PUBLISHED_SECTIONS[0]


def merge_spellings(
    settings: Mapping[str, Setting], meta_architecture: str, defaults: Mapping[str, Any]
) -> dict[str, Setting]:
    """Return settings in which the keys of the CLIP section are named ``MODEL.CLIP.*``, each once.

    If a key has two spellings, the later one is used. The keys of one file have no order: if a file has both spellings,
    as in configs written by earlier versions, the spelling of the model's architecture is used, and the other one must
    have an equal value or its default. A warning names the keys that are spelled with the section of another model.

    Args:
        settings: in ascending precedence.
        meta_architecture: meta-architecture of the model, used if the settings do not name one.
        defaults: values by canonical name.

    Raises:
        ConfigError: a file gives two spellings of a key different values.
    """
    if META_ARCHITECTURE in settings:
        meta_architecture = str(settings[META_ARCHITECTURE].value)
    expected = published_section(meta_architecture)
    spellings: dict[str, str] = {}  # canonical name → name of the setting that is used
    for name, setting in settings.items():
        key = canonical_name(name)
        if key not in defaults:
            key = name
        other = spellings.get(key)
        if other is not None and settings[other].origin == setting.origin not in (COMMAND_LINE, OPTIONS):
            spellings[key] = _same_origin(settings, (other, name), expected, defaults[key])
        else:
            spellings[key] = name
    _warn_of_other_models(spellings, settings, expected, meta_architecture)
    return {key: settings[name] for key, name in spellings.items()}


def without_other_spellings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the settings of a resolved config with each key once, spelled for its meta-architecture.

    Earlier versions wrote both sections into resolved configs, but a model read only the section with its name.
    """
    architecture = settings.get(META_ARCHITECTURE)
    expected = published_section("" if architecture is None else str(architecture.value))
    kept = {canonical_name(name): name for name in settings}
    kept |= {canonical_name(name): name for name in settings if name.startswith(f"{expected}.")}
    return {name: settings[name] for name in kept.values()}


def _same_origin(settings: Mapping[str, Setting], names: tuple[str, str], expected: str, default: Any) -> str:
    """Return the spelling to use if one file has two spellings of a key."""
    first, second = sorted(names, key=lambda name: not name.startswith(f"{expected}."))
    value, other = (coerce(name, settings[name], default) for name in (first, second))
    if other not in (value, default):
        raise ConfigError(
            f"{settings[first].origin}: {first} is {value!r} and {second} is {other!r}, but both name the same key "
            f"{canonical_name(first)}: remove one."
        )
    return first


def _warn_of_other_models(
    spellings: Mapping[str, str], settings: Mapping[str, Setting], expected: str, meta_architecture: str
) -> None:
    unexpected = [section for section in PUBLISHED_SECTIONS if section != expected]
    names = [name for name in spellings.values() if name.rpartition(".")[0] in unexpected]
    if names:
        origins = dict.fromkeys(settings[name].origin for name in names)
        logger.warning(
            "%s: %s used for %s, which calls this section %s.",
            ", ".join(origins),
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}",
            meta_architecture,
            expected,
        )
