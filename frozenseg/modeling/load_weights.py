"""Weights into a model: compared name by name, reported by part, refused with the first differences and what to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.key_diagnosis import advice

logger = get_logger(__name__)
ALLOW_PARTIAL = "MODEL.ALLOW_PARTIAL_WEIGHTS"
SHOWN = 3  # differing names in an error
# last parts of names that follow from the config, the vocabulary or the code; released files hold some of them
DERIVED = {"empty_weight", "pixel_mean", "pixel_std", "sam_mean", "sam_std", "num_batches_tracked", "attn_mask"}


class Reshaped(NamedTuple):
    """A weight of another shape than the model's."""

    name: str
    given: tuple[int, ...]
    own: tuple[int, ...]


@dataclass(frozen=True)
class LoadReport:
    """How the weights of a file and those of a model compare, by name.

    Attributes:
        loaded: fit, trained and frozen ones.
        missing: needed by the model: all that is trained, and the rest of a frozen encoder that is there in part.
        unexpected: unknown to the model.
        reshaped: of another shape.
        ignored: follow from the config or the vocabulary.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[Reshaped, ...]
    ignored: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every trained weight is there, and nothing that does not belong."""
        return not (self.missing or self.unexpected or self.reshaped)

    def differences(self) -> list[str]:
        """Return a phrase for each weight that does not fit."""
        return [
            *(f"{name} is missing" for name in self.missing),
            *(f"{name} is unknown to the model" for name in self.unexpected),
            *(f"{name} is {given}, the model's is {own}" for name, given, own in self.reshaped),
        ]

    def by_part(self) -> dict[str, Counter[str]]:
        """Return how many weights of each part, such as ``sem_seg_head.predictor``, are loaded, missing and so on."""
        parts: dict[str, Counter[str]] = {}
        for kind in ("loaded", "missing", "unexpected", "reshaped", "ignored"):
            for entry in getattr(self, kind):
                name = entry.name if isinstance(entry, Reshaped) else entry
                parts.setdefault(_part(name), Counter())[kind] += 1
        return parts

    def __str__(self) -> str:
        """Return a line for each part."""
        return "\n".join(
            f"  {part}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
            for part, counts in sorted(self.by_part().items())
        )


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return what a checkpoint of the model holds: its trainable parameters by name, on the CPU."""
    return {name: value.detach().cpu() for name, value in model.named_parameters() if value.requires_grad}


def checkpoint_content(model: nn.Module, frozen: Mapping[str, str], config: str) -> dict[str, Any]:
    """Return a checkpoint of the trained weights and what they were trained with.

    Args:
        model: not wrapped.
        frozen: hash of each frozen part.
        config: the resolved config, YAML.
    """
    vocabulary = model.training_vocabulary
    return {
        "model": trained_tensors(model),
        "frozen": dict(frozen),
        "vocabulary": [",".join(synonyms) for synonyms in vocabulary.classes],
        "isthing": list(vocabulary.isthing),
        "config": config,
    }


def load_trained(model: nn.Module, path: str | Path, *, allow_partial: bool = False) -> LoadReport:
    """Read a file of weights and put them into a model; see :func:`load_checkpoint`."""
    return load_checkpoint(model, read_checkpoint(path), path, allow_partial=allow_partial)


def load_checkpoint(
    model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path, *, allow_partial: bool = False
) -> LoadReport:
    """Put weights into a model, before it is used: all trained ones, and whole frozen encoders that are there too.

    Args:
        model: built from the same config.
        checkpoint: from :func:`read_checkpoint`.
        path: where it was read from.
        allow_partial: load what fits and warn of the rest, instead of refusing it.

    Returns:
        What was loaded and what was not.

    Raises:
        CheckpointError: another architecture, with the first differing names, or other frozen encoders; the model is
            as it was. With ``allow_partial`` only where nothing fits.
    """
    state = checkpoint["model"]
    report = compare(model, state)
    problems = [] if report.complete else [_differ(model, checkpoint, report, path)]
    problems += [f"{path} {problem}" for problem in _other_frozen(model, checkpoint, report)]
    if problems and (not allow_partial or not report.loaded):
        fits = "" if report.complete else f" To load only what fits: {ALLOW_PARTIAL} True, or --allow-partial."
        raise CheckpointError(problems[0] + fits)
    for problem in problems:
        logger.warning("Loaded in part: %s", problem)
    model.load_state_dict({name: state[name] for name in report.loaded}, strict=False)
    logger.info("Weights of %s:\n%s", path, report)
    return report


def compare(model: nn.Module, state: Mapping[str, Tensor]) -> LoadReport:
    """Compare weights with those that a model needs and those that it can take.

    Needed is what is trained, and all of a frozen encoder of which there is anything.

    Args:
        model: the model.
        state: weights by name.
    """
    own = model.state_dict()
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    frozen = [name for name in own if _part(name) in _frozen_parts(model)]
    there = {_part(name) for name in state if not _is_derived(name)}
    needed = trained + [name for name in frozen if _part(name) in there and not _is_derived(name)]
    known = {*frozen, *(name for name in own if not _is_derived(name))}
    shapes = {name: (tuple(value.shape), tuple(own[name].shape)) for name, value in state.items() if name in known}
    foreign = [name for name in state if name not in known]
    return LoadReport(
        loaded=tuple(name for name, (given, mine) in shapes.items() if given == mine),
        missing=tuple(name for name in needed if name not in state),
        unexpected=tuple(name for name in foreign if not _is_derived(name)),
        reshaped=tuple(Reshaped(name, given, mine) for name, (given, mine) in shapes.items() if given != mine),
        ignored=tuple(name for name in foreign if _is_derived(name)),
    )


def _part(name: str) -> str:
    depth = 2 if name.startswith("sem_seg_head.") else 1
    return ".".join(name.split(".")[:depth])


def _is_derived(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in DERIVED


def _frozen_parts(model: nn.Module) -> set[str]:
    return {name for name, module in model.named_children() if isinstance(module, Frozen)}


def _differ(model: nn.Module, checkpoint: Mapping[str, Any], report: LoadReport, path: str | Path) -> str:
    differences = report.differences()
    more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    given, own = (
        {name: tuple(value.shape) for name, value in state.items()}
        for state in (checkpoint["model"], model.state_dict())
    )
    to_do = advice(given, own, checkpoint.get("frozen", {})) or _whole(model, report)
    return (
        f"{path} is of another architecture than the config. {to_do or 'Give the config that it was trained with.'} "
        f"They differ: {'; '.join(differences[:SHOWN])}{more}."
    )


def _whole(model: nn.Module, report: LoadReport) -> str:
    """Name a frozen encoder that is there in part."""
    for part, counts in report.by_part().items():
        if part in _frozen_parts(model) and counts["missing"]:
            return f"Of the frozen {part!r} {counts['missing']} weights are missing: give all of them, or none."
    return ""


def _other_frozen(model: nn.Module, checkpoint: Mapping[str, Any], report: LoadReport) -> list[str]:
    """Say which frozen encoders, not in the file themselves, are others than those it was trained with."""
    trained_with = checkpoint.get("frozen")
    if trained_with is None:
        return []
    replaced = {_part(name) for name in report.loaded}
    return [
        f"was trained with another frozen {part!r} (hash {trained_with.get(part)}, here {digest}): give the config and "
        "the pretrained weights that it was trained with."
        for part, digest in model.frozen_hashes().items()
        if part not in replaced and trained_with.get(part) != digest
    ]
