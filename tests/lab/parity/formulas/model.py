"""The whole model after its encoders: features and encoded prompts in, predictions, read-outs and losses out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.lab.parity.formulas.pixel_decoder import Deformable, Pixels, Size, pixel_decoder
from tests.lab.parity.formulas.postprocessor import (
    Detections,
    geometric_ensemble,
    instances,
    panoptic,
    restore_size,
    semantic,
)
from tests.lab.parity.formulas.primitives import Weights, resize, under
from tests.lab.parity.formulas.text_embeddings import TextRows, class_logits
from tests.lab.parity.formulas.transformer_decoder import Decoding, Predicted, transformer_decoder

Project = Callable[[np.ndarray, np.ndarray], np.ndarray]  # dense map, mask logits → (B, Q, E)


class Features(NamedTuple):
    """What the frozen encoders say."""

    levels: list[np.ndarray]  # res2 … res5
    dense: np.ndarray  # (B, c5, H/32, W/32)
    sam_embedding: np.ndarray | None  # SAM's embedding (B, c, h, w)


class Ensemble(NamedTuple):
    """How CLIP's own scores enter (§8)."""

    seen: np.ndarray  # (C,) bool
    alpha: float
    beta: float
    on_valid_mask: bool


class Thresholds(NamedTuple):
    """How the read-outs choose (§8)."""

    isthing: tuple[bool, ...]
    score: float
    overlap: float
    detections: int


def predictions(
    features: Features, text_embeddings: TextRows, weights: Weights, setting: Deformable, how: Decoding
) -> tuple[Pixels, list[Predicted]]:
    """Run §5 and §6. SAM's map is decoded only where the feature injector asks for it."""
    head = under(weights, "sem_seg_head")
    sam_embedding = features.sam_embedding if how.feature_scale >= 0 else None
    pixels = pixel_decoder(features.levels, sam_embedding, under(head, "pixel_decoder"), setting)
    return pixels, transformer_decoder(pixels, features.sam_embedding, text_embeddings, under(head, "predictor"), how)


def final_logits(
    final: Predicted,
    features: Features,
    text_embeddings: TextRows,
    weights: Weights,
    project: Project,
    setting: Ensemble,
) -> np.ndarray:
    """Join the last prediction's logits with CLIP's own under its masks (§8); (B, Q, C + 1)."""
    scale = float(weights["backbone.clip_model.logit_scale"])
    own = class_logits(project(features.dense, final.masks), text_embeddings, scale)
    valid = None
    if setting.on_valid_mask:
        valid = (resize(final.masks, features.dense.shape[-2:]) > 0).any(axis=(-2, -1))
    return geometric_ensemble(final.logits, own, setting.seen, setting.alpha, setting.beta, valid)


class ReadOuts(NamedTuple):
    """The three outputs of one image."""

    semantic: np.ndarray  # (C, height, width)
    panoptic: tuple[np.ndarray, list[dict[str, Any]]]
    instances: Detections


def postprocess(
    logits: np.ndarray, masks: np.ndarray, sizes: tuple[Size, Size, Size], thresholds: Thresholds
) -> ReadOuts:
    """Read out one image: logits (Q, C + 1), masks (Q, H/4, W/4); sizes padded, true and wanted (§8)."""
    padded, true_size, wanted = sizes
    full = restore_size(resize(masks, padded), true_size, wanted)
    isthing, score, overlap, top = thresholds
    return ReadOuts(
        semantic(logits, full), panoptic(logits, full, isthing, score, overlap), instances(logits, full, top, isthing)
    )
