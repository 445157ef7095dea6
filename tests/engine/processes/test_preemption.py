"""Preemption: a checkpoint after the step, an evaluation left immediately, the earlier handlers restored."""

import os
import signal
from pathlib import Path

import pytest

from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.processes.preemption import SIGNALS, StopOnSignal, Stopped
from frozenseg.engine.training.hooks import Evaluate
from frozenseg.engine.training.trainer import Hook, Trainer
from tests.engine.one_layer import build_trainer, with_checkpoints


class Send(Hook):
    """Sends a signal to this process during a step."""

    def __init__(self, number: int, iteration: int) -> None:
        self.number, self.iteration = number, iteration

    def before_step(self, trainer: Trainer) -> None:
        if trainer.iteration + 1 == self.iteration:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_training_with_a_checkpoint(number: int, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    trainer = build_trainer(max_iter=9)
    evaluated: list[int] = []
    trainer.hooks += [Send(number, 4), StopOnSignal()]
    with_checkpoints(trainer, tmp_path, period=100).hooks.append(Evaluate(evaluated.append, period=4))
    trainer.train()
    assert trainer.stopped
    assert trainer.iteration == 4
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000004.pth\n"
    assert not (tmp_path / "model_final.pth").exists()
    assert evaluated == []
    assert signal.getsignal(number) == before


def test_an_evaluation_is_left_immediately(tmp_path: Path) -> None:
    stop, after = StopOnSignal(), []

    def evaluate(iteration: int) -> None:
        with stop.at_once():
            os.kill(os.getpid(), signal.SIGTERM)
            after.append(iteration)

    trainer = build_trainer(max_iter=9)
    trainer.hooks.append(stop)
    with_checkpoints(trainer, tmp_path, period=2).hooks.append(Evaluate(evaluate, period=2))
    with pytest.raises(Stopped):
        trainer.train()
    assert after == []
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000002.pth\n"


def test_a_signal_between_step_and_evaluation_is_handled() -> None:
    stop = StopOnSignal()
    stop.before_train(build_trainer())
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped), stop.at_once():
            raise AssertionError("the block must not begin")
    finally:
        stop.close(build_trainer())


def test_leaving_an_evaluation_is_no_failure() -> None:
    def work() -> int:
        raise Stopped

    assert launch(work, (), Processes()) == 0
