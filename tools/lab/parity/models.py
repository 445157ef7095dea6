"""Models of the goldens: built from the reference's config values, with deterministic weights."""

from collections.abc import Iterator, Mapping
from typing import Any

from frozenseg.config import CfgNode, get_cfg
from frozenseg.config.legacy import is_legacy
from frozenseg.modeling.build import build_model
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.vocabulary import Vocabulary
from lab.parity.fill import fill

ARCHITECTURES = {"frozenseg": ("FrozenSeg", "FROZEN_SEG"), "fcclip": ("FCCLIP", "FC_CLIP")}
LEVELS, ACROSS = "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES"
RELEASED_LEVELS = 3


class Models:
    """Builds the model of each case, and reuses it for following cases with the same architecture."""

    def __init__(self) -> None:
        self._model: MaskClassifier | None = None
        self._architecture = ""
        self.filled = 0  # number of tensors with deterministic weights

    def model_of(self, metadata: Mapping[str, Any]) -> MaskClassifier:
        """Return the model of a case in eval mode, with its weights, vocabularies, thresholds and post-processing.

        Args:
            metadata: of the golden.
        """
        cfg = config_of(metadata)
        training = Vocabulary.from_strings(metadata["train_classes"], [bool(flag) for flag in metadata["train_thing"]])
        architecture = _architecture(cfg)
        if self._model is None or self._architecture != architecture:
            self._model = None  # freed before the next one is built
            self._model = build_model(cfg, training)
            self._architecture = architecture
            self.filled = fill(self._model)
        _adapt(self._model, cfg, training)
        self._model.set_vocabulary(
            Vocabulary.from_strings(metadata["test_classes"], [bool(flag) for flag in metadata["test_thing"]])
        )
        return self._model.eval()


def config_of(metadata: Mapping[str, Any]) -> CfgNode:
    """Return our config of a case; the SAM branch is the released one unless the case sets its levels.

    Args:
        metadata: of the golden.
    """
    meta_architecture, section = ARCHITECTURES[metadata["project"]]
    values = metadata["config"]
    options: dict[str, object] = {"MODEL.META_ARCHITECTURE": meta_architecture, "MODEL.SAM_WEIGHTS": "random"}
    options |= {"MODEL.PIXEL_MEAN": values["PIXEL_MEAN"], "MODEL.PIXEL_STD": values["PIXEL_STD"]}
    if values.get("SAM_NAME"):
        options |= {"MODEL.SAM_NAME": values["SAM_NAME"], LEVELS: RELEASED_LEVELS}
    for name, prefix in (
        ("CLIP", f"MODEL.{section}"),
        ("MASK_FORMER", "MODEL.MASK_FORMER"),
        ("SEM_SEG_HEAD", "MODEL.SEM_SEG_HEAD"),
        ("TEST", "TEST"),
    ):
        options |= {key: value for key, value in _flat(values[name], prefix) if not is_legacy(key)}
    if options.get(LEVELS) == RELEASED_LEVELS:
        options.setdefault(ACROSS, True)
    clip = values["CLIP"]
    if clip["CLIP_PRETRAINED_WEIGHTS"] == "openai" and not clip["CLIP_MODEL_NAME"].endswith("-quickgelu"):
        # OpenAI's weights were trained with QuickGELU
        options[f"MODEL.{section}.CLIP_MODEL_NAME"] = f"{clip['CLIP_MODEL_NAME']}-quickgelu"
    options[f"MODEL.{section}.CLIP_PRETRAINED_WEIGHTS"] = "random"
    options["TEST.USE_SAM_MASKS"] = False  # the golden has synthetic masks; the recorder would record SAM's instead
    cfg = get_cfg()
    cfg.merge_from_list([part for option in options.items() for part in option])
    return cfg


def _architecture(cfg: CfgNode) -> str:
    """Return all config values that change the built model, as one string."""
    model = cfg.MODEL.clone()
    del model.MASK_FORMER["TEST"]  # post-processing is set by _adapt
    return str(model)


def _adapt(model: MaskClassifier, cfg: CfgNode, training: Vocabulary) -> None:
    """Set everything of a built model that does not change its weights."""
    model.criterion = SetCriterion.from_config(cfg, len(training))
    model.set_inference_settings(Postprocessor.from_config(cfg), model.ensemble_settings)
    model.training_vocabulary = training


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value
