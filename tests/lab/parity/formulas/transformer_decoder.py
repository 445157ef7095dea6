"""§6: predictions, masked attention, the two injectors, and the loop over layers."""

from typing import NamedTuple

import numpy as np

from tests.lab.parity.formulas.pixel_decoder import Pixels, Size
from tests.lab.parity.formulas.primitives import (
    Weights,
    conv2d,
    layer_norm,
    linear,
    multi_head_attention,
    perceptron,
    relu,
    resize,
    sequence,
    sigmoid,
    sine_position,
    under,
    unsequence,
)
from tests.lab.parity.formulas.text_embeddings import TextRows, class_logits, mask_pooling


class Decoding(NamedTuple):
    """How the decoder runs."""

    heads: int
    feature_scale: int = -1  # scale whose map SAM enters; -1 never
    query_scale: int = -1  # scale after which SAM enters the queries; -1 never
    training: bool = False


class Predicted(NamedTuple):
    """One prediction."""

    logits: np.ndarray  # (B, Q, C + 1)
    masks: np.ndarray  # (B, Q, h, w)


def pooled_projection(features: np.ndarray, masks: np.ndarray, weights: Weights) -> np.ndarray:
    """Pool under the masks, then ``proj`` = LayerNorm + Linear; (B, Q, d)."""
    normed = layer_norm(mask_pooling(features, masks), under(weights, "_mask_pooling_proj.0"))
    return linear(normed, under(weights, "_mask_pooling_proj.1"))


def predict(queries: np.ndarray, mask_features: np.ndarray, text_embeddings: TextRows, weights: Weights) -> Predicted:
    """Read masks and class logits off the queries (B, Q, d)."""
    normed = layer_norm(queries, under(weights, "decoder_norm"))
    embedding = perceptron(normed, under(weights, "mask_embed"))
    masks = np.einsum("bqd,bdhw->bqhw", embedding, mask_features)
    pooled = pooled_projection(mask_features, masks, weights)
    classes = perceptron(pooled + normed, under(weights, "class_embed"))
    return Predicted(class_logits(classes, text_embeddings, float(weights["logit_scale"])), masks)


def not_attended(masks: np.ndarray, size: Size) -> np.ndarray:
    """Return (B, Q, h·w): True where the previous mask says no; a query whose mask is empty attends everywhere."""
    blocked = (sigmoid(resize(masks, size)) < 0.5).reshape(*masks.shape[:2], -1)
    return blocked & ~blocked.all(axis=-1, keepdims=True)


def inject_features(
    clip: np.ndarray, sam: np.ndarray, positions: tuple[np.ndarray, np.ndarray], weights: Weights, heads: int
) -> np.ndarray:
    """Let the CLIP map (B, d, h, w) attend to the SAM map (B, d, h', w'); both of one size, or each of its own.

    Query: CLIP map + its position; key: SAM map + its position; value: SAM map; residual, LayerNorm. (B, d, h, w).
    """
    target, memory = sequence(clip), sequence(sam)
    target_position, memory_position = (sequence(position[None]) for position in positions)
    attended = multi_head_attention(
        target + target_position, memory + memory_position, memory, under(weights, "multihead_attn"), heads
    )
    return unsequence(layer_norm(target + attended, under(weights, "norm")), clip.shape[-2:])


def injected_map(
    scales: list[np.ndarray], sam_map: np.ndarray, layer: int, weights: Weights, how: Decoding
) -> np.ndarray:
    """Return the map that layer ``layer`` attends to instead of its CLIP map.

    At test the SAM map is first resized to that scale's size. Where the scale is not 0, both maps are processed at the
    stride-32 size and the result is resized back; positions go with their maps. At scale 0 a SAM map in training keeps
    its size, as the reference's golden shows.
    """
    scale = layer % 3
    clip, width = scales[scale], sam_map.shape[1]
    own = under(weights, f"transformer_cross_attention_layers_sam.{layer}")
    size = clip.shape[-2:]
    sam = sam_map if how.training else resize(sam_map, size)
    sam = sam + weights["level_embed.weight"][scale][:, None, None]
    positions = sine_position(width, size), sine_position(width, sam.shape[-2:])
    if scale == 0:
        return inject_features(clip, sam, positions, own, how.heads)
    small = scales[0].shape[-2:]
    shrunk = [resize(one, small) for one in (clip, sam, *positions)]
    return resize(inject_features(shrunk[0], shrunk[1], (shrunk[2], shrunk[3]), own, how.heads), size)


def decoder_layer(
    queries: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    blocked: np.ndarray,
    layer: int,
    weights: Weights,
    heads: int,
) -> np.ndarray:
    """Masked cross-attention, self-attention, FFN: each with residual and LayerNorm after it."""
    position = weights["query_embed.weight"]
    own = under(weights, f"transformer_cross_attention_layers.{layer}")
    attended = multi_head_attention(queries + position, key, value, under(own, "multihead_attn"), heads, blocked)
    queries = layer_norm(queries + attended, under(own, "norm"))
    own = under(weights, f"transformer_self_attention_layers.{layer}")
    placed = queries + position
    attended = multi_head_attention(placed, placed, queries, under(own, "self_attn"), heads)
    queries = layer_norm(queries + attended, under(own, "norm"))
    own = under(weights, f"transformer_ffn_layers.{layer}")
    hidden = linear(relu(linear(queries, under(own, "linear1"))), under(own, "linear2"))
    return layer_norm(queries + hidden, under(own, "norm"))


def transformer_decoder(
    pixels: Pixels, embedding: np.ndarray | None, text_embeddings: TextRows, weights: Weights, how: Decoding
) -> list[Predicted]:
    """Return the prediction from the initial queries and the one after each layer; the last is the final one."""
    scales = []
    for scale, one in enumerate(pixels.scales):
        own = under(weights, f"input_proj.{scale}")
        mapped = conv2d(one, own) if own else one
        scales.append(mapped + weights["level_embed.weight"][scale][:, None, None])
    queries = np.repeat(weights["query_feat.weight"][None], len(scales[0]), axis=0)
    predictions = [predict(queries, pixels.mask_features, text_embeddings, weights)]
    for layer in range(len({name for name in weights if name.endswith("self_attn.in_proj_weight")})):
        scale = layer % 3
        size = scales[scale].shape[-2:]
        blocked = not_attended(predictions[-1].masks, size)
        if embedding is not None and scale == how.feature_scale:
            value = sequence(injected_map(scales, pixels.sam_map, layer, weights, how))
            key = value  # no position
        else:
            value = sequence(scales[scale])
            key = value + sequence(sine_position(value.shape[-1], size)[None])
        queries = decoder_layer(queries, key, value, blocked, layer, weights, how.heads)
        predictions.append(predict(queries, pixels.mask_features, text_embeddings, weights))
        if embedding is not None and scale == how.query_scale:
            queries = queries + pooled_projection(embedding, predictions[-1].masks, weights)
    return predictions
