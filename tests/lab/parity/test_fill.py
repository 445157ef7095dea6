"""Weights that follow from names: a few by hand, all of them against the reference's rule where it is at hand."""

import importlib.util
import math
import zlib
from types import ModuleType

import pytest
import torch

from lab.parity.fill import checksum, fill, value_of
from tests.modeling.test_state_dict_keys import released
from tests.tiny import ROOT

REFERENCE = ROOT.parent / "shared/parity"


def normal(name: str, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.bias", 0.02 * normal("a.bias", 3)),
        ("a.weight", 1 + 0.1 * normal("a.weight", 3)),
        ("bn.running_mean", 0.02 * normal("bn.running_mean", 3)),
    ],
)
def test_vectors(name: str, expected: torch.Tensor) -> None:
    assert torch.equal(value_of(name, torch.Size([3])), expected)


def test_matrices_are_scaled_by_their_inputs_and_wide_ones_centred() -> None:
    narrow, wide = torch.Size([3, 4]), torch.Size([2, 16])
    assert torch.equal(value_of("m.weight", narrow), normal("m.weight", 3, 4) * (1 / math.sqrt(4)))
    assert torch.allclose(value_of("m.weight", wide).mean(dim=1), torch.zeros(2), atol=1e-7)
    assert torch.equal(value_of("p.query_feat.weight", narrow), normal("p.query_feat.weight", 3, 4))


def test_offsets_are_rings_and_scales_constant() -> None:
    ring = value_of("x.sampling_offsets.bias", torch.Size([8 * 4 * 2])).view(8, 4, 2)
    assert torch.allclose(ring[0], torch.tensor([[1.0, 0], [2, 0], [3, 0], [4, 0]]))
    assert float(value_of("backbone.clip_model.logit_scale", torch.Size([]))) == pytest.approx(4.6052)
    assert float(value_of("predictor.logit_scale", torch.Size([]))) == 4.0
    assert value_of("criterion.empty_weight", torch.Size([3])) is None


def test_a_module_is_filled_by_its_full_names() -> None:
    module = torch.nn.BatchNorm1d(3)
    assert fill(module, "bn.") == 4  # all but the integer counter
    assert torch.equal(module.weight, 1 + 0.1 * normal("bn.weight", 3))
    assert checksum(module)["numel"] == 12


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the goldens in ../shared/parity are not here")
@pytest.mark.parametrize("model", ["frozenseg_convnext_large", "fcclip_r50"])
def test_the_rule_is_the_reference_s(model: str) -> None:
    reference = load(REFERENCE / "fill_weights.py")
    for name, (shape, kind) in released(model).items():
        size = torch.Size(shape)
        if size.numel() < 100_000 and kind != "buffer":
            own, wanted = value_of(name, size), reference.value_for(name, size)
            assert (own is None and wanted is None) or torch.equal(own, wanted), name


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
