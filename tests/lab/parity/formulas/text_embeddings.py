"""§4: the text classifier and its logits; §3: what CLIP says about a mask."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tests.lab.parity.formulas.primitives import Weights, linear, normalise, resize, scaled_dot_product, sequence, under


class TextRows(NamedTuple):
    """One row a synonym, void last."""

    rows: np.ndarray  # (N + 1, E)
    synonyms: tuple[int, ...]  # rows of each class; the last is 1, for void


def text_classifier(encoded: np.ndarray, void: np.ndarray, synonyms: Sequence[int]) -> TextRows:
    """Average encoded prompts (N, templates, E) into a row a synonym and append the void embedding (1, E) (§4)."""
    rows = normalise(normalise(encoded).mean(axis=1))
    return TextRows(np.concatenate([rows, normalise(void)]), (*synonyms, 1))


def seen(test: Sequence[Sequence[str]], training: Sequence[Sequence[str]]) -> list[bool]:
    """Tell of each test class whether one of its synonyms is, to the letter, a synonym of a training class (§4)."""
    known = {synonym for synonyms in training for synonym in synonyms}
    return [any(synonym in known for synonym in synonyms) for synonyms in test]


def class_logits(x: np.ndarray, text_embeddings: TextRows, logit_scale: float) -> np.ndarray:
    """Score vectors (…, E) against every class: scaled cosine, best synonym, void last; (…, C + 1) (§4)."""
    cosine = min(np.exp(logit_scale), 100.0) * normalise(x) @ text_embeddings.rows.T
    columns, start = [], 0
    for count in text_embeddings.synonyms:
        columns.append(cosine[..., start : start + count].max(axis=-1))
        start += count
    return np.stack(columns, axis=-1)


def mask_pooling(features: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Average (B, d, h, w) where the mask logits (B, Q, H, W), resized, are positive; (B, Q, d) (§6, §8)."""
    inside = (resize(masks, features.shape[-2:]) > 0).astype(float)
    return np.einsum("bdhw,bqhw->bqd", features, inside) / (inside.sum(axis=(-2, -1))[..., None] + 1e-8)


def project_pooled(dense: np.ndarray, masks: np.ndarray, head: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Average the dense map under each mask and let CLIP's own head (n, c) → (n, E) embed it (ConvNeXt, §3)."""
    pooled = mask_pooling(dense, masks)
    return head(pooled.reshape(-1, pooled.shape[-1])).reshape(*pooled.shape[:2], -1)


def project_by_attention(dense: np.ndarray, masks: np.ndarray, weights: Weights, heads: int) -> np.ndarray:
    """Run CLIP's attention pool once a mask, on the pixels inside it (ResNet, §3); (B, Q, E).

    Query: the mean of the whole map + positional embedding 0. Keys and values: the map + the spatial positional
    embedding, resized. A mask without a pixel gives the output projection's bias.
    """
    position = weights["positional_embedding"]
    side = round((len(position) - 1) ** 0.5)
    spatial = resize(position[1:].T.reshape(-1, side, side), dense.shape[-2:])
    pixels = sequence(dense + spatial)
    mean = dense.mean(axis=(-2, -1)) + position[0]
    queries = np.repeat(mean[:, None], masks.shape[1], axis=1)
    inside = resize(masks, dense.shape[-2:]).reshape(*masks.shape[:2], -1) > 0
    attended = scaled_dot_product(
        linear(queries, under(weights, "q_proj")),
        linear(pixels, under(weights, "k_proj")),
        linear(pixels, under(weights, "v_proj")),
        heads,
        ~inside,
    )
    return linear(attended, under(weights, "c_proj"))
