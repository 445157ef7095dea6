"""Outputs that a call of the segmenter requests: their check, and the result that holds only these."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PIL import Image

from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.inference.result import KINDS, Result
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.postprocess.output_memory import check_output_memory
from frozenseg.structures.image_list import ImageSize
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


def check_memory(
    model: MaskClassifier, image: Image.Image, settings: InferenceSettings, kinds: Iterable[OutputKind]
) -> None:
    """Check that the outputs of an image fit into memory, before it is segmented.

    Args:
        model: that will segment it.
        image: upright RGB image.
        settings: of the call.
        kinds: outputs to compute.

    Raises:
        DataError: they do not fit; the message has the estimate and the settings that reduce it.
    """
    queries = model.sem_seg_head.predictor.query_feat.num_embeddings
    postprocessor, size = with_outputs(settings, kinds).postprocessor, ImageSize(image.height, image.width)
    check_output_memory(postprocessor, queries, len(settings.vocabulary), size, model.device)


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
