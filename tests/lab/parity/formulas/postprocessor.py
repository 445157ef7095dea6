"""§2 and §8: from images to the input, and from the final prediction to the three read-outs and both ensembles."""

from typing import Any, NamedTuple

import numpy as np

from tests.lab.parity.formulas.pixel_decoder import Size
from tests.lab.parity.formulas.primitives import resize, sigmoid, softmax


def batch_of(images: list[np.ndarray], mean: list[float], std: list[float], divisor: int) -> np.ndarray:
    """Normalise uint8 (3, h, w) images, pad right and bottom with zeros to one size, a multiple of ``divisor`` (§2)."""
    height, width = (-(-max(image.shape[axis] for image in images) // divisor) * divisor for axis in (1, 2))
    batch = np.zeros((len(images), 3, height, width))
    for one, image in zip(batch, images, strict=True):
        one[:, : image.shape[1], : image.shape[2]] = (image - np.array(mean)[:, None, None]) / np.array(std)[
            :, None, None
        ]
    return batch


def geometric_ensemble(
    inside: np.ndarray,
    outside: np.ndarray,
    seen: np.ndarray,
    alpha: float,
    beta: float,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Mix the decoder's logits (…, C + 1) with CLIP's own (…, C + 1); final logits (…, C + 1).

    ``seen`` (C,) classes take α of CLIP, others β; queries that are not ``valid`` (…) take none.
    """
    p_in, p_out = softmax(inside[..., :-1]), softmax(outside[..., :-1])
    exponent = np.where(seen, alpha, beta) * np.ones_like(p_in)
    if valid is not None:
        exponent = exponent * valid[..., None]
    mixed = softmax(np.log(p_in ** (1 - exponent) * p_out**exponent))
    p_void = softmax(inside)[..., -1:]
    return np.log(np.concatenate([mixed * (1 - p_void), p_void], axis=-1) + 1e-8)


def restore_size(maps: np.ndarray, true_size: Size, wanted: Size) -> np.ndarray:
    """Cut the padding off (…, H, W) and resize bilinearly to the wanted size."""
    return resize(maps[..., : true_size[0], : true_size[1]], wanted)


def semantic(logits: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Sum class probability · mask probability over the queries; void dropped; (C, H, W)."""
    return np.einsum("qc,qhw->chw", softmax(logits)[:, :-1], sigmoid(masks))


def panoptic(
    logits: np.ndarray, masks: np.ndarray, isthing: tuple[bool, ...], score_threshold: float, overlap_threshold: float
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Give each pixel to the query with the largest score · mask probability; int map (H, W) and its segments."""
    scores, labels, inside = softmax(logits).max(axis=-1), logits.argmax(axis=-1), sigmoid(masks)
    kept = [q for q in range(len(logits)) if labels[q] < len(isthing) and scores[q] > score_threshold]
    ids = np.zeros(masks.shape[-2:], dtype=np.int32)
    segments: list[dict[str, Any]] = []
    stuff: dict[int, int] = {}
    if not kept:
        return ids, segments
    evidence = np.array([scores[q] * inside[q] for q in kept])
    owner = np.array(kept)[np.argmax(evidence, axis=0)]
    for q in kept:
        won, whole = owner == q, inside[q] >= 0.5
        segment = won & whole
        if not segment.any() or won.sum() / whole.sum() < overlap_threshold:
            continue
        label = int(labels[q])
        if not isthing[label] and label in stuff:
            ids[segment] = stuff[label]
            continue
        segments.append({"id": len(segments) + 1, "isthing": isthing[label], "category_id": label, "label_id": label})
        ids[segment] = len(segments)
        stuff.setdefault(label, len(segments))
    for each in segments:
        each["score"] = evidence.max(axis=0)[ids == each["id"]].mean()
    return ids, segments


class Detections(NamedTuple):
    """Instances, best class score first."""

    classes: np.ndarray  # (n,)
    scores: np.ndarray  # (n,)
    masks: np.ndarray  # (n, H, W) bool


def instances(logits: np.ndarray, masks: np.ndarray, top: int, isthing: tuple[bool, ...] | None) -> Detections:
    """Take the ``top`` best of the Q · C scores, of them the things only (where told), and weigh them by their masks.

    A score is multiplied with the mean mask probability inside the mask, 0 for a mask without a pixel.
    """
    probabilities = softmax(logits)[:, :-1]
    order = np.argsort(-probabilities, axis=None, kind="stable")[:top]
    queries, classes = np.unravel_index(order, probabilities.shape)
    if isthing is not None:
        things = np.array(isthing)[classes]
        queries, classes = queries[things], classes[things]
    found = masks[queries] > 0
    inside = (sigmoid(masks[queries]) * found).sum(axis=(1, 2)) / np.maximum(found.sum(axis=(1, 2)), 1)
    return Detections(classes, probabilities[queries, classes] * inside, found)


def with_mask_proposals(
    scores: np.ndarray, proposal_logits: np.ndarray, proposal_masks: np.ndarray, seen: np.ndarray, share: float
) -> np.ndarray:
    """Mix semantic scores (C, H, W) of unseen classes with SAM's masks ("Mask-proposal ensemble").

    Without any SAM mask the scores stay; with masks of which none is sure, unseen scores still shrink by 1 - a, as the
    reference has it.

    Args:
        scores: the queries' semantic scores.
        proposal_logits: (M, C + 1), CLIP's logits of each SAM mask, void last: softmax over all, then void is dropped.
        proposal_masks: (M, H, W), the mask decoder's logits at image size.
        seen: (C,) bool.
        share: a, SAM_MASK_PRED_ALPHA.
    """
    if len(proposal_masks) == 0:
        return scores
    p = softmax(proposal_logits)[:, :-1]
    kept = p[:, ~seen].max(axis=-1, initial=0.0) > 0.5
    votes = np.einsum("mc,mhw->chw", p[kept], sigmoid(proposal_masks[kept]))
    return np.where(seen[:, None, None], scores, (1 - share) * scores + share * votes)
