"""Mixed precision of training (SOLVER.AMP): autocast dtype and gradient scaler."""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


class Precision(NamedTuple):
    """Precision of the forward and backward pass.

    float16 needs CUDA and a scaled loss; bfloat16 has the range of float32 and needs no scaling.
    """

    device: str  # cpu or cuda
    dtype: torch.dtype  # of matrix products; float32 disables mixed precision
    scaler: torch.amp.GradScaler  # enabled for float16

    @classmethod
    def of(cls, device: str = "cpu", dtype: torch.dtype = torch.float32) -> "Precision":
        """Return the precision with a new gradient scaler."""
        return cls(device, dtype, torch.amp.GradScaler(device, enabled=dtype == torch.float16))

    @classmethod
    def from_config(cls, cfg: CfgNode, device: torch.device) -> "Precision":
        """Read SOLVER.AMP; on a CPU float16 is replaced by float32.

        Raises:
            ConfigError: a GPU without bfloat16.
        """
        amp = cfg.SOLVER.AMP
        dtype, gpu = DTYPES[amp.DTYPE], device.type == "cuda"
        if not amp.ENABLED or (dtype == torch.float16 and not gpu):
            return cls.of(device.type)
        if dtype == torch.bfloat16 and gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ConfigError("SOLVER.AMP.DTYPE is bfloat16, which this GPU does not support: set it to float16.")
        return cls.of(device.type, dtype)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context manager for a forward pass."""
        return torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32)

    def __str__(self) -> str:
        """Describe the precision for the log."""
        name = str(self.dtype).removeprefix("torch.")
        return name if self.dtype == torch.float32 else f"{name} where it is safe, float32 elsewhere"
