"""§5: deformable attention over three scales, the step to stride 4, and the SAM branch, right and as released."""

from typing import Literal, NamedTuple

import numpy as np

from tests.lab.parity.formulas.primitives import (
    Weights,
    conv2d,
    group_norm,
    layer_norm,
    linear,
    relu,
    resize,
    sample,
    sequence,
    sine_position,
    softmax,
    under,
    unsequence,
)

Size = tuple[int, int]
Read = Literal["image", "batch"]  # whose buffer the released read takes a third of


class Deformable(NamedTuple):
    """The numbers that no shape tells."""

    heads: int
    points: int


class Pixels(NamedTuple):
    """What §5 gives to §6."""

    mask_features: np.ndarray  # (B, d, H/4, W/4)
    scales: tuple[np.ndarray, ...]  # (B, d, h, w) at strides 32, 16, 8
    sam_map: np.ndarray | None  # (B, d, h, w)


def first_of_flat_buffer(buffer: np.ndarray, levels: int, read: Read) -> np.ndarray:
    """Read (B, L, heads, built, …) as if it were (B, L, heads, levels, …): the head of the flat buffer.

    The defect of the released weights. The buffers are the weights and the sampling locations, that is, offsets with
    their reference points already added: a pixel looks around another one's place.
    """
    if read == "image":
        return np.concatenate([first_of_flat_buffer(one[None], levels, "batch") for one in buffer])
    shape = (*buffer.shape[:3], levels, *buffer.shape[4:])
    return buffer.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def deformable_attention(
    query: np.ndarray,
    reference: np.ndarray,
    value: np.ndarray,
    sizes: list[Size],
    weights: Weights,
    setting: Deformable,
    read: Read = "image",
) -> np.ndarray:
    """Read the value maps near each query's reference point.

    Args:
        query: (B, L, d), feature + position.
        reference: (B, L, levels, 2), x and y in 0 … 1.
        value: (B, S, d), all levels of the feature in one row.
        sizes: (h, w) of each level.
        weights: ``sampling_offsets``, ``attention_weights``, ``value_proj``, ``output_proj``.
        setting: heads, and points a head and level.
        read: of a module built for more levels than it gets, whose buffer is read.
    """
    batch, length, width = query.shape
    heads, points = setting
    values = linear(value, under(weights, "value_proj")).reshape(batch, -1, heads, width // heads)
    offsets = linear(query, under(weights, "sampling_offsets")).reshape(batch, length, heads, -1, points, 2)
    shares = linear(query, under(weights, "attention_weights")).reshape(batch, length, heads, -1)
    shares = softmax(shares).reshape(offsets.shape[:-1])
    scale = np.array([[w, h] for h, w in sizes])  # offsets are in pixels of their level
    places = reference[:, :, None, :, None] + offsets / scale[None, None, None, :, None]
    if shares.shape[3] != len(sizes):
        places, shares = (first_of_flat_buffer(buffer, len(sizes), read) for buffer in (places, shares))
    output = np.zeros((batch, length, heads, width // heads))
    start = 0
    for level, size in enumerate(sizes):
        stop = start + size[0] * size[1]
        for b in range(batch):
            for head in range(heads):
                grid = values[b, start:stop, head].T.reshape(-1, *size)
                for point in range(points):
                    place = places[b, :, head, level, point]
                    postprocessor = sample(grid, place[:, 0], place[:, 1])
                    output[b, :, head] += shares[b, :, head, level, point, None] * postprocessor.T
        start = stop
    return linear(output.reshape(batch, length, width), under(weights, "output_proj"))


def pixel_centres(sizes: list[Size]) -> np.ndarray:
    """Return (L, levels, 2): the centre of each pixel, x and y in 0 … 1, the same point on every level."""
    rows = []
    for height, width in sizes:
        for row in range(height):
            for column in range(width):
                rows.append([[(column + 0.5) / width, (row + 0.5) / height]] * len(sizes))
    return np.array(rows)


def deformable_encoder(
    maps: list[np.ndarray], weights: Weights, setting: Deformable, read: Read = "image"
) -> list[np.ndarray]:
    """Apply all layers to maps (B, d, h, w), coarse to fine; each gets a position and a level embedding."""
    sizes = [one.shape[-2:] for one in maps]
    batch, width = maps[0].shape[:2]
    x = np.concatenate([sequence(one) for one in maps], axis=1)
    position = np.concatenate(
        [
            sequence(sine_position(width, size)[None]) + weights["level_embed"][level]
            for level, size in enumerate(sizes)
        ],
        axis=1,
    )
    centres = np.repeat(pixel_centres(sizes)[None], batch, axis=0)
    for layer in range(len({name.split(".")[2] for name in weights if name.startswith("encoder.layers.")})):
        own = under(weights, f"encoder.layers.{layer}")
        attended = deformable_attention(x + position, centres, x, sizes, under(own, "self_attn"), setting, read)
        x = layer_norm(x + attended, under(own, "norm1"))
        hidden = linear(relu(linear(x, under(own, "linear1"))), under(own, "linear2"))
        x = layer_norm(x + hidden, under(own, "norm2"))
    ends = np.cumsum([height * width for height, width in sizes])[:-1]
    return [unsequence(part, size) for part, size in zip(np.split(x, ends, axis=1), sizes, strict=True)]


def sam_branch(embedding: np.ndarray, weights: Weights, setting: Deformable, read: Read = "image") -> np.ndarray:
    """Halve SAM's embedding by ``fpn3`` and run the encoder ``sam_transformer`` on this one level."""
    halved = conv2d(embedding, under(weights, "fpn3.0"), stride=2)
    halved = relu(group_norm(halved, under(weights, "fpn3.1")))
    return deformable_encoder([halved], under(weights, "sam_transformer"), setting, read)[0]


def pixel_decoder(
    clip: list[np.ndarray], embedding: np.ndarray | None, weights: Weights, setting: Deformable
) -> Pixels:
    """Decode CLIP's res2 … res5 and SAM's embedding."""
    res2, res3, res4, res5 = clip
    projected = []
    for level, one in enumerate((res5, res4, res3)):
        own = under(weights, f"input_proj.{level}")
        projected.append(group_norm(conv2d(one, under(own, "0")), under(own, "1")))
    scales = deformable_encoder(projected, under(weights, "transformer"), setting)
    lateral = group_norm(conv2d(res2, under(weights, "adapter_1")), under(weights, "adapter_1.norm"))
    fine = lateral + resize(scales[-1], lateral.shape[-2:])
    fine = relu(group_norm(conv2d(fine, under(weights, "layer_1")), under(weights, "layer_1.norm")))
    sam_map = None if embedding is None else sam_branch(embedding, weights, setting)
    return Pixels(conv2d(fine, under(weights, "mask_features")), tuple(scales), sam_map)
