"""Clock of the parts of a model: modules and methods are replaced by timed ones, which compute the same."""

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class PartClock:
    """Seconds that each part of a model takes in a run.

    On a GPU the parts are timed by events, without synchronisation. Parts inside a compiled module are not timed.

    Args:
        device: of the model.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._clock: Callable[[], float] = time.perf_counter
        self._spans: list[tuple[str, Any, Any]] = []  # part, start, end

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that also adds its time to a part."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return function(*args, **kwargs)
            start = self.now()
            result = function(*args, **kwargs)
            self.add(part, start, self.now())
            return result

        return call

    def time_module(self, part: str, module: nn.Module) -> None:
        """Time every call of a module, including what its class does before and after ``forward``."""
        kind = type(module)
        attributes = {"__call__": self.timed(part, kind.__call__), "__module__": kind.__module__}
        module.__class__ = type(kind.__name__, (kind,), attributes)

    def time_method(self, part: str, module: nn.Module, name: str) -> None:
        """Time every call of a method."""
        setattr(module, name, self.timed(part, getattr(module, name)))

    def count_processor_time(self) -> None:
        """Count the processor time of this process, all threads together, which other processes do not change."""
        self._clock = time.process_time

    def now(self) -> Any:
        """Return a mark of the present time on the device."""
        if self.device.type != "cuda":
            return self._clock()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's class has no annotations
        event.record()
        return event

    def add(self, part: str, start: Any, end: Any) -> None:
        """Add the time between two marks to a part."""
        self._spans.append((part, start, end))

    def whole(self, work: Callable[[], Any]) -> tuple[Any, float]:
        """Run work from an empty clock; returns its result and its seconds, until the device has finished."""
        self._spans.clear()
        self._synchronise()
        start = self._clock()
        result = work()
        self._synchronise()
        return result, self._clock() - start

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part in the last run."""
        totals: dict[str, float] = {}
        for part, start, end in self._spans:
            span = end - start if isinstance(start, float) else start.elapsed_time(end) / 1000
            totals[part] = totals.get(part, 0.0) + span
        return totals

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
