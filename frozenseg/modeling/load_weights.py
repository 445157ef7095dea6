"""Loading of trained weights: compares names and shapes, reports by part, and raises with the first differences."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.key_diagnosis import advice
from frozenseg.modeling.pretrained import ARCHITECTURE_KEYS, CLIP_WEIGHTS, SAM_WEIGHTS
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.modeling.weight_checks import refuse_non_finite

logger = get_logger(__name__)
ALLOW_PARTIAL = "MODEL.ALLOW_PARTIAL_WEIGHTS"
SHOWN = 3  # differences in an error
# last parts of the names of tensors that follow from config, vocabulary or code; released files hold some of them
DERIVED = {
    *("empty_weight", "pixel_mean", "pixel_std", "sam_mean", "sam_std", "num_batches_tracked", "attn_mask"),
    "n_averaged",  # of torch.optim.swa_utils.AveragedModel
}
# beginnings of the names of weights that a model does not need, and the reason
LEFT_OUT = {
    "frozen_backbone.": "a copy of the original CLIP that only OVRCOAT's training uses",
}
# frozen encoders: the config keys of their architecture and weights
_ENCODER_KEYS = {
    part: f"{ARCHITECTURE_KEYS[key]} and {key}" for part, key in {"backbone": CLIP_WEIGHTS, "sam": SAM_WEIGHTS}.items()
}


class Reshaped(NamedTuple):
    """A weight of different shapes in the file and in the model."""

    name: str
    in_file: tuple[int, ...]
    in_model: tuple[int, ...]


@dataclass(frozen=True)
class LoadReport:
    """Comparison of the weights of a file with those of a model, by name.

    Attributes:
        loaded: trained and frozen weights that fit.
        missing: weights that the model needs: all trained ones, and the rest of a frozen encoder that the file holds
            in part.
        unexpected: weights that the model does not have.
        reshaped: weights of another shape.
        ignored: tensors that follow from the config or the vocabulary.
        left_out: weights that the model does not need, see ``LEFT_OUT``.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[Reshaped, ...]
    ignored: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True if the file holds every trained weight and nothing that the model does not have."""
        return not (self.missing or self.unexpected or self.reshaped)

    def differences(self) -> list[str]:
        """Return a phrase for each weight that does not fit."""
        return [
            *(f"{name} is missing" for name in self.missing),
            *(f"{name} is unknown to the model" for name in self.unexpected),
            *(f"{name} is {in_file}, the model's is {in_model}" for name, in_file, in_model in self.reshaped),
        ]

    def by_part(self) -> dict[str, Counter[str]]:
        """Return the numbers of loaded, missing, … weights of each part, such as ``sem_seg_head.predictor``."""
        parts: dict[str, Counter[str]] = {}
        for kind in ("loaded", "missing", "unexpected", "reshaped", "ignored", "left_out"):
            for entry in getattr(self, kind):
                name = entry.name if isinstance(entry, Reshaped) else entry
                parts.setdefault(_part(name), Counter())[kind.replace("_", " ")] += 1
        return parts

    def __str__(self) -> str:
        """Return a line for each part."""
        return "\n".join(
            f"  {part}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
            for part, counts in sorted(self.by_part().items())
        )


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the content of a checkpoint: the trainable parameters by name, on the CPU."""
    return {name: value.detach().cpu() for name, value in model.named_parameters() if value.requires_grad}


def checkpoint_content(model: SegmentationModel, frozen: Mapping[str, str], config: str) -> dict[str, Any]:
    """Return a checkpoint: the trained weights, the training vocabulary, the config and the hashes of the frozen parts.

    A frozen encoder whose weights came from a file of trained weights, such as OVRCOAT's fine-tuned CLIP, is in the
    checkpoint with all its weights: the config does not lead to them.

    Args:
        model: not wrapped for data-parallel training.
        frozen: hash of each frozen part.
        config: the resolved config, YAML.
    """
    vocabulary = model.training_vocabulary
    return {
        "model": {**_replaced_tensors(model), **trained_tensors(model)},
        "frozen": dict(frozen),
        "vocabulary": [",".join(synonyms) for synonyms in vocabulary.classes],
        "isthing": list(vocabulary.isthing),
        "config": config,
    }


def load_trained(model: SegmentationModel, path: str | Path, *, allow_partial: bool = False) -> LoadReport:
    """Read a file of weights and load them into a model; see :func:`load_checkpoint`."""
    return load_checkpoint(model, read_checkpoint(path), path, allow_partial=allow_partial)


def load_checkpoint(
    model: SegmentationModel,
    checkpoint: Mapping[str, Any],
    path: str | Path,
    *,
    allow_partial: bool = False,
    how_to_allow: str = f"set {ALLOW_PARTIAL} to True",
) -> LoadReport:
    """Load weights into a model before its first use: all trained ones, and any frozen encoders of the file.

    Args:
        model: built from the same config.
        checkpoint: from :func:`read_checkpoint`.
        path: of the checkpoint, for messages.
        allow_partial: load the weights that fit and log a warning about the others.
        how_to_allow: advice on how to do that, for messages.

    Returns:
        The comparison by name.

    Raises:
        CheckpointError: another architecture, with the first differences, or other frozen encoders; the model is not
            changed. With ``allow_partial`` only if nothing fits. Weights of another kind of number, or not finite,
            except in the dump of a training step.
    """
    state = checkpoint["model"]
    report = compare(model, state)
    problems = [] if report.complete else [_mismatch(model, checkpoint, report, path)]
    problems += [f"{path} {problem}" for problem in _other_frozen(model, checkpoint, report)]
    if problems and (not allow_partial or not report.loaded):
        hint = "" if report.complete else f" To load the weights that fit, {how_to_allow}."
        raise CheckpointError(problems[0] + hint)
    for problem in problems:
        logger.warning("Loaded partially: %s", problem)
    weights, expected = {name: state[name] for name in report.loaded}, model.state_dict()
    _refuse_other_numbers(weights, expected, path)
    if "bad_step" not in checkpoint:  # a dump is there to find the weights that are not finite
        refuse_non_finite(weights, str(path), expected)
    replaced = _replaced_parts(model, weights)
    model.load_state_dict(weights, strict=False)
    for part in replaced:
        frozen_parts(model)[part].replaced = True
    if replaced:
        model.forget_frozen_outputs()
    _log_report(path, report, replaced)
    return report


def compare(model: nn.Module, state: Mapping[str, Tensor]) -> LoadReport:
    """Compare weights with those that a model needs and those that it accepts.

    A model needs all trained weights, and all weights of a frozen encoder if there are any.

    Args:
        model: the model.
        state: weights by name.
    """
    expected = model.state_dict()
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    frozen = [name for name in expected if _part(name) in frozen_parts(model)]
    parts = {_part(name) for name in state if not _is_derived(name)}
    needed = trained + [name for name in frozen if _part(name) in parts and not _is_derived(name)]
    known = {*frozen, *(name for name in expected if not _is_derived(name))}
    shapes = {name: (tuple(value.shape), tuple(expected[name].shape)) for name, value in state.items() if name in known}
    left_out = [name for name in state if name not in known and name.startswith(tuple(LEFT_OUT))]
    foreign = [name for name in state if name not in known and not name.startswith(tuple(LEFT_OUT))]
    return LoadReport(
        loaded=tuple(name for name, (in_file, in_model) in shapes.items() if in_file == in_model),
        missing=tuple(name for name in needed if name not in state),
        unexpected=tuple(name for name in foreign if not _is_derived(name)),
        reshaped=tuple(Reshaped(name, *pair) for name, pair in shapes.items() if pair[0] != pair[1]),
        ignored=tuple(name for name in foreign if _is_derived(name)),
        left_out=tuple(left_out),
    )


def _part(name: str) -> str:
    depth = 2 if name.startswith("sem_seg_head.") else 1
    return ".".join(name.split(".")[:depth])


def _is_derived(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in DERIVED


def frozen_parts(model: nn.Module) -> dict[str, Frozen]:
    """Return the frozen encoders of a model by the names of their parts."""
    return {name: module for name, module in model.named_children() if isinstance(module, Frozen)}


def _replaced_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of the frozen encoders that a file of trained weights has replaced, on the CPU."""
    return {
        f"{part}.{name}": value.detach().cpu()
        for part, encoder in frozen_parts(model).items()
        if encoder.replaced
        for name, value in encoder.loaded_weights().items()
    }


def _replaced_parts(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the frozen encoders whose values differ from those of a file, before these are loaded."""
    replaced = []
    for part, encoder in frozen_parts(model).items():
        pairs = ((value, weights.get(f"{part}.{name}")) for name, value in encoder.state_dict().items())
        if any(new is not None and not torch.equal(value.cpu(), new.to("cpu", value.dtype)) for value, new in pairs):
            replaced.append(part)
    return replaced


def _log_report(path: str | Path, report: LoadReport, replaced: list[str]) -> None:
    logger.info("Weights of %s:\n%s", path, report)
    for prefix, reason in LEFT_OUT.items():
        if count := sum(name.startswith(prefix) for name in report.left_out):
            logger.info("%s: %d weights of %r are left out: %s.", path, count, prefix.rstrip("."), reason)
    for part in replaced:
        logger.info("%s: the frozen %r in the file differs from that of the config and replaces it.", path, part)


def _mismatch(model: nn.Module, checkpoint: Mapping[str, Any], report: LoadReport, path: str | Path) -> str:
    differences = report.differences()
    others = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    in_file, in_model = (
        {name: tuple(value.shape) for name, value in state.items()}
        for state in (checkpoint["model"], model.state_dict())
    )
    hint = advice(in_file, in_model, checkpoint.get("frozen", {})) or _incomplete_encoder(model, report)
    return (
        f"{path} is of another architecture than the config. {hint or 'Use the config that it was trained with.'} "
        f"Differences: {'; '.join(differences[:SHOWN])}{others}."
    )


def _refuse_other_numbers(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: str | Path) -> None:
    """Raise CheckpointError if a weight is not floating-point where the model's is, such as after quantisation."""
    for name, weight in weights.items():
        if expected[name].is_floating_point() and not weight.is_floating_point():
            raise CheckpointError(
                f"{path} holds {name!r} as {weight.dtype}, the model's is {expected[name].dtype}: save the weights "
                "as floating-point numbers, before quantisation."
            )


def _incomplete_encoder(model: nn.Module, report: LoadReport) -> str:
    """Return a sentence about a frozen encoder that the file holds in part."""
    for part, counts in report.by_part().items():
        if part in frozen_parts(model) and counts["missing"]:
            return f"{counts['missing']} weights of the frozen {part!r} are missing: save all of them, or none."
    return ""


def _other_frozen(model: SegmentationModel, checkpoint: Mapping[str, Any], report: LoadReport) -> list[str]:
    """Return a phrase for each frozen encoder that the file does not hold and was not trained with."""
    trained_with = checkpoint.get("frozen")
    if trained_with is None:
        return []
    replaced = {_part(name) for name in report.loaded}
    return [
        f"was trained with another frozen {part!r} (hash {trained_with.get(part)}, here {digest}), which it does not "
        f"contain: set {_ENCODER_KEYS.get(part, 'the config')} to those that it was trained with."
        for part, digest in model.frozen_hashes().items()
        if part not in replaced and trained_with.get(part) != digest
    ]
