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
