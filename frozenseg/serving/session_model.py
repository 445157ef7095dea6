"""Steps of a session that run the model: features of an image, segments of a vocabulary, the mask of a prompt."""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw

from frozenseg.errors import DataError
from frozenseg.inference.auto_vocabulary import AutoVocabulary
from frozenseg.inference.editing import EditedImage
from frozenseg.inference.embedded_image import EmbeddedImage, model_input
from frozenseg.inference.mask_prompts import PromptedSegment, segment_prompt
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.requested_outputs import check_memory, result_of, with_outputs
from frozenseg.inference.result import Result
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.sam.prompted_masks import MaskPrompt
from frozenseg.serving.name_memory import NameMemory
from frozenseg.serving.sessions import ImageSession
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.vocabulary import Vocabulary

BEFORE_THE_FIRST = Vocabulary((("object",),), (True,))  # vocabulary of an image without a prediction


class StepTimes(NamedTuple):
    """Seconds of the model."""

    image: float  # of the features; 0 if they were there
    vocabulary: float


def model_has_sam(segmenter: Segmenter) -> bool:
    """Return True if the model has a SAM, for prompts and proposals."""
    return hasattr(segmenter.model, "sam")


def empty_edits(image: Image.Image) -> EditedImage:
    """Return an image without segments, before its first prediction."""
    return EditedImage(image.height, image.width, BEFORE_THE_FIRST)


def embed_session(segmenter: Segmenter, session: ImageSession) -> float:
    """Compute the features of a session unless it has them; returns the seconds."""
    if session.embedded is not None:
        return 0.0
    start = time.perf_counter()
    element = model_input(session.image, segmenter.resize, with_original=model_has_sam(segmenter))
    with torch.no_grad():
        session.embedded = EmbeddedImage(session.image, segmenter.model.embed([element]))
    return time.perf_counter() - start


def predict_session(
    segmenter: Segmenter,
    session: ImageSession,
    vocabulary: Vocabulary,
    kind: OutputKind,
    with_proposals: bool = False,
    memory: NameMemory | None = None,
) -> StepTimes:
    """Replace the segments of a session by those of a vocabulary; only the class names are computed again.

    Args:
        segmenter: the model.
        session: of an image.
        vocabulary: classes.
        kind: output whose segments are shown.
        with_proposals: SAM proposals of unseen classes compete in the output.
        memory: of names that were encoded before; None to encode all names.

    Raises:
        DataError: SAM proposals with the vocabulary ``auto``, or the outputs do not fit into memory.
    """
    image_seconds = embed_session(segmenter, session)
    start = time.perf_counter()
    settings = session_settings(segmenter, vocabulary, with_proposals)
    if memory is not None:
        memory.prepare(settings.vocabulary)
    result = classify_session(segmenter, session, settings, vocabulary, kind)
    session.edited.predict(result, kind, shown_classes(result))
    session.settings, session.prompted = settings, None
    return StepTimes(image_seconds, time.perf_counter() - start)


def session_settings(segmenter: Segmenter, vocabulary: Vocabulary, with_proposals: bool) -> InferenceSettings:
    """Return the settings of a prediction.

    Raises:
        DataError: SAM proposals with the vocabulary ``auto``, or with a model without SAM.
    """
    settings = segmenter.settings(vocabulary, sam_masks=False)
    if not with_proposals:
        return settings
    if isinstance(vocabulary, AutoVocabulary):
        raise DataError("SAM proposals do not vote for the vocabulary 'auto': type class names, or clear them.")
    if not model_has_sam(segmenter):
        raise DataError(f"The model {type(segmenter.model).__name__} has no SAM: switch its proposals off.")
    proposals = segmenter.model.ensemble_settings.proposals or ProposalEnsemble()
    return replace(
        settings,
        ensemble=settings.ensemble._replace(proposals=proposals),
        postprocessor=replace(settings.postprocessor, proposals_in_panoptic=True, proposals_in_instances=True),
    )


def classify_session(
    segmenter: Segmenter, session: ImageSession, settings: InferenceSettings, vocabulary: Vocabulary, kind: OutputKind
) -> Result:
    """Return an output of an embedded image."""
    embedded = session.embedded
    assert embedded is not None  # noqa: S101 (embed_session has run)
    if isinstance(vocabulary, AutoVocabulary):
        return segmenter.classify(embedded, vocabulary, sam_masks=False, outputs=kind)
    check_memory(segmenter.model, session.image, settings, [kind])
    settings = with_outputs(settings, [kind])
    with torch.no_grad():
        [output] = segmenter.model.classify(embedded.features, settings)
    return result_of(session.image, output, settings)


def shown_classes(result: Result) -> Vocabulary:
    """Return the classes of a result; of the thousands of ``auto`` only those that it has."""
    vocabulary = result.vocabulary
    if not isinstance(vocabulary, AutoVocabulary):
        return vocabulary
    present = set(result.present)
    rows = [row for row in zip(vocabulary.classes, vocabulary.isthing, strict=True) if row[0][0] in present]
    return Vocabulary(tuple(row[0] for row in rows), tuple(row[1] for row in rows)) if rows else BEFORE_THE_FIRST


def compared_session(
    segmenter: Segmenter, session: ImageSession, vocabulary: Vocabulary, kind: OutputKind
) -> EditedImage:
    """Return the prediction without SAM proposals, without the user's edits, to compare."""
    settings = session_settings(segmenter, vocabulary, with_proposals=False)
    result = classify_session(segmenter, session, settings, vocabulary, kind)
    other = empty_edits(session.image)
    other.predict(result, kind, shown_classes(result))
    return other


def prompt_session(segmenter: Segmenter, session: ImageSession, prompt: MaskPrompt) -> PromptedSegment:
    """Compute the mask of a prompt with its names, and keep it as the one that the user may add."""
    embed_session(segmenter, session)
    assert session.embedded is not None  # noqa: S101
    settings = session.settings or segmenter.settings(BEFORE_THE_FIRST)
    session.prompted = segment_prompt(segmenter, session.embedded, prompt, settings)
    return session.prompted


def stroke_mask(points: list[tuple[float, float]], radius: float, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a brush stroke, (H, W) bool.

    Args:
        points: x, y along the stroke, pixels of the image.
        radius: of the brush, pixels.
        size: W, H of the image.
    """
    drawn = Image.new("1", size)
    draw = ImageDraw.Draw(drawn)
    draw.line(points, fill=1, width=max(1, round(2 * radius)))
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.array(drawn, dtype=bool)
