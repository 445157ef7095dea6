"""Choice of the implementation of deformable attention, by device and installed packages, logged once."""

import logging

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from frozenseg.modeling.ops import deformable_attention as dispatch

SHAPES = ((2, 2),)


def run(device: str) -> torch.Size:
    value, locations = torch.rand(1, 4, 2, 3, device=device), torch.rand(1, 5, 2, 1, 1, 2, device=device)
    return dispatch.deformable_attention(value, SHAPES, locations, locations[..., 0]).shape


@pytest.mark.parametrize(
    ("triton", "message"), [(True, "on cuda: kernels of Triton"), (False, "on cuda: PyTorch, several times slower")]
)
def test_choice_on_a_gpu(
    triton: bool, message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if triton:
        pytest.importorskip("triton", reason="Triton is not installed")
    monkeypatch.setattr(dispatch, "HAS_TRITON", triton)
    dispatch._log_choice.cache_clear()
    with caplog.at_level(logging.INFO), FakeTensorMode():
        assert [run("cuda"), run("cuda"), run("cpu")] == [(1, 5, 6)] * 3
    assert [message in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("pixels", "trained", "expected"), [(64, True, "torch"), (64, False, "bag"), (4096, True, "bag")]
)
def test_choice_on_a_cpu(pixels: int, trained: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "bag"):
        monkeypatch.setattr(dispatch, f"ms_deform_attn_{name}", lambda *_, name=name: name)
    value = torch.zeros(1, pixels, 2, 128, requires_grad=trained)  # 32 KiB or 2 MiB a head
    assert dispatch.deformable_attention(value, [(pixels, 1)], value, value) == expected
