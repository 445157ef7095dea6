"""Seconds, bytes and errors of implementations of deformable attention."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lab.operator_timing.implementations import Attention, Inputs, supports

COPY_BYTES = {"cpu": 2**28, "cuda": 2**31}
CALLS = {"cpu": 1, "cuda": 20}  # of one measurement
FORWARD, BOTH = "forward", "forward and backward"


class Timing(NamedTuple):
    """Seconds of an implementation in one type."""

    implementation: str
    dtype: str
    work: str  # FORWARD or BOTH
    seconds: float  # median of the rounds
    spread: float  # largest minus smallest, seconds
    bytes: int  # of all inputs and outputs, each once

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds


class Errors(NamedTuple):
    """Largest errors against float64, as multiples of the deviation of the values."""

    implementation: str
    dtype: str
    output: float
    value: float  # gradient
    locations: float  # gradient; far from pixel edges, where it is not continuous
    weights: float  # gradient


def time_all(
    attentions: dict[str, Attention], inputs: Inputs, dtypes: Sequence[torch.dtype], rounds: int
) -> list[Timing]:
    """Time all implementations in turn, forward and with the backward pass."""
    timings = []
    for dtype in dtypes:
        made, names = inputs.converted(dtype), [name for name in attentions if supports(name, dtype)]
        for work in (FORWARD, BOTH):
            calls = {name: _work(attentions[name], made, work) for name in names}
            seconds: dict[str, list[float]] = {name: [] for name in names}
            for name in names:
                calls[name]()  # compiles
            for _ in range(rounds):
                for name in names:
                    seconds[name].append(seconds_of(calls[name], made.value.device))
            for name, each in seconds.items():
                row = (name, _name(dtype), work, statistics.median(each), max(each) - min(each))
                timings.append(Timing(*row, moved_bytes(made, work)))
    return timings


def errors_of(attentions: dict[str, Attention], inputs: Inputs, dtypes: Sequence[torch.dtype]) -> list[Errors]:
    """Compare outputs and gradients with those of the readable implementation in float64 on the same values."""
    rows = []
    for dtype in dtypes:
        made = inputs.converted(dtype)
        exact = made.converted(torch.float64)
        smooth = _far_from_edges(exact)
        expected = _output_and_gradients(attentions["torch"], exact)
        for name, attention in attentions.items():
            if supports(name, dtype):
                actual = _output_and_gradients(attention, made)
                pairs = list(zip(actual, expected, strict=True))
                pairs[2] = (actual[2][smooth], expected[2][smooth])
                rows.append(Errors(name, _name(dtype), *(_error(*pair) for pair in pairs)))
    return rows


def copy_rate(device: torch.device) -> float:
    """Return the bytes per second, read and written, of a copy of a large array: the roofline of memory."""
    source = torch.zeros(COPY_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    copy()
    return 2 * source.numel() / min(seconds_of(copy, device) for _ in range(5))


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of one call; on a GPU the mean of several, by events."""
    calls = CALLS[device.type]
    if device.type == "cpu":
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(calls):
        work()
    end.record()
    torch.cuda.synchronize(device)
    elapsed: float = start.elapsed_time(end)
    return elapsed / 1000 / calls


def moved_bytes(inputs: Inputs, work: str) -> int:
    """Return the bytes of inputs and outputs, each counted once: what any implementation has to move."""
    sizes = [each.numel() * each.element_size() for each in inputs.tensors]
    batch, pixels, heads, channels = inputs.value.shape
    output = batch * inputs.locations.shape[1] * heads * channels * inputs.value.element_size()
    forward = sum(sizes) + output
    return forward if work == FORWARD else 2 * forward + sum(sizes)


def _work(attention: Attention, inputs: Inputs, work: str) -> Callable[[], Any]:
    if work == FORWARD:
        fixed = [each.detach() for each in inputs.tensors]
        return lambda: attention(fixed[0], inputs.shapes, fixed[1], fixed[2])
    return lambda: _output_and_gradients(attention, inputs)


def _output_and_gradients(attention: Attention, inputs: Inputs) -> tuple[Tensor, ...]:
    output = attention(inputs.value, inputs.shapes, inputs.locations, inputs.weights)
    upstream = torch.linspace(-1, 1, output.shape[-1], device=output.device).to(output.dtype).expand_as(output)
    return output.detach(), *torch.autograd.grad(output, inputs.tensors, upstream)


def _far_from_edges(inputs: Inputs) -> Tensor:
    """Return True for the locations at which the gradient is the same for slightly other locations."""
    extents = inputs.locations.new_tensor([(width, height) for height, width in inputs.shapes])  # (n, 2)
    position = inputs.locations.detach() * extents[:, None, :] - 0.5
    return ((position - position.round()).abs() > 0.01).all(dim=-1)  # (B, L, h, n, P)


def _error(actual: Tensor, expected: Tensor) -> float:
    return float((actual.double() - expected).abs().max() / expected.std())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
