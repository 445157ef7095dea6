"""Data parallelism: wraps a model so that gradients are averaged over the processes.

Another way to distribute a model (such as FSDP2) would be written here alone.
"""

import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from frozenseg import distributed


def data_parallel(model: nn.Module, device: torch.device) -> nn.Module:
    """Wrap a model in DistributedDataParallel; return it unchanged if there is one process.

    Frozen parameters are in no gradient bucket, and buffers are not synchronized, since they are equal on all
    processes from the start.

    Args:
        model: on its device, with equal weights on all processes.
        device: of this process.
    """
    if distributed.world_size() == 1:
        return model
    devices = [device] if device.type == "cuda" else None
    known = inspect.signature(DistributedDataParallel).parameters
    sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in torch 2.15
    options: dict[str, Any] = {sync: False}
    return DistributedDataParallel(model, device_ids=devices, **options)


def without_gradient_sync(model: nn.Module) -> AbstractContextManager[None]:
    """Return a block whose backward passes accumulate gradients in this process only.

    The next backward pass outside the block averages the accumulated gradients over all processes.
    """
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()
