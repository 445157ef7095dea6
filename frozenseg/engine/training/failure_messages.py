"""What can end a training from outside: no memory, no disk, a dead process. Each is told in one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.loader import of_dead_worker
from frozenseg.engine.training.trainer import Trainer
from frozenseg.errors import FrozenSegError

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_CPU_MEMORY = "DefaultCPUAllocator"  # how torch's error for that begins


@contextmanager
def clear_failures(trainer: Trainer, cfg: Any) -> Iterator[None]:
    """Turn what ends a training from outside into a message that says what to do, and from where it can go on.

    Args:
        trainer: that trains in the block.
        cfg: reads SOLVER, INPUT.IMAGE_SIZE, and the keys of MODEL that save memory.

    Raises:
        FrozenSegError: memory or disk are full, or a process that loads images has died.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise FrozenSegError(
            f"The disk of {error.filename or cfg.OUTPUT_DIR} is full: make room, then {_way_on(trainer)}."
        ) from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FrozenSegError(_out_of_memory(trainer, cfg, error)) from error
    except RuntimeError as error:
        if NO_CPU_MEMORY in str(error):
            raise FrozenSegError(_out_of_memory(trainer, cfg, error)) from error
        if told := of_dead_worker(error, cfg.DATALOADER.NUM_WORKERS):
            raise told from error
        raise


def _out_of_memory(trainer: Trainer, cfg: Any, error: Exception) -> str:
    plan, side = BatchPlan.from_config(cfg), cfg.INPUT.IMAGE_SIZE
    at_once = plan.share // plan.parts
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"Step {trainer.iteration + 1} needs more memory than there is, with {at_once} images of {side}×{side} pixels "
        f"at once on each process ({first_line}): {_less_memory(plan, at_once, cfg)}; then {_way_on(trainer)}."
    )


def _less_memory(plan: BatchPlan, at_once: int, cfg: Any) -> str:
    """Say by which keys the same training takes less memory; those that change nothing come first."""
    if at_once > 1:
        fewer = max(number for number in range(1, at_once) if plan.share % number == 0)
        return (
            f"set SOLVER.IMAGES_AT_ONCE {fewer}, which sums the gradients of {plan.share // fewer} parts of {fewer} "
            f"and trains the same batch of {plan.images}"
        )
    if not cfg.MODEL.SEM_SEG_HEAD.RECOMPUTE:
        return "set MODEL.SEM_SEG_HEAD.RECOMPUTE True, which computes the decoders' layers twice to the same result"
    if cfg.MODEL.FROZEN_DTYPE == "float32":
        return "set MODEL.FROZEN_DTYPE bfloat16, which halves the memory of the frozen encoders"
    return f"train on smaller crops than INPUT.IMAGE_SIZE {cfg.INPUT.IMAGE_SIZE}, or with a smaller model"


def _way_on(trainer: Trainer) -> str:
    if trainer.last_checkpoint is None:
        return "start again (there is no checkpoint yet)"
    return f"go on from {trainer.last_checkpoint} with --resume"
