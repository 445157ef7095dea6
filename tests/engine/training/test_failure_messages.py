"""Messages for failures from outside, one sentence each."""

import errno
import re
from pathlib import Path

import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.engine.training.failure_messages import clear_failures
from frozenseg.errors import DataError, FrozenSegError
from tests.engine.one_layer import build_trainer

GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")


def message_for(error: Exception, cfg: CfgNode, last: Path | None = None) -> str:
    trainer = build_trainer()
    trainer.last_checkpoint = last
    with pytest.raises(FrozenSegError) as caught, clear_failures(trainer, cfg):
        raise error
    assert caught.value.__cause__ is error
    return str(caught.value)


def test_no_memory_suggests_fewer_images_at_once_with_numbers(cfg: CfgNode) -> None:
    assert message_for(GPU, cfg, Path("run/model_0000002.pth")) == (
        "Step 1 needs more memory than is available, with 16 images of 1024×1024 pixels at once on each process (CUDA "
        "out of memory. Tried to allocate 2.00 GiB.): set SOLVER.IMAGES_AT_ONCE 8, which sums the gradients of 2 parts "
        "of 8 and trains the same batch of 16; then resume from run/model_0000002.pth with --resume."
    )


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["SOLVER.IMAGES_AT_ONCE", 4], "set SOLVER.IMAGES_AT_ONCE 2, which sums the gradients of 8 parts of 2"),
        (["SOLVER.IMS_PER_BATCH", 9], "set SOLVER.IMAGES_AT_ONCE 3, which sums the gradients of 3 parts of 3"),
        (["SOLVER.IMAGES_AT_ONCE", 1], "set MODEL.SEM_SEG_HEAD.RECOMPUTE True"),
        (["SOLVER.IMAGES_AT_ONCE", 1, "MODEL.SEM_SEG_HEAD.RECOMPUTE", True], "set MODEL.FROZEN_DTYPE bfloat16"),
        (
            ["SOLVER.IMS_PER_BATCH", 1, "MODEL.SEM_SEG_HEAD.RECOMPUTE", True, "MODEL.FROZEN_DTYPE", "float16"],
            "train on smaller crops than INPUT.IMAGE_SIZE 1024",
        ),
    ],
)
def test_the_advice_depends_on_the_keys(cfg: CfgNode, options: list[object], advice: str) -> None:
    cfg.merge_from_list(options)
    assert advice in message_for(MemoryError(), cfg)


def test_no_memory_on_a_cpu(cfg: CfgNode) -> None:
    error = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    assert "needs more memory than is available" in message_for(error, cfg)


def test_a_full_disk(cfg: CfgNode) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "run/metrics.json")
    assert message_for(error, cfg) == (
        "The disk of run/metrics.json is full: make room, then start again (there is no checkpoint yet)."
    )
    assert "The disk of ./output is full" in message_for(OSError(errno.ENOSPC, "No space left on device"), cfg)


def test_a_dead_worker_is_reported_by_any_call(cfg: CfgNode) -> None:
    error = RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. ")
    sentence = "has died (DataLoader worker (pid 12) is killed by signal: Killed). "
    with pytest.raises(DataError, match=re.escape(sentence)), clear_failures(build_trainer(), cfg):
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), RuntimeError("a bug"), KeyError("a bug")])
def test_other_errors_stay_unchanged(cfg: CfgNode, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, clear_failures(build_trainer(), cfg):
        raise error
    assert caught.value is error
