"""Pixel decoder, transformer decoder and both injectors on tiny widths."""

import pytest
import torch

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.layers.group_norm import group_norm
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.meta_arch.sem_seg_head import SemSegHead
from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder, pixel_centres
from frozenseg.modeling.pixel_decoder.deformable_fpn import MSDeformAttnPixelDecoder
from frozenseg.modeling.transformer_decoder.attention import CrossAttention, attend, visible_pixels
from frozenseg.modeling.transformer_decoder.feature_injector import inject_features, to_sequence
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import ClipFeatures, TextEmbeddings
from tests.tiny import TRAINING, tiny_config, training_batch

CHANNELS = (8, 12, 16, 20)
LAYERS = 4  # of the tiny configs' transformer decoder
TEXT = TextEmbeddings(torch.eye(3, 16), torch.tensor([0, 1, 2]), 3)


def head(*options: object, sam_channels: int | None = 64) -> SemSegHead:
    torch.manual_seed(0)
    cfg = tiny_config("FrozenSeg", *options)
    return SemSegHead.from_config(cfg, channels=CHANNELS, embed_dim=16, sam_channels=sam_channels).eval()


def clip_maps(batch: int = 2, height: int = 64, width: int = 96, seed: int = 0) -> ClipFeatures:
    generator = torch.Generator().manual_seed(seed)
    maps = [
        torch.randn(batch, channels, height // 2**level, width // 2**level, generator=generator)
        for level, channels in enumerate(CHANNELS, start=2)
    ]
    return ClipFeatures(*maps, dense=maps[-1])


def test_pixel_decoder_shapes() -> None:
    pixels = head().pixel_decoder(clip_maps(), torch.randn(2, 64, 16, 16))
    assert pixels.mask_features.shape == (2, 64, 16, 24)
    assert [tuple(scale.shape) for scale in pixels.scales] == [(2, 64, 2, 3), (2, 64, 4, 6), (2, 64, 8, 12)]
    assert pixels.sam_map.shape == (2, 64, 8, 8)


def test_pixel_decoder_names_a_map_of_another_width() -> None:
    decoder, clip = head().pixel_decoder, clip_maps()
    with pytest.raises(ShapeError, match=r"res4 has shape \(2, 12, 8, 12\), expected \(B=2, c=16, H, W\)"):
        decoder(clip._replace(res4=clip.res3), torch.randn(2, 64, 16, 16))
    with pytest.raises(ShapeError, match=r"sam_embedding has shape \(1, 64, 16, 16\), expected \(B=2, c=64, h, w\)"):
        decoder(clip, torch.randn(1, 64, 16, 16))


def test_pixel_decoder_refuses_an_encoder_of_another_size() -> None:
    sizes = {"layers": 1, "heads": 2, "points": 2, "hidden": 8}
    encoder = DeformableEncoder(width=8, levels=3, **sizes)
    common = {"channels": CHANNELS, "width": 8, "mask_width": 8}
    with pytest.raises(ShapeError, match=r"The encoder has 2 levels of width 8, expected 3 of width 8"):
        MSDeformAttnPixelDecoder(encoder=DeformableEncoder(width=8, levels=2, **sizes), **common)
    with pytest.raises(ShapeError, match=r"The SAM encoder has the width 16, expected 8"):
        MSDeformAttnPixelDecoder(encoder=encoder, sam_encoder=DeformableEncoder(width=16, levels=1, **sizes), **common)


def test_released_sam_branch_reads_three_levels_and_ours_one() -> None:
    right, released = head(), head("MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", 3)
    assert right.pixel_decoder.sam_transformer.level_embed.shape == (1, 64)
    assert released.pixel_decoder.sam_transformer.level_embed.shape == (3, 64)
    sam_embedding = torch.randn(2, 64, 16, 16)
    together = released.pixel_decoder(clip_maps(), sam_embedding).sam_map
    alone = released.pixel_decoder(ClipFeatures(*(m[:1] for m in clip_maps())), sam_embedding[:1]).sam_map
    assert torch.allclose(together[:1], alone, atol=1e-5)  # one image at a time: nothing leaks


def test_an_encoder_refuses_levels_that_it_was_not_built_for() -> None:
    encoder = DeformableEncoder(width=8, levels=3, layers=1, heads=2, points=2, hidden=8)
    with pytest.raises(ShapeError, match="built for 3 levels and got 1"):
        encoder([torch.rand(1, 8, 4, 4)])
    maps = [torch.rand(1, 8, 4, 4), torch.rand(1, 8, 2, 2), torch.rand(1, 4, 1, 1)]
    with pytest.raises(ShapeError, match=r"maps\[2\] has shape \(1, 4, 1, 1\), expected \(B=1, d=8, H, W\)"):
        encoder(maps)


def test_pixel_centres_by_hand() -> None:
    centres = pixel_centres([(1, 2), (2, 1)], torch.zeros(1))
    expected = torch.tensor([[0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]])
    assert torch.equal(centres[0, :, 0], expected)
    assert torch.equal(centres[0, :, 1], expected)


@pytest.mark.parametrize(("width", "groups"), [(256, 32), (64, 32), (48, 16), (20, 4), (7, 1)])
def test_groups_of_narrow_widths(width: int, groups: int) -> None:
    assert group_norm(width).num_groups == groups


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("feature_scale", "query_scale"), [(0, 2), (1, 0), (2, 1), (-1, -1), (0, -1)])
def test_decoder_shapes_with_every_injector_scale(feature_scale: int, query_scale: int, training: bool) -> None:
    model = head(
        "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", feature_scale, "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER", query_scale
    ).train(training)
    predictions = model(clip_maps(), torch.randn(2, 64, 16, 16), TEXT)
    assert len(predictions.intermediate) == (LAYERS if training else 0)
    for prediction in (predictions.final, *predictions.intermediate):
        assert prediction.logits.shape == (2, 6, 3)
        assert prediction.masks.shape == (2, 6, 16, 24)
    blocks = list(model.predictor.transformer_cross_attention_layers_sam)
    assert blocks == [str(layer) for layer in range(LAYERS) if layer % 3 == feature_scale]


def test_without_sam_nothing_of_it_is_built() -> None:
    model = head(sam_channels=None)
    assert not [name for name in model.state_dict() if "sam_" in name or "_sam" in name or "fpn3" in name]
    assert model(clip_maps(), None, TEXT).final.logits.shape == (2, 6, 3)


def test_outputs_of_an_image_do_not_depend_on_its_neighbours() -> None:
    model, clip, sam_embedding = head(), clip_maps(), torch.randn(2, 64, 16, 16)
    with torch.no_grad():
        both = model(clip, sam_embedding, TEXT).final
        alone = model(ClipFeatures(*(m[1:] for m in clip)), sam_embedding[1:], TEXT).final
    assert torch.allclose(both.masks[1:], alone.masks, atol=1e-4)
    assert torch.allclose(both.logits[1:], alone.logits, atol=1e-4)


def test_decoder_names_the_input_that_an_injector_lacks() -> None:
    model, clip, sam_embedding = head(), clip_maps(), torch.randn(2, 64, 16, 16)
    pixels = model.pixel_decoder(clip, sam_embedding)
    with pytest.raises(ShapeError, match="The query injector needs SAM's embedding and got None"):
        model.predictor(pixels, None, TEXT)
    with pytest.raises(ShapeError, match="The feature injector needs the SAM map and got None"):
        model.predictor(pixels._replace(sam_map=None), sam_embedding, TEXT)
    with pytest.raises(ShapeError, match="The transformer decoder got 2 scales, expected 3"):
        model.predictor(pixels._replace(scales=pixels.scales[:2]), sam_embedding, TEXT)
    with pytest.raises(ShapeError, match=r"mask_features has shape \(2, 32, 16, 24\), expected \(B, d=64, H, W\)"):
        model.predictor(pixels._replace(mask_features=pixels.mask_features[:, :32]), sam_embedding, TEXT)


@pytest.mark.parametrize(("feature_scale", "query_scale"), [(0, 2), (1, 0), (2, 1), (-1, -1)])
def test_the_last_prediction_is_the_same_without_the_others(feature_scale: int, query_scale: int) -> None:
    model = head(
        "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", feature_scale, "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER", query_scale
    )
    sam_embedding = torch.randn(2, 64, 15, 17, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pixels = model.pixel_decoder(clip_maps(height=96, width=64), sam_embedding)
        last = model.predictor(pixels, sam_embedding, TEXT).final
        reference = model.predictor.predict_layers(pixels, sam_embedding, TEXT).final
    assert torch.allclose(last.masks, reference.masks, atol=1e-4)
    assert torch.allclose(last.logits, reference.logits, atol=1e-4)


def test_the_query_of_an_empty_mask_sees_all_pixels() -> None:
    masks = torch.full((1, 2, 2, 2), -5.0)
    masks[0, 0, 0] = 5.0  # query 0: the upper half; query 1: nothing
    assert visible_pixels(masks).tolist() == [[[True, True, False, False], [True] * 4]]


@pytest.mark.parametrize("masked", [True, False])
def test_attention_is_that_of_the_module_with_a_mask_for_each_head(masked: bool) -> None:
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    queries, keys, values = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    visible = torch.rand(2, 3, 5) > 0.5
    visible[..., 0] = True
    blocked = ~visible.repeat_interleave(2, dim=0)  # (B·h, Q, S)
    expected, _ = module(queries, keys, values, attn_mask=blocked if masked else None, need_weights=False)
    attended = attend(module, queries, keys, values, visible if masked else None)
    assert torch.allclose(attended, expected, atol=1e-6)
    gradients = [torch.autograd.grad(x.square().sum(), module.in_proj_weight)[0] for x in (attended, expected)]
    assert torch.allclose(*gradients, atol=1e-5)


def test_feature_injector_works_at_the_small_size_and_returns_the_large_one() -> None:
    torch.manual_seed(0)
    block = CrossAttention(width=8, heads=2).eval()
    clip_map, position = torch.randn(1, 8, 4, 6), torch.zeros(1, 8, 4, 6)
    sam_map, sam_position = torch.randn(1, 8, 3, 3), torch.zeros(1, 8, 3, 3)
    arguments = {"clip_position": position, "sam_position": sam_position}
    small = inject_features(block, clip_map, sam_map, working_size=(2, 3), **arguments)
    assert small.shape == clip_map.shape
    as_is = inject_features(block, clip_map, sam_map, working_size=None, **arguments)
    sequence, sam_sequence = to_sequence(clip_map), to_sequence(sam_map)
    expected = block(sequence, sam_sequence, sam_sequence, target_position=torch.zeros_like(sequence))
    assert torch.allclose(as_is.flatten(2).transpose(1, 2), expected, atol=1e-6)
    with pytest.raises(ShapeError, match=r"sam_map has shape \(1, 4, 3, 3\), expected \(B=1, d=8, h, w\)"):
        inject_features(block, clip_map, sam_map[:, :4], working_size=None, **arguments)


def test_query_injector_adds_the_projected_mean() -> None:
    queries, masks, sam_embedding = torch.randn(1, 2, 8), torch.randn(1, 2, 8, 8), torch.randn(1, 8, 4, 4)
    project = torch.nn.Linear(8, 8)
    expected = queries + project(mask_pooling(sam_embedding, masks))
    assert torch.equal(inject_into_queries(queries, masks, sam_embedding, project), expected)
    with pytest.raises(ShapeError, match=r"masks has shape \(1, 1, 8, 8\), expected \(B=1, Q=2, H, W\)"):
        inject_into_queries(queries, masks[:, :1], sam_embedding, project)


def test_contradicting_keys_are_refused() -> None:
    with pytest.raises(ConfigError, match="SAM_QUERY_FUSE_LAYER is 3, expected a whole number from -1 to 2"):
        head("MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER", 3)
    with pytest.raises(ConfigError, match="MASK_DIM 32 must equal MODEL.MASK_FORMER.HIDDEN_DIM 64"):
        head("MODEL.SEM_SEG_HEAD.MASK_DIM", 32)
    narrow = ("MODEL.SEM_SEG_HEAD.CONVS_DIM", 32)
    with pytest.raises(ConfigError, match=r"CONVS_DIM 32 must equal MODEL.MASK_FORMER.HIDDEN_DIM 64"):
        build_model(tiny_config("FrozenSeg", *narrow), TRAINING)
    build_model(tiny_config("FrozenSeg", *narrow, "MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER", -1), TRAINING)
    with pytest.raises(ConfigError, match=r"has 64 channels, but MODEL.MASK_FORMER.HIDDEN_DIM is 32"):
        build_model(tiny_config("FrozenSeg", "MODEL.MASK_FORMER.HIDDEN_DIM", 32), TRAINING)
    with pytest.raises(ConfigError, match="Unknown pixel decoder 'MSDeformAttnPixelDecode'. Did you mean"):
        head("MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME", "MSDeformAttnPixelDecode")


@pytest.mark.parametrize(("layers", "acts"), [(4, False), (5, True)])
def test_sam_must_enter_the_queries_before_the_last_layer(layers: int, acts: bool, caplog: pytest.LogCaptureFixture):
    def scores(scale: int) -> torch.Tensor:
        keys = ("MODEL.MASK_FORMER.DEC_LAYERS", layers, "MODEL.MASK_FORMER.SAM_QUERY_FUSE_LAYER", scale)
        torch.manual_seed(0)
        model = build_model(tiny_config("FrozenSeg", *keys), TRAINING).eval()
        with torch.no_grad():
            return model(training_batch(((64, 64),)))[0]["sem_seg"]

    without = scores(-1)
    assert not caplog.records
    assert torch.equal(scores(2), without) is not acts
    assert ("DEC_LAYERS to 5 or more" in caplog.text) is not acts
