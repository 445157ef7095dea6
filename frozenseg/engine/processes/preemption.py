"""Being asked to stop: a checkpoint at the end of the step, agreed among the processes, and exit code 0."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from frozenseg import distributed
from frozenseg.engine.training.trainer import Hook
from frozenseg.log import get_logger

if TYPE_CHECKING:
    from frozenseg.engine.training.trainer import Trainer

logger = get_logger(__name__)
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Stopped(BaseException):
    """Leaves an evaluation at once: this process was asked to stop, and has nothing to save."""


class StopOnSignal(Hook):
    """Ends training after the step in which SIGTERM or SIGUSR1 has come to any process. Stands before the checkpoints.

    The signals mean what they did before until training begins, and again after it.
    """

    def __init__(self) -> None:
        self._asked, self._at_once = "", False
        self._before: dict[int, Any] = {}

    def before_train(self, trainer: "Trainer") -> None:
        """Listen."""
        self._before = {number: signal.signal(number, self._ask) for number in SIGNALS}

    def after_step(self, trainer: "Trainer") -> None:
        """Stop if any process was asked to."""
        if distributed.on_any_rank(bool(self._asked)):
            trainer.stopped = True
            logger.info("%s: stopping after %d steps.", self._asked or "Another process", trainer.iteration)

    def close(self, trainer: "Trainer") -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end the block by :class:`Stopped`: for long work that need not be saved.

        Processes leave it each for itself, so they must not wait for each other afterwards.
        """
        self._at_once = True
        try:
            self._leave_if_asked()
            yield
        finally:
            self._at_once = False

    def _ask(self, number: int, frame: Any) -> None:
        self._asked = signal.Signals(number).name
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self._asked and self._at_once:
            self._at_once = False
            raise Stopped
