"""What the model runs on."""

import os

import torch

from frozenseg.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """Return the device that MODEL.DEVICE means, for this process.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for cuda where there is one.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ConfigError(f"MODEL.DEVICE is {name!r}; it is one of auto, cpu, cuda.")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError(f"MODEL.DEVICE is {name!r}, but torch finds no GPU here; set it to cpu or auto.")
    number = int(index or os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise ConfigError(f"GPU {number} is asked for, but this machine has {torch.cuda.device_count()}.")
    return torch.device("cuda", number)
