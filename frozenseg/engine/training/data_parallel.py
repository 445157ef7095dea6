"""How a model trains in several processes. Another way to share it out (FSDP2, say) would be written here alone."""

import inspect
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from frozenseg import distributed


def data_parallel(model: nn.Module, device: torch.device) -> nn.Module:
    """Wrap a model so that gradients are averaged over the processes; alone it stays as it is.

    Frozen parameters are in no bucket of gradients, and buffers are the same everywhere from the beginning.

    Args:
        model: on its device, equal in all processes.
        device: of this process.
    """
    if distributed.world_size() == 1:
        return model
    devices = [device] if device.type == "cuda" else None
    known = inspect.signature(DistributedDataParallel).parameters
    sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in torch 2.15
    return DistributedDataParallel(model, device_ids=devices, **{sync: False})


def gradients_kept_here(model: nn.Module) -> AbstractContextManager[None]:
    """Sum gradients up in this process, in the block; the next backward pass outside averages them over all."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()
