"""In which numbers the trained part of a model computes while it trains."""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch

from frozenseg.errors import ConfigError, did_you_mean

KINDS = {"float16": torch.float16, "bfloat16": torch.bfloat16}


class Precision(NamedTuple):
    """Mixed precision.

    float16 works on CUDA alone and needs gradients that are scaled up; bfloat16 has float32's range and needs nothing.
    """

    device: str  # cpu or cuda
    dtype: torch.dtype  # of products; float32 switches mixed precision off
    scaler: torch.amp.GradScaler  # enabled for float16

    @classmethod
    def of(cls, device: str = "cpu", dtype: torch.dtype = torch.float32) -> "Precision":
        """Return the precision with a scaler of its own."""
        return cls(device, dtype, torch.amp.GradScaler(device, enabled=dtype == torch.float16))

    @classmethod
    def from_config(cls, cfg: Any, device: torch.device) -> "Precision":
        """Read SOLVER.AMP; on a CPU float16 means float32.

        Raises:
            ConfigError: an unknown SOLVER.AMP.DTYPE, or a GPU that has no bfloat16.
        """
        amp = cfg.SOLVER.AMP
        if amp.DTYPE not in KINDS:
            raise ConfigError(
                f"SOLVER.AMP.DTYPE is {amp.DTYPE!r}.{did_you_mean(amp.DTYPE, KINDS)} Known: {', '.join(KINDS)}."
            )
        dtype, gpu = KINDS[amp.DTYPE], device.type == "cuda"
        if not amp.ENABLED or (dtype == torch.float16 and not gpu):
            return cls.of(device.type)
        if dtype == torch.bfloat16 and gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ConfigError("SOLVER.AMP.DTYPE is bfloat16, which this GPU does not have: set it to float16.")
        return cls.of(device.type, dtype)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the block that a forward pass runs in."""
        return torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32)

    def __str__(self) -> str:
        """Name the numbers."""
        name = str(self.dtype).removeprefix("torch.")
        return name if self.dtype == torch.float32 else f"{name} where it is safe, float32 elsewhere"
