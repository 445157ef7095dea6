"""Pixel decoder and transformer decoder: our modules against the formulas, in float64."""

import itertools

import numpy as np
import pytest
import torch

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder
from frozenseg.modeling.pixel_decoder.deformable_fpn import MSDeformAttnPixelDecoder
from frozenseg.modeling.transformer_decoder.attention import visible_pixels
from frozenseg.modeling.transformer_decoder.masked_decoder import LayerSize, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.types import ClipFeatures, PixelFeatures, TextEmbeddings
from tests.lab.parity.formulas import pixel_decoder, primitives, text_embeddings, transformer_decoder
from tests.lab.parity.formulas.pixel_decoder import Deformable, Pixels
from tests.lab.parity.formulas.torch_side import agree, arrays, filled, float64, normal, tensor, tensors
from tests.lab.parity.formulas.transformer_decoder import Decoding

SEEDS = (0, 1, 2)
CHANNELS = (8, 12, 20, 24)
SIZES = ((3, 5), (6, 10), (12, 20))  # coarse to fine
WIDTH, HEADS, POINTS, EMBED, QUERIES = 32, 4, 3, 16, 5


def deformable(levels: int, *, built: int | None = None, layers: int = 2) -> DeformableEncoder:
    released = ReleasedRead.PER_IMAGE if built not in (None, levels) else None
    sizes = {"width": WIDTH, "heads": HEADS, "points": POINTS, "layers": layers, "hidden": 40}
    return DeformableEncoder(levels=built or levels, released_read=released, **sizes)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sizes", [((3, 4),), ((2, 3), (4, 6), (5, 7))])
def test_deformable_attention(sizes: tuple[tuple[int, int], ...], seed: int) -> None:
    attention = filled(MSDeformAttn(width=WIDTH, levels=len(sizes), heads=HEADS, points=POINTS), seed)
    total = sum(height * width for height, width in sizes)
    query, value = normal(seed, 2, 7, WIDTH), normal(seed, 2, total, WIDTH)
    reference = np.random.default_rng(seed).random((2, 7, len(sizes), 2))
    expected = pixel_decoder.deformable_attention(
        query, reference, value, list(sizes), arrays(attention), Deformable(HEADS, POINTS)
    )
    agree(attention(*tensors((query, reference, value)), list(sizes)), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_released_read_of_one_level_by_a_module_built_for_three(seed: int) -> None:
    attention = MSDeformAttn(width=WIDTH, levels=3, heads=HEADS, points=POINTS, released_read=ReleasedRead.PER_IMAGE)
    attention = filled(attention, seed)
    query, value = normal(seed, 2, 12, WIDTH), normal(seed + 1, 2, 12, WIDTH)
    reference = np.random.default_rng(seed).random((2, 12, 1, 2))
    setting = Deformable(HEADS, POINTS)
    actual = attention(*tensors((query, reference, value)), [(3, 4)])
    expected = pixel_decoder.deformable_attention(query, reference, value, [(3, 4)], arrays(attention), setting)
    agree(actual, expected)
    leaking = pixel_decoder.deformable_attention(
        query, reference, value, [(3, 4)], arrays(attention), setting, read="batch"
    )
    agree(actual[:1], leaking[:1])  # a batch's first third begins with its first image's
    assert np.abs(leaking[1] - expected[1]).max() > 0.1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("built", [None, 1, 3])
def test_pixel_decoder(built: int | None, seed: int) -> None:
    """Without SAM, with a SAM branch for one level, and as released, for three."""
    sizes = {"channels": CHANNELS, "width": WIDTH, "mask_width": 24, "sam_channels": 12}
    sam = deformable(1, built=built) if built else None
    module = filled(MSDeformAttnPixelDecoder(**sizes, encoder=deformable(3), sam_encoder=sam), seed)
    maps = [
        normal(seed + level, 2, channels, *size)
        for level, (channels, size) in enumerate(zip(CHANNELS, ((24, 40), *SIZES[::-1]), strict=True))
    ]
    sam_embedding = normal(seed + 4, 2, 12, 7, 10) if built else None
    with float64():
        actual = module(
            ClipFeatures(*tensors(maps), dense=tensor(maps[-1])),
            None if sam_embedding is None else tensor(sam_embedding),
        )
    expected = pixel_decoder.pixel_decoder(maps, sam_embedding, arrays(module), Deformable(HEADS, POINTS))
    agree(actual.mask_features, expected.mask_features)
    for ours, theirs in zip(actual.scales, expected.scales, strict=True):
        agree(ours, theirs)
    assert (actual.sam_map is None) == (expected.sam_map is None)
    if built:
        agree(actual.sam_map, expected.sam_map)


def decoder(
    seed: int, feature_scale: int = -1, query_scale: int = -1, **changes: int
) -> MultiScaleMaskedTransformerDecoder:
    sizes = {"embed_dim": EMBED, "queries": QUERIES, "layers": 4} | changes
    places = {"feature_injection_scale": feature_scale, "query_injection_scale": query_scale}
    return filled(MultiScaleMaskedTransformerDecoder(size=LayerSize(WIDTH, HEADS, 48), **sizes, **places), seed)


def pixels(seed: int, width: int) -> Pixels:
    """Mask features, maps of three scales and a SAM map of its own size."""
    scales = tuple(normal(seed + level, 2, width, *size) for level, size in enumerate(SIZES))
    return Pixels(normal(seed, 2, WIDTH, 24, 40), scales, normal(seed + 3, 2, WIDTH, 4, 4))


def text(seed: int) -> tuple[text_embeddings.TextRows, TextEmbeddings]:
    rows = primitives.normalise(normal(seed, 6, EMBED))
    return text_embeddings.TextRows(rows, (2, 1, 2, 1)), TextEmbeddings(
        tensor(rows), torch.tensor([0, 0, 1, 2, 2, 3]), 4
    )


def compare(
    module: MultiScaleMaskedTransformerDecoder, seed: int, how: Decoding, with_sam: bool = True, map_width: int = WIDTH
) -> None:
    """Run both sides and compare every prediction."""
    ours, sam_embedding = pixels(seed, map_width), normal(seed + 8, 2, WIDTH, 8, 8)
    rows, theirs = text(seed)
    with float64():
        given = PixelFeatures(tensor(ours.mask_features), tuple(tensors(ours.scales)), tensor(ours.sam_map))
        inputs = (given, tensor(sam_embedding) if with_sam else None, theirs)
        actual = [*module.predict_layers(*inputs).intermediate, module(*inputs).final]
    expected = transformer_decoder.transformer_decoder(
        ours, sam_embedding if with_sam else None, rows, arrays(module), how
    )
    for mine, reference in zip(actual, expected, strict=True):
        agree(mine.logits, reference.logits)
        agree(mine.masks, reference.masks)


@pytest.mark.parametrize("seed", SEEDS)
def test_masked_attention_alone(seed: int) -> None:
    compare(decoder(seed), seed, Decoding(HEADS), with_sam=False)


@pytest.mark.parametrize(("feature_scale", "query_scale"), list(itertools.product((-1, 0, 1, 2), repeat=2)))
def test_injectors_at_every_place(feature_scale: int, query_scale: int) -> None:
    module = decoder(1, feature_scale, query_scale)
    compare(module, 1, Decoding(HEADS, feature_scale, query_scale))


@pytest.mark.parametrize("feature_scale", [-1, 0, 1, 2])
def test_injectors_in_training(feature_scale: int) -> None:
    compare(decoder(1, feature_scale, 1).train(), 1, Decoding(HEADS, feature_scale, 1, training=True))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_released_arrangement(seed: int, training: bool) -> None:
    """Features at stride 32, queries after stride 8, long enough for both to come twice."""
    module = decoder(seed, 0, 2, layers=6).train(training)
    compare(module, seed, Decoding(HEADS, 0, 2, training))


def test_narrower_maps_are_projected_first() -> None:
    compare(decoder(0, map_width=20), 0, Decoding(HEADS), with_sam=False, map_width=20)


@pytest.mark.parametrize("size", [(3, 5), (6, 10), (12, 20)])
def test_what_a_query_must_not_look_at(size: tuple[int, int]) -> None:
    masks = normal(0, 2, QUERIES, 12, 20)
    masks[1, 2] = -1.0  # empty: attends everywhere
    expected = transformer_decoder.not_attended(masks, size)
    assert not expected[1, 2].any()
    actual = visible_pixels(resize(tensor(masks), size))
    assert (actual.numpy() != expected).all()
