"""Collective operations of the process group: rank, world size, gather, sum, barrier; a single process needs no group.

Sums are computed on a device for which the group has a back end. The group of our launcher has one for CPU and GPU
(``cpu:gloo,cuda:nccl``), but that of Detectron2's launcher is NCCL only and cannot reduce CPU tensors. Objects are
gathered by ``all_gather_object``, which chooses the device itself.
"""

from typing import TypeVar

import torch
import torch.distributed as dist

_T = TypeVar("_T")


def is_distributed() -> bool:
    """Return True if this process belongs to an initialised process group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return the rank of this process; 0 without a group."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return the number of processes; 1 without a group."""
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    """Return True on rank 0, the process that writes files and logs to the terminal."""
    return rank() == 0


def barrier() -> None:
    """Wait until all processes have arrived."""
    if world_size() == 1:
        return
    if _supports("cpu"):
        dist.barrier()
    else:  # without the device, NCCL would guess it from the rank
        dist.barrier(device_ids=[torch.cuda.current_device()])


def gather(item: _T) -> list[_T]:
    """Return the ``item`` of every process, in rank order, on every process.

    Args:
        item: any value that can be pickled.
    """
    if world_size() == 1:
        return [item]
    items = [item] * world_size()
    dist.all_gather_object(items, item)
    return items


def on_any_rank(flag: bool) -> bool:
    """Return True on every process if the flag is True on any; synchronizes with the GPU only in an NCCL-only group."""
    return bool(sum_over_ranks(torch.tensor(float(flag))) > 0)


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Return the sum of the tensors of all processes, on every process.

    Args:
        tensor: any shape, equal on all processes; any device.

    Returns:
        A new tensor on the device of ``tensor``; ``tensor`` itself if there is one process only.
    """
    if world_size() == 1:
        return tensor
    total = tensor.to(_reduction_device(tensor.device), copy=True)
    dist.all_reduce(total)
    return total.to(tensor.device)


def _reduction_device(device: torch.device) -> torch.device:
    """Return ``device`` if the group has a back end for it, otherwise the current GPU for the CPU and vice versa."""
    if _supports(device.type):
        return device
    return torch.device("cuda", torch.cuda.current_device()) if device.type == "cpu" else torch.device("cpu")


def _supports(device_type: str) -> bool:
    """Return True if the group has a back end for a device type."""
    backends = dist.get_backend_config().split(",")  # such as ["cpu:gloo", "cuda:nccl"]
    return device_type in {backend.partition(":")[0] for backend in backends}
