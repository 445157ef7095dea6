"""Messages for failures from outside of training: memory or disk full, a dead loader process."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from frozenseg.config import CfgNode
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.loader import dead_worker_error
from frozenseg.engine.training.trainer import Trainer
from frozenseg.errors import FrozenSegError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_CPU_MEMORY = "DefaultCPUAllocator"  # part of torch's error message


@contextmanager
def clear_failures(trainer: Trainer, cfg: CfgNode) -> Iterator[None]:
    """Convert failures from outside into errors that say what to do and from which checkpoint to continue.

    Args:
        trainer: trains inside the block.
        cfg: reads SOLVER, INPUT.IMAGE_SIZE, DATALOADER.NUM_WORKERS, and the keys of MODEL that save memory.

    Raises:
        FrozenSegError: memory or disk is full, or a process that loads images has died.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        disk = error.filename or cfg.OUTPUT_DIR
        raise FrozenSegError(f"The disk of {disk} is full: make room, then {_way_to_continue(trainer)}.") from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FrozenSegError(_out_of_memory(trainer, cfg, error)) from error
    except RuntimeError as error:
        if NO_CPU_MEMORY in str(error):
            raise FrozenSegError(_out_of_memory(trainer, cfg, error)) from error
        if worker_error := dead_worker_error(error, cfg.DATALOADER.NUM_WORKERS):
            raise worker_error from error
        raise


def _out_of_memory(trainer: Trainer, cfg: CfgNode, error: Exception) -> str:
    plan, side = BatchPlan.from_config(cfg), cfg.INPUT.IMAGE_SIZE
    at_once = plan.share // plan.parts
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"Step {trainer.iteration + 1} needs more memory than is available, with {at_once} images of {side}×{side} "
        f"pixels at once on each process ({first_line}): {_less_memory(plan, at_once, cfg)}; then "
        f"{_way_to_continue(trainer)}."
    )


def _less_memory(plan: BatchPlan, at_once: int, cfg: CfgNode) -> str:
    """Name a key that reduces the memory; those that do not change the result come first."""
    if at_once > 1:
        fewer = max(number for number in range(1, at_once) if plan.share % number == 0)
        return (
            f"set SOLVER.IMAGES_AT_ONCE {fewer}, which sums the gradients of {plan.share // fewer} parts of {fewer} "
            f"and trains the same batch of {plan.images}"
        )
    if not cfg.MODEL.SEM_SEG_HEAD.RECOMPUTE:
        return "set MODEL.SEM_SEG_HEAD.RECOMPUTE True, which computes the decoder layers twice with the same result"
    if cfg.MODEL.FROZEN_DTYPE == "float32":
        return "set MODEL.FROZEN_DTYPE bfloat16, which halves the memory of the frozen encoders"
    return f"train on smaller crops than INPUT.IMAGE_SIZE {cfg.INPUT.IMAGE_SIZE}, or with a smaller model"


def _way_to_continue(trainer: Trainer) -> str:
    if trainer.last_checkpoint is None:
        return "start again (there is no checkpoint yet)"
    return f"resume from {trainer.last_checkpoint} with --resume"
