"""Preemption: on SIGTERM or SIGUSR1 all processes stop after the same step, with a checkpoint and exit code 0."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frozenseg import distributed
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.log import get_logger

logger = get_logger(__name__)
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Stopped(BaseException):
    """Raised to leave an evaluation immediately after a signal, since there is nothing to save."""


class StopOnSignal(Hook):
    """Stops training after the step in which any process has received SIGTERM or SIGUSR1.

    The signals are handled only during training; their earlier handlers are restored after it.
    """

    def __init__(self) -> None:
        self._signal, self._at_once = "", False
        self._before: dict[int, Any] = {}

    def before_train(self, trainer: Trainer) -> None:
        """Install the signal handlers."""
        self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Stop if any process has received a signal."""
        if distributed.on_any_rank(bool(self._signal)):
            trainer.stopped = True
            logger.info(
                "%s: stopping after %d steps.", self._signal or "A signal to another process", trainer.iteration
            )

    def close(self, trainer: Trainer) -> None:
        """Restore the earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise :class:`Stopped` in the block as soon as a signal arrives: for long work that need not be saved.

        Each process leaves the block separately, so they must not wait for each other afterwards.
        """
        self._at_once = True
        try:
            self._stop_if_signalled()
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: Any) -> None:
        self._signal = signal.Signals(number).name
        self._stop_if_signalled()

    def _stop_if_signalled(self) -> None:
        if self._signal and self._at_once:
            self._at_once = False
            raise Stopped
