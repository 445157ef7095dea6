"""Folder of a trained model: slim weights, config, vocabulary and card, which can be moved, read and published.

The weights are safetensors with the trained tensors, config, vocabulary and hashes of the frozen encoders. A frozen
encoder is in the file only if its config value is a path of this machine, or if the weights have replaced it; the
config names the others.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from frozenseg.atomic import write_text
from frozenseg.config import CfgNode
from frozenseg.config.clip_section import SECTION
from frozenseg.config.defaults import KEY_BY_NAME, names_with_role
from frozenseg.config.yaml_files import flatten
from frozenseg.downloads.hub import HUB
from frozenseg.errors import ConfigError
from frozenseg.inference.model_source import CONFIG_FILE_NAME
from frozenseg.modeling.checkpoint_file import write_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content, frozen_parts
from frozenseg.modeling.pretrained import CLIP_WEIGHTS, RANDOM, SAM_WEIGHTS, WEIGHTS_FILE, encoder_names, random_seed
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.output_paths import require_folder
from frozenseg.vocabulary import Vocabulary

VOCABULARY_FILE, CARD_FILE = "vocabulary.json", "README.md"
# part of the model → keys of the architecture and of the weights
ENCODERS = {
    "backbone": (f"{SECTION}.CLIP_MODEL_NAME", f"{SECTION}.{CLIP_WEIGHTS}"),
    "sam": ("MODEL.SAM_NAME", SAM_WEIGHTS),
}


def write_pretrained(folder: str | Path, model: SegmentationModel, cfg: CfgNode, card: str) -> Path:
    """Write the folder of a trained model; files of the same names are replaced.

    Args:
        folder: created if it does not exist.
        model: the trained model.
        cfg: its resolved config.
        card: text of ``README.md``.

    Returns:
        The file of weights.

    Raises:
        ConfigError: the folder cannot be written, or an encoder cannot be described.
        CheckpointError: the disk is full.
    """
    folder = Path(folder).expanduser()
    require_folder(folder, "save_pretrained")
    content = pretrained_content(model, cfg)
    write_checkpoint(folder / WEIGHTS_FILE, content)
    write_text(folder / CONFIG_FILE_NAME, content["config"])
    write_text(folder / VOCABULARY_FILE, vocabulary_json(model.training_vocabulary))
    write_text(folder / CARD_FILE, card)
    return folder / WEIGHTS_FILE


def pretrained_content(model: SegmentationModel, cfg: CfgNode) -> dict[str, Any]:
    """Return the checkpoint of a model that can be loaded on another machine.

    Args:
        model: the trained model.
        cfg: its resolved config.

    Raises:
        ConfigError: the CLIP of a local file has an activation that its architecture's name does not imply.
    """
    parts = frozen_parts(model)
    unnamed = [part for part in parts if not has_public_name(cfg, part)]
    config = portable_config(cfg, unnamed, ENCODERS.keys() - parts.keys())
    content = checkpoint_content(model, model.frozen_hashes(), config.dump())
    for part in unnamed:
        _refuse_other_activation(model, cfg, part)
        content["model"] = {**_encoder_weights(model, part), **content["model"]}
    return content


def portable_config(cfg: CfgNode, unnamed: list[str], without: Collection[str] = ()) -> CfgNode:
    """Return a config without the paths of this machine.

    Keys that affect time, memory, disk space and logs only have their defaults.

    Args:
        cfg: the resolved config; it is not changed.
        unnamed: parts whose weights are in the checkpoint instead of the config.
        without: parts that the model does not have.
    """
    reset = [name for name in names_with_role("start", "cost", "output") if name in dict(flatten(cfg, ""))]
    reset += [ENCODERS[part][1] for part in without]
    values = {name: KEY_BY_NAME[name].default for name in reset} | {ENCODERS[part][1]: RANDOM for part in unnamed}
    portable: CfgNode = cfg.clone()
    portable.defrost()
    portable.merge_from_list([item for pair in sorted(values.items()) for item in pair])
    portable.freeze()
    return portable


def has_public_name(cfg: CfgNode, part: str) -> bool:
    """Return True if the config names the weights of a frozen encoder in a way that another machine understands.

    Args:
        cfg: the resolved config.
        part: ``backbone`` or ``sam``.
    """
    import open_clip  # takes seconds

    architecture, weights = (str(_value(cfg, key)) for key in ENCODERS[part])
    if random_seed(weights) is not None or weights.startswith(HUB):
        return True
    if part == "backbone" and open_clip.get_pretrained_cfg(architecture, weights):
        return True
    return weights in encoder_names(CLIP_WEIGHTS if part == "backbone" else SAM_WEIGHTS)


def vocabulary_json(vocabulary: Vocabulary) -> str:
    """Return a vocabulary as the categories of a COCO JSON, with synonyms after commas."""
    entries = zip(vocabulary.classes, vocabulary.isthing, strict=True)
    categories = [
        {"id": index, "name": ",".join(names), "isthing": int(thing)} for index, (names, thing) in enumerate(entries)
    ]
    lines = ",\n".join("  " + json.dumps(category, ensure_ascii=False) for category in categories)
    return f'{{"categories": [\n{lines}\n]}}'


def _encoder_weights(model: SegmentationModel, part: str) -> Mapping[str, Tensor]:
    encoder = frozen_parts(model)[part]
    return {f"{part}.{name}": value.detach().cpu() for name, value in encoder.loaded_weights().items()}


def _refuse_other_activation(model: SegmentationModel, cfg: CfgNode, part: str) -> None:
    """Raise ConfigError if a CLIP has QuickGELU, but not the architecture of its name: it could not be built again."""
    import open_clip  # takes seconds
    from open_clip.transformer import QuickGELU

    has_quick = any(isinstance(module, QuickGELU) for module in frozen_parts(model)[part].modules())
    name = str(_value(cfg, ENCODERS[part][0]))
    described = open_clip.get_model_config(name) if part == "backbone" else None
    if has_quick and described is not None and not described.get("quick_gelu"):
        raise ConfigError(
            f"The CLIP weights {_value(cfg, ENCODERS[part][1])!r} were trained with QuickGELU, which CLIP_MODEL_NAME "
            f"{name!r} does not imply: set it to {name + '-quickgelu'!r}, and save again."
        )


def _value(cfg: CfgNode, key: str) -> Any:
    node: Any = cfg
    for name in key.split("."):
        node = node[name]
    return node
