"""Selection of the torch device of a process, and its available memory."""

import os
from pathlib import Path

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


def available_memory(device: torch.device) -> int | None:
    """Return the number of bytes that can still be allocated on a device; None if the system does not say.

    For the CPU these are the available memory of the machine, or what is left of the limit of a container or process.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free: int = torch.cuda.mem_get_info(device)[0]
        return free + cached
    limits = [_meminfo("MemAvailable"), _container_memory(), _process_memory()]
    return min((limit for limit in limits if limit is not None), default=None)


def _meminfo(field: str) -> int | None:
    for line in _lines("/proc/meminfo"):
        name, _, amount = line.partition(":")
        if name == field:
            return int(amount.split()[0]) * 1024
    return None


def _container_memory() -> int | None:
    """Return what is left of the limit of a control group; pages of the file cache can be freed."""
    limit, used = ("".join(_lines(f"/sys/fs/cgroup/memory.{name}")).strip() for name in ("max", "current"))
    if not (limit.isdecimal() and used.isdecimal()):
        return None
    cached = [
        int(line.split()[1]) for line in _lines("/sys/fs/cgroup/memory.stat") if line.startswith("inactive_file ")
    ]
    return int(limit) - int(used) + sum(cached)


def _process_memory() -> int | None:
    """Return what is left of the limit of this process's address space (``ulimit -v``)."""
    try:
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
    except ImportError:
        return None
    pages = "".join(_lines("/proc/self/statm")).split()
    return limit - int(pages[0]) * resource.getpagesize() if pages else None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
