"""Precision of training by config and device."""

import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.engine.training.precision import Precision
from frozenseg.errors import ConfigError
from tests.engine.one_layer import build_trainer, recorder_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "enabled", "name", "dtype", "scales"),
    [
        (CPU, True, "float16", torch.float32, False),  # the default, on a CPU
        (CPU, True, "bfloat16", torch.bfloat16, False),
        (CPU, False, "bfloat16", torch.float32, False),
        (CUDA, True, "float16", torch.float16, True),
        (CUDA, True, "bfloat16", torch.bfloat16, False),
        (CUDA, False, "float16", torch.float32, False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*cuda is not available")
def test_by_config(
    cfg: CfgNode,
    monkeypatch: pytest.MonkeyPatch,
    device: torch.device,
    enabled: bool,
    name: str,
    dtype: torch.dtype,
    scales: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    cfg.SOLVER.AMP.ENABLED, cfg.SOLVER.AMP.DTYPE = enabled, name
    precision = Precision.from_config(cfg, device)
    assert (precision.device, precision.dtype) == (device.type, dtype)
    assert precision.scaler.is_enabled() == (scales and torch.cuda.is_available())


def test_an_unknown_dtype_is_refused(cfg: CfgNode) -> None:
    with pytest.raises(ConfigError, match="SOLVER.AMP.DTYPE is 'fp8', expected 'float16' or 'bfloat16'"):
        cfg.SOLVER.AMP.DTYPE = "fp8"


def test_a_gpu_without_bfloat16(cfg: CfgNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    cfg.SOLVER.AMP.DTYPE = "bfloat16"
    with pytest.raises(ConfigError, match="bfloat16, which this GPU does not support: set it to float16"):
        Precision.from_config(cfg, CUDA)


def test_names() -> None:
    assert str(Precision.of()) == "float32"
    assert str(Precision.of("cpu", torch.bfloat16)) == "bfloat16 where it is safe, float32 elsewhere"


def test_training_in_bfloat16_is_near_float32() -> None:
    plain = build_trainer(max_iter=3)
    plain.train()
    mixed = build_trainer(max_iter=3)
    mixed.precision = Precision.of("cpu", torch.bfloat16)
    mixed.train()
    assert recorder_of(mixed).losses == pytest.approx(recorder_of(plain).losses, rel=0.02)
    assert recorder_of(mixed).losses != recorder_of(plain).losses
    assert mixed.model.layer.weight.dtype == torch.float32
