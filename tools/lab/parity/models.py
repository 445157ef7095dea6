"""The model of a golden: built from the reference's config values, filled by the rule."""

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
    """Builds the model of each case, and keeps it while cases want the same one."""

    def __init__(self) -> None:
        self._model: MaskClassifier | None = None
        self._architecture = ""
        self.filled = 0  # tensors

    def model_of(self, about: Mapping[str, Any]) -> MaskClassifier:
        """Return the filled model of a case, in eval mode, with its vocabularies, thresholds and read-outs.

        Args:
            about: the case's JSON.
        """
        cfg = config_of(about)
        training = Vocabulary.from_strings(about["train_classes"], [bool(flag) for flag in about["train_thing"]])
        architecture = _architecture(cfg)
        if self._model is None or self._architecture != architecture:
            self._model = None  # gone before the next one comes
            self._model = build_model(cfg, training)
            self._architecture = architecture
            self.filled = fill(self._model)
        _adapt(self._model, cfg, training)
        self._model.set_vocabulary(
            Vocabulary.from_strings(about["test_classes"], [bool(flag) for flag in about["test_thing"]])
        )
        return self._model.eval()


def config_of(about: Mapping[str, Any]) -> CfgNode:
    """Return our config of a case; SAM's branch is read as released unless the case says otherwise.

    Args:
        about: the case's JSON.
    """
    meta_architecture, section = ARCHITECTURES[about["project"]]
    given = about["config"]
    options = {"MODEL.META_ARCHITECTURE": meta_architecture, "MODEL.SAM_WEIGHTS": "random"}
    options |= {"MODEL.PIXEL_MEAN": given["PIXEL_MEAN"], "MODEL.PIXEL_STD": given["PIXEL_STD"]}
    if given.get("SAM_NAME"):
        options |= {"MODEL.SAM_NAME": given["SAM_NAME"], LEVELS: RELEASED_LEVELS}
    for name, prefix in (
        ("CLIP", f"MODEL.{section}"),
        ("MASK_FORMER", "MODEL.MASK_FORMER"),
        ("SEM_SEG_HEAD", "MODEL.SEM_SEG_HEAD"),
        ("TEST", "TEST"),
    ):
        options |= {key: value for key, value in _flat(given[name], prefix) if not is_legacy(key)}
    if options.get(LEVELS) == RELEASED_LEVELS:
        options.setdefault(ACROSS, True)
    clip = given["CLIP"]
    if clip["CLIP_PRETRAINED_WEIGHTS"] == "openai" and not clip["CLIP_MODEL_NAME"].endswith("-quickgelu"):
        options[f"MODEL.{section}.CLIP_MODEL_NAME"] += "-quickgelu"  # what these weights were trained with
    options[f"MODEL.{section}.CLIP_PRETRAINED_WEIGHTS"] = "random"
    options["TEST.USE_SAM_MASKS"] = False  # the golden's are made up; SAM asked for its own would be recorded instead
    cfg = get_cfg()
    cfg.merge_from_list([part for option in options.items() for part in option])
    return cfg


def _architecture(cfg: CfgNode) -> str:
    """Return all values that a built model depends on."""
    model = cfg.MODEL.clone()
    del model.MASK_FORMER["TEST"]  # read-outs are adapted
    return str(model)


def _adapt(model: MaskClassifier, cfg: CfgNode, training: Vocabulary) -> None:
    """Give a built model all that does not touch its weights."""
    model.criterion = SetCriterion.from_config(cfg, len(training))
    model.set_inference_settings(Postprocessor.from_config(cfg), model.ensemble_settings)
    model.training_vocabulary = training


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value
