"""Selection of the torch device of a process."""

import os

import torch

from frozenseg.errors import ConfigError


def pick_device(name: str | int | torch.device, source: str = "MODEL.DEVICE") -> torch.device:
    """Return the device for a value of MODEL.DEVICE.

    Args:
        name: ``cpu``, ``cuda`` (the GPU with the local rank of this process), ``cuda:N`` or N, ``auto``: cuda if
            available, else cpu; or a ``torch.device``.
        source: key or argument that has the value, for messages.

    Raises:
        ConfigError: the name is invalid, or this machine has no such device.
    """
    text = f"cuda:{name}" if isinstance(name, int) and not isinstance(name, bool) else str(name)
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, index = text.partition(":")
    if kind not in ("cpu", "cuda") or bool(colon) != index.isdecimal() or (kind == "cpu" and index not in ("", "0")):
        raise ConfigError(f"{source} is {name!r}, expected auto, cpu, cuda or cuda:N.")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError(f"{source} is {name!r}, but torch has no CUDA device here: set it to cpu or auto.")
    number = int(index or os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"{source} is {name!r}, which is GPU {number} for this process, but this machine has "
            f"{torch.cuda.device_count()}: use fewer processes or another device."
        )
    return torch.device("cuda", number)
