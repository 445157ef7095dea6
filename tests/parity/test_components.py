"""Single parts against what the reference computed with the same deterministic weights.

The goldens lie beside the project, in ``../shared/parity``; without them these tests are skipped. They use the released
widths. Names and arguments are those of ``components.json``.
"""

import importlib.util
import json
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.criterion.matcher import HungarianMatcher
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder
from frozenseg.modeling.pixel_decoder.deformable_fpn import MSDeformAttnPixelDecoder
from frozenseg.modeling.readout.instance import instance_readout
from frozenseg.modeling.readout.panoptic import panoptic_readout
from frozenseg.modeling.readout.semantic import semantic_readout
from frozenseg.modeling.transformer_decoder.feature_injector import inject_features
from frozenseg.modeling.transformer_decoder.masked_decoder import LayerSize, MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import ClipFeatures, MaskPredictions, PixelFeatures, Prediction, Target, Words
from tests.tiny import ROOT

PARITY = ROOT.parent / "shared/parity"
TOLERANCE = 1e-4  # of the array's standard deviation
pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="the goldens in ../shared/parity are not here")


@cache
def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PARITY / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@cache
def goldens() -> tuple[dict[str, Any], Any]:
    described = json.loads((PARITY / "components.json").read_text(encoding="utf-8"))
    return described["components"], np.load(PARITY / "components.npz")


def agree(name: str, value: Tensor) -> None:
    """Compare with a golden, of which large arrays keep every k-th element."""
    described, arrays = goldens()
    component, output = name.split("/", 1)
    stride = described[component]["outputs"][output]["stride"]
    actual = value.detach().numpy().reshape(-1)[::stride].astype(np.float64)
    expected = arrays[name].reshape(-1)
    assert np.abs(actual - expected).max() <= TOLERANCE * expected.std() + 1e-7, name


def fill(part: nn.Module, prefix: str) -> nn.Module:
    module("fill_weights").fill({prefix + key: value for key, value in part.state_dict().items()})
    return part.eval()


def randn(seed: int, *shape: int) -> Tensor:
    return module("recipe").randn(seed, *shape)


@cache
def decoder() -> MultiScaleMaskedTransformerDecoder:
    built = MultiScaleMaskedTransformerDecoder(
        size=LayerSize(256, 8, 2048),
        embed_dim=768,
        queries=250,
        layers=9,
        feature_injection_scale=0,
        query_injection_scale=2,
    )
    return fill(built, "sem_seg_head.predictor.")


def words() -> Words:
    rows = F.normalize(randn(1310, 15, 768), dim=-1)
    return Words(rows, torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 11, 12]), 13)


def test_position_and_pooling() -> None:
    agree("sine_pos/a", sine_position(torch.zeros(1, 256, 6, 8)))
    agree("sine_pos/b", sine_position(torch.zeros(1, 256, 25, 34)))
    features, masks = randn(1200, 2, 16, 10, 12), randn(1201, 2, 7, 20, 24)
    masks[0, 3] = -1
    agree("mask_pooling/resized", mask_pooling(features, masks))
    agree("mask_pooling/same_size", mask_pooling(features, masks[..., ::2, ::2]))


def test_classification() -> None:
    rows = Words(F.normalize(randn(1211, 8, 32), dim=-1), torch.tensor([0, 1, 1, 1, 2, 3, 3, 4]), 5)
    agree("classification_logits/out", class_logits(randn(1210, 2, 9, 32), rows, torch.tensor(4.7)))


@torch.no_grad()
def test_deformable_attention_right_and_as_released() -> None:
    rand = module("recipe").rand
    attention = fill(MSDeformAttn(width=256, levels=3, heads=8, points=4, released_read=True), "msda.")
    shapes = [(3, 4), (6, 8), (12, 16)]
    output = attention(randn(1010, 2, 252, 256), rand(1012, 2, 252, 3, 2), randn(1011, 2, 252, 256), shapes)
    agree("msdeformattn/three_levels", output)
    output = attention(randn(1030, 1, 256, 256), rand(1032, 1, 256, 1, 2), randn(1031, 1, 256, 256), [(16, 16)])
    agree("msdeformattn/one_of_three_levels_b1", output)


@pytest.mark.parametrize(
    ("case", "base", "batch", "size", "sam"),
    [("b1", 1100, 1, (32, 40), "sam_out"), ("b2", 1120, 2, (24, 32), "sam_out_per_image")],
)
@torch.no_grad()
def test_pixel_decoder(case: str, base: int, batch: int, size: tuple[int, int], sam: str) -> None:
    sizes = {"width": 256, "levels": 3, "layers": 6, "heads": 8, "points": 4, "hidden": 1024}
    pixel_decoder = MSDeformAttnPixelDecoder(
        channels=(192, 384, 768, 1536),
        width=256,
        mask_width=256,
        encoder=DeformableEncoder(**sizes),
        sam_encoder=DeformableEncoder(**sizes, released_read=True),
    )
    fill(pixel_decoder, "sem_seg_head.pixel_decoder.")
    maps = [
        randn(base + level, batch, channels, size[0] // 2**level, size[1] // 2**level)
        for level, channels in enumerate((192, 384, 768, 1536))
    ]
    pixels = pixel_decoder(ClipFeatures(*maps, dense=maps[-1]), randn(base + 7, batch, 256, 64, 64))
    agree(f"pixel_decoder/{case}/mask_features", pixels.mask_features)
    for level, scale in enumerate(pixels.scales):
        agree(f"pixel_decoder/{case}/multi_scale{level}", scale)
    agree(f"pixel_decoder/{case}/{sam}", pixels.sam_map)


@torch.no_grad()
def test_injectors_and_heads() -> None:
    def as_map(sequence: Tensor, height: int, width: int) -> Tensor:
        return sequence.permute(1, 2, 0).unflatten(2, (height, width))

    block = decoder().transformer_cross_attention_layers_sam["0"]
    memory, position = randn(1301, 48, 2, 256), randn(1303, 48, 2, 256)
    for name, seeds, (height, width) in (("resampled", (1300, 1302), (12, 16)), ("same_size", (1304, 1305), (6, 8))):
        target, target_position = (randn(seed, height * width, 2, 256) for seed in seeds)
        injected = inject_features(
            block,
            as_map(target, height, width),
            as_map(memory, 6, 8),
            clip_position=as_map(target_position, height, width),
            sam_position=as_map(position, 6, 8),
            working_size=(6, 8),
        )
        agree(f"feature_injector/{name}", injected.flatten(2).permute(2, 0, 1))
    queries, space = randn(1311, 250, 2, 256).transpose(0, 1), randn(1313, 2, 256, 64, 64)
    prediction = decoder().predict(queries, 0.5 * randn(1312, 2, 256, 24, 32), words())
    agree("prediction_heads/class_logits", prediction.logits)
    agree("prediction_heads/masks", prediction.masks)
    added = inject_into_queries(torch.zeros_like(queries), prediction.masks, space, decoder()._mask_pooling_proj)
    agree("prediction_heads/query_injection", added.transpose(0, 1))


@torch.no_grad()
def test_transformer_decoder_in_training() -> None:
    """In eval mode one of 500 queries meets a mask pixel at exactly 0 in the golden, and what follows differs by it."""
    maps = tuple(randn(1330 + level, 1, 256, 4 * 2**level, 4 * 2**level) for level in range(3))
    pixels = PixelFeatures(0.5 * randn(1335, 1, 256, 32, 32), maps, randn(1336, 1, 256, 8, 8))
    space = randn(1313, 2, 256, 64, 64)[:1]
    try:
        final = decoder().train()(pixels, space, words()).final
    finally:
        decoder().eval()
    agree("transformer_decoder/train_pred_logits", final.logits)
    agree("transformer_decoder/train_pred_masks", final.masks)


def test_read_outs() -> None:
    described, arrays = goldens()
    described = described["inference"]
    blobs = module("recipe").make_blob_masks(1400, 250, 60, 80, cell=14)
    logits, masks = 4 * randn(1402, 250, 10), torch.where(blobs, 2.0, -6.0) + randn(1401, 250, 60, 80)
    isthing = tuple(bool(flag) for flag in described["test_thing"])
    agree("inference/semantic", semantic_readout(logits, masks))
    for name, thresholds in {"0_0.8": (0, 0.8), "0_0": (0, 0), "0_0.05": (0, 0.05), "0.97_0": (0.97, 0)}.items():
        ids, segments = panoptic_readout(logits, masks, isthing, *thresholds)
        assert (ids.numpy() == arrays[f"inference/panoptic_{name}"]).all()
        assert segments == described[f"segments_{name}"]
    scores = instance_readout(logits, masks, 100, isthing).scores
    assert np.allclose(np.sort(scores.numpy()), np.sort(arrays["inference/inst_scores"]), atol=1e-6)


@pytest.mark.parametrize("case", ["b2", "one_empty", "all_empty"])
def test_losses(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    described, recipe = goldens()[0]["criterion"][case], module("recipe")
    base = {"b2": 1500, "one_empty": 1600, "all_empty": 1700}[case]
    batch = len(described["counts"])
    predictions = [
        Prediction(
            2 * randn(base + 10 * layer, batch, 40, 13),
            3 * F.interpolate(randn(base + 10 * layer + 1, batch, 40, 6, 8), (48, 64), mode="bilinear"),
        )
        for layer in range(3)
    ]
    targets = [
        Target(
            recipe.make_labels(base + 90 + 2 * image, count, 12),
            recipe.make_blob_masks(base + 91 + 2 * image, count, 192, 256),
        )
        for image, count in enumerate(described["counts"])
    ]
    criterion = SetCriterion(
        classes=12,
        matcher=HungarianMatcher(class_weight=2.0, mask_weight=5.0, dice_weight=5.0, points=12544),
        weights=(1.0, 1.0, 1.0),
        void_weight=0.1,
        points=12544,
        oversample=3.0,
        importance=0.75,
    )
    torch.manual_seed(base)
    losses = criterion(MaskPredictions(predictions[2], tuple(predictions[:2])), targets)
    assert losses == {name: pytest.approx(value, abs=1e-5) for name, value in described["losses_seeded"].items()}
    monkeypatch.setattr(torch, "rand", recipe.StatelessRand(base))
    losses = criterion(MaskPredictions(predictions[2], tuple(predictions[:2])), targets)
    assert losses == {name: pytest.approx(value, abs=1e-5) for name, value in described["losses_stateless"].items()}
