"""Encoders that are loaded from a file: no random values are drawn for them, and every parameter is loaded."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from frozenseg.modeling.clip import build as clip_build
from frozenseg.modeling.sam import build as sam_build
from frozenseg.modeling.without_initialisation import WithoutInitialisation


@pytest.fixture
def _empty_memory_is_nan() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def has_nan(module: nn.Module) -> bool:
    return any(bool(value.isnan().any()) for value in module.parameters())


@pytest.mark.usefixtures("_empty_memory_is_nan")
def test_random_initialisers_are_skipped_and_others_are_not() -> None:
    with WithoutInitialisation():
        linear, norm = nn.Linear(2, 3), nn.LayerNorm(3)
        trained = [nn.init.xavier_normal_(torch.zeros(2, 2)), nn.init.trunc_normal_(torch.zeros(2, 2))]
    assert linear.weight.isnan().all()
    assert torch.equal(norm.weight, torch.ones(3))
    assert all(torch.equal(each, torch.zeros(2, 2)) for each in trained)
    assert not has_nan(nn.Linear(2, 3))


@pytest.mark.usefixtures("_empty_memory_is_nan")
def test_an_encoder_of_a_file_is_not_initialised_but_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_nan(clip_build.build_clip("toyworld_convnext", "toyworld"))
    assert not has_nan(clip_build.build_clip("toyworld_convnext", "random"))
    assert not has_nan(sam_build.build_sam("vit_toy", "toyworld"))
    assert not has_nan(sam_build.build_sam("vit_toy", "random"))
    monkeypatch.setattr(clip_build, "load_clip_weights", lambda *_: None)
    monkeypatch.setattr(sam_build, "load_sam_weights", lambda *_: None)
    assert has_nan(clip_build.build_clip("toyworld_convnext", "toyworld"))
    assert has_nan(sam_build.build_sam("vit_toy", "toyworld"))
