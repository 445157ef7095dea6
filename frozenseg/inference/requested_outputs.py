"""Outputs that a call of the segmenter requests: their check, and the result that holds only these."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PIL import Image

from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.inference.result import KINDS, Result
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput, OutputKind

OutputsLike = str | Iterable[str]


def output_kinds_of(outputs: OutputsLike) -> tuple[OutputKind, ...]:
    """Return the requested kinds of output, each once.

    Args:
        outputs: some of ``KINDS``, or a single one.

    Raises:
        ConfigError: a kind is unknown, or there is none.
    """
    names = [outputs] if isinstance(outputs, str) else list(outputs) if isinstance(outputs, Iterable) else [outputs]
    for name in names:
        if name not in KINDS:
            raise ConfigError(
                f"Unknown output {name!r:.60}.{did_you_mean(str(name), KINDS)} Available: {', '.join(KINDS)}."
            )
    if not names:
        raise ConfigError(f"No output is requested: pass some of {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if kind in names)


def with_outputs(settings: InferenceSettings, kinds: Iterable[OutputKind]) -> InferenceSettings:
    """Return the settings of a call that computes the requested outputs only, each as if all were computed."""
    requested = set(kinds)
    postprocessor = replace(
        settings.postprocessor,
        semantic="semantic" in requested,
        panoptic="panoptic" in requested,
        instance="instance" in requested,
        instances_of_stuff=False,
    )
    return replace(settings, postprocessor=postprocessor)


def result_of(rgb: Image.Image, output: ModelOutput, settings: InferenceSettings) -> Result:
    """Return the result of an image, on the CPU; outputs that the model has not computed are None."""
    panoptic = output.get(OUTPUT_FIELDS["panoptic"])
    instances = output.get(OUTPUT_FIELDS["instance"])
    semantic = output.get(OUTPUT_FIELDS["semantic"])
    values: dict[str, Any] = {
        "panoptic": None if panoptic is None else (panoptic[0].cpu(), panoptic[1]),
        "instances": None if instances is None else instances.to("cpu"),
        "semantic": None if semantic is None else semantic.cpu(),
    }
    return Result(image=rgb, vocabulary=settings.requested, **values)
