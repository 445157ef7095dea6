"""Selection of the torch device of a process."""

import os

import torch

from frozenseg.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """Return the device for a value of MODEL.DEVICE.

    Args:
        name: ``cpu``, ``cuda`` (the GPU with the local rank of this process), ``cuda:N``, or ``auto``: cuda if
            available, else cpu.

    Raises:
        ConfigError: the name is invalid, or this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ConfigError(f"MODEL.DEVICE is {name!r}, expected auto, cpu, cuda or cuda:N.")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError(f"MODEL.DEVICE is {name!r}, but torch has no CUDA device here: set it to cpu or auto.")
    number = int(index or os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"MODEL.DEVICE is {name!r}, which is GPU {number} for this process, but this machine has "
            f"{torch.cuda.device_count()}: use fewer processes or another device."
        )
    return torch.device("cuda", number)
