"""Who am I among the processes: rank, world size, gather, sum, barrier; right with and without a started group."""

from typing import Any

import torch
import torch.distributed as dist


def is_distributed() -> bool:
    """Whether this process is one of a started group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return this process's number, 0 when alone."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return the number of processes, 1 when alone."""
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank() == 0


def barrier() -> None:
    """Wait for all processes."""
    if world_size() > 1:
        dist.barrier()


def gather(item: Any) -> list[Any]:
    """Return every process's ``item``, in rank order, on every process."""
    if world_size() == 1:
        return [item]
    items: list[Any] = [None] * world_size()
    dist.all_gather_object(items, item)
    return items


def on_any_rank(flag: bool) -> bool:
    """Tell every process whether any of them has raised the flag; no GPU is waited for."""
    return bool(sum_over_ranks(torch.tensor(float(flag))) > 0)


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of every process's tensor (any shape, equal on all), on every process."""
    if world_size() == 1:
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)
    return total
