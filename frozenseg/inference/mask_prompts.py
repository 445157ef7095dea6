"""Segments of prompts: SAM's mask at points, in a box or under a stroke, with the name that CLIP gives it.

Both read the features of an embedded image, so that neither encoder runs again.

Letters: C classes, H×W the image, E the width of CLIP's joint space.
"""

from typing import NamedTuple

import numpy as np
import torch

from frozenseg.errors import ConfigError
from frozenseg.inference.embedded_image import EmbeddedImage
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.prompted_masks import EmbeddedPlacement, MaskPrompt, prompted_mask
from frozenseg.structures.image_list import ImageSize

STRIDE = 4  # of the masks that CLIP pools
MAX_RANKED_NAMES = 5


class RankedName(NamedTuple):
    """A class with its probability for a mask."""

    name: str
    score: float  # 0-1
    isthing: bool


class PromptedSegment(NamedTuple):
    """Segment of a prompt.

    Attributes:
        mask: (H, W) bool.
        names: the likeliest classes, the best first.
        quality: IoU with the object as SAM predicts it.
        agreement: with the prompt, 0-1.
    """

    mask: np.ndarray
    names: tuple[RankedName, ...]
    quality: float
    agreement: float


def sam_of(segmenter: Segmenter) -> FrozenSAM:
    """Return the frozen SAM of a segmenter.

    Raises:
        ConfigError: the model has none.
    """
    sam = getattr(segmenter.model, "sam", None)
    if not isinstance(sam, FrozenSAM):
        raise ConfigError(
            f"The model is {type(segmenter.model).__name__}, which has no SAM that answers clicks: serve a FrozenSeg "
            "model, such as --weights toyworld."
        )
    return sam


def segment_prompt(
    segmenter: Segmenter, embedded: EmbeddedImage, prompt: MaskPrompt, settings: InferenceSettings
) -> PromptedSegment:
    """Return the segment of a prompt.

    Args:
        segmenter: that has embedded the image.
        embedded: the image.
        prompt: points, box or stroke in pixels of the image.
        settings: with the vocabulary, from :meth:`Segmenter.settings`.

    Raises:
        ConfigError: the model has no SAM.
        DataError: SAM has no mask for the prompt.
    """
    sam, embedding = sam_of(segmenter), embedded.features.sam_embedding
    assert embedding is not None  # noqa: S101 (a model with a SAM has embedded the image)
    placement = embedded_placement(embedded, sam.image_size)
    answer = prompted_mask(sam, embedding, prompt, placement)
    mask = (placement.at_image_size(answer.logits[None])[0] > 0).cpu().numpy()
    names = rank_names(segmenter, embedded, mask, settings)
    return PromptedSegment(mask, names, answer.quality, answer.agreement)


@torch.no_grad()
def rank_names(
    segmenter: Segmenter, embedded: EmbeddedImage, mask: np.ndarray, settings: InferenceSettings
) -> tuple[RankedName, ...]:
    """Return the likeliest classes of a mask by CLIP's features under it, the best first.

    Negatives have their share of the probability, and are not in the ranking.

    Args:
        segmenter: that has embedded the image.
        embedded: the image.
        mask: (H, W) bool.
        settings: with the vocabulary.
    """
    model, features = segmenter.model, embedded.features
    height, width = (extent // STRIDE for extent in features.images.padded_size)
    shares = embedded_placement(embedded, 1).at_low_resolution(mask, (height, width))  # (height, width)
    logits = (shares - min(0.5, float(shares.max()) / 2)).to(features.dense)
    embedding = model.backbone.project(features.dense, logits[None, None])  # (1, 1, E)
    text = model.text_embeddings(settings)
    scores = class_logits(embedding, text, model.backbone.logit_scale)[0, 0, :-1].softmax(dim=-1)  # (C,)
    requested = settings.requested
    order = scores[: len(requested)].argsort(descending=True)[:MAX_RANKED_NAMES].tolist()
    return tuple(RankedName(requested.names[i], float(scores[i]), requested.isthing[i]) for i in order)


def embedded_placement(embedded: EmbeddedImage, side: int) -> EmbeddedPlacement:
    """Return the position of an embedded image in the input of its SAM.

    Args:
        embedded: the image.
        side: of SAM's input, pixels.
    """
    image, images = embedded.image, embedded.features.images
    return EmbeddedPlacement(ImageSize(image.height, image.width), images.sizes[0], images.padded_size, side)
