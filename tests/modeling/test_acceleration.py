"""Fast precision and compilation: chosen by the device, without effect on weights, close to the full precision."""

import logging

import pytest
import torch
from torch import Tensor

from frozenseg.errors import ConfigError
from frozenseg.modeling import acceleration
from frozenseg.modeling.acceleration import native_bfloat16, on_device
from frozenseg.modeling.build import build_model
from frozenseg.modeling.layers.int8_linear import Int8Linear, multiplies_int8
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.ops import ms_deform_attn
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from tests.tiny import TRAINING, tiny_config, training_batch

CPU = torch.device("cpu")
ONE = ((64, 64),)


def model(*options: object) -> MaskClassifier:
    torch.manual_seed(0)
    cfg = tiny_config("FCCLIP", *options)
    return on_device(build_model(cfg, TRAINING).eval(), cfg, CPU)


def scores_and_masks(made: MaskClassifier) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        embedded = made.embed(training_batch(ONE))
        return made.class_scores(embedded, made.inference_settings).objects, embedded.masks


def test_fast_precision_on_a_processor_with_bfloat16(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceleration, "native_bfloat16", lambda device: "AMX")
    with caplog.at_level(logging.INFO):
        fast = model("MODEL.PRECISION", "fast")
    assert "Fast precision: bfloat16 for encoders and decoders, by AMX." in caplog.text
    exact = model()
    scores, masks = scores_and_masks(exact)
    near_scores, near_masks = scores_and_masks(fast)
    assert (near_scores.dtype, near_masks.dtype) == (torch.float32, torch.float32)
    assert fast.frozen_hashes() == exact.frozen_hashes()
    assert fast.state_dict().keys() == exact.state_dict().keys()
    error = (near_masks - masks).abs().mean() / masks.std()
    assert 0 < error < 0.02
    assert (near_scores.exp() - scores.exp()).abs().max() < 0.05
    with torch.no_grad():
        forward = fast(training_batch(ONE))
        assert torch.equal(forward[0]["sem_seg"], fast.classify(fast.embed(training_batch(ONE)))[0]["sem_seg"])


def test_training_keeps_the_decoders_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "native_bfloat16", lambda device: "AMX")
    fast, frozen = model("MODEL.PRECISION", "fast").train(), model("MODEL.FROZEN_DTYPE", "bfloat16").train()
    losses = []
    for made in (fast, frozen):
        torch.manual_seed(1)
        losses.append(made(training_batch(ONE)))
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


def test_bfloat16_on_any_processor_samples_at_float32_locations(monkeypatch: pytest.MonkeyPatch) -> None:
    dtypes = set()

    def attend(value: Tensor, shapes: object, locations: Tensor, weights: Tensor) -> Tensor:
        dtypes.add((value.dtype, locations.dtype))
        return ms_deform_attn_torch(value, shapes, locations, weights)

    monkeypatch.setattr(ms_deform_attn, "deformable_attention", attend)
    made = model("MODEL.PRECISION", "bfloat16")
    assert made.sem_seg_head.precision == made.backbone.precision == torch.bfloat16
    scores_and_masks(made)
    assert dtypes == {(torch.bfloat16, torch.float32)}


def test_fast_precision_on_another_processor(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(acceleration, "native_bfloat16", lambda device: None)
    monkeypatch.setattr(acceleration, "multiplies_int8", lambda device: False)
    with caplog.at_level(logging.INFO):
        made = model("MODEL.PRECISION", "fast")
    assert "float32, as this processor multiplies neither bfloat16 nor int8 natively" in caplog.text
    assert made.sem_seg_head.precision == made.backbone.precision == torch.float32


@pytest.mark.skipif(not multiplies_int8(CPU), reason="this processor has no VNNI instructions")
def test_fast_precision_on_a_processor_with_vnni(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceleration, "native_bfloat16", lambda device: None)
    with caplog.at_level(logging.INFO):
        fast = model("MODEL.PRECISION", "fast")
    assert "Fast precision: int8 for the linear layers of the frozen encoders, by VNNI." in caplog.text
    exact = model()
    scores, masks = scores_and_masks(exact)
    near_scores, near_masks = scores_and_masks(fast)
    assert any(isinstance(module, Int8Linear) for module in fast.backbone.modules())
    assert fast.frozen_hashes() == exact.frozen_hashes()
    assert fast.state_dict().keys() == exact.state_dict().keys()
    assert 0 < (near_masks - masks).abs().mean() / masks.std() < 0.05
    assert (near_scores.exp() - scores.exp()).abs().max() < 0.05


def test_int8_is_refused_before_the_first_image_without_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(ConfigError, match="MODEL.FROZEN_DTYPE int8 needs a CPU with VNNI"):
        model("MODEL.FROZEN_DTYPE", "int8")


def test_a_dtype_of_the_config_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "native_bfloat16", lambda device: "AMX")
    assert model("MODEL.PRECISION", "fast", "MODEL.FROZEN_DTYPE", "float16").backbone.precision == torch.float16


@pytest.mark.parametrize(
    ("amx", "avx", "reason"), [(True, True, "AMX"), (False, True, "AVX-512 BF16"), (False,) * 2 + (None,)]
)
def test_instructions(amx: bool, avx: bool, reason: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    assert native_bfloat16(CPU) == reason


def test_compilation_is_for_gpus(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        made = model("MODEL.COMPILE", "default")
    assert "MODEL.COMPILE default: without effect on a CPU." in caplog.text
    assert made.backbone._compiled_call_impl is None


def test_compiled_parts_have_no_graph_break_and_the_same_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    small = ("MODEL.MASK_FORMER.DEC_LAYERS", 2)
    exact, compiled = model(*small), model(*small)
    real, compilations = torch.compile, []

    def compile_whole(function: object, mode: str) -> object:
        compilations.append(mode)
        return real(function, fullgraph=True, backend="eager")

    monkeypatch.setattr(torch, "compile", compile_whole)
    monkeypatch.setattr(MaskClassifier, "device", torch.device("cuda"))
    acceleration.compile_parts(compiled, "reduce-overhead")
    monkeypatch.undo()
    assert compilations == ["reduce-overhead"] * 4
    assert compiled.state_dict().keys() == exact.state_dict().keys()
    for expected, actual in zip(scores_and_masks(exact), scores_and_masks(compiled), strict=True):
        assert torch.allclose(expected, actual, atol=1e-5)
