"""Numbers of the operator's timing: bytes, errors, and the implementations of a device."""

import pytest
import torch

from frozenseg.errors import ConfigError
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from lab.operator_timing.implementations import Inputs, Size, implementations, random_inputs, supports
from lab.operator_timing.measure import BOTH, FORWARD, Timing, errors_of, moved_bytes, time_all

CPU = torch.device("cpu")
TINY = Size(32, 64, batch=2, heads=2, channels=4, points=3)


def test_inputs_are_those_of_an_encoder_layer() -> None:
    made = random_inputs(TINY, CPU)
    assert made.shapes == ((1, 2), (2, 4), (4, 8))
    assert made.value.shape == (2, 42, 2, 4)
    assert made.locations.shape == (2, 42, 2, 3, 3, 2)
    assert torch.allclose(made.weights.sum(dim=(3, 4)), torch.ones(2, 42, 2))
    assert torch.allclose(made.locations.mean(dim=(0, 2, 4))[0, 0], torch.tensor([0.25, 0.5]), atol=4.0)


def test_bytes_by_hand() -> None:
    made = random_inputs(TINY, CPU).converted(torch.bfloat16)
    value, locations, weights, output = 2 * 42 * 8 * 2, 2 * 42 * 18 * 2 * 4, 2 * 42 * 18 * 2, 2 * 42 * 8 * 2
    assert moved_bytes(made, FORWARD) == value + locations + weights + output
    # again forward, and the gradients: that of the output is read, those of the inputs are written
    assert moved_bytes(made, BOTH) == 3 * (value + locations + weights) + 2 * output
    assert Timing("bag", "float32", FORWARD, 0.5, 0.0, 100).bandwidth == 200


def test_errors_find_a_wrong_implementation() -> None:
    def wrong(value: torch.Tensor, shapes: object, locations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return ms_deform_attn_torch(value, shapes, locations, 1.1 * weights)

    right, other = errors_of({"torch": ms_deform_attn_torch, "wrong": wrong}, random_inputs(TINY, CPU), [torch.float32])
    assert max(right[2:]) < 1e-4
    assert min(other[2:]) > 0.05


def test_every_implementation_is_timed_in_each_type_that_it_takes() -> None:
    made = random_inputs(TINY, CPU)
    timings = time_all(implementations(CPU), made, [torch.float32, torch.bfloat16], rounds=1)
    assert [row[:3] for row in timings] == [
        (name, "float32", work) for work in (FORWARD, BOTH) for name in ("torch", "bag")
    ]
    assert all(row.seconds > 0 and row.spread == 0 for row in timings)
    assert supports("triton", torch.bfloat16)


def test_names() -> None:
    assert list(implementations(CPU, ("bag",))) == ["bag"]
    with pytest.raises(ConfigError, match="has 'triton', which cpu does not run. Available: torch, bag"):
        implementations(CPU, ("triton",))


def test_converted_inputs_are_leaves_with_precise_locations() -> None:
    half = random_inputs(TINY, CPU).converted(torch.float16)
    assert [each.dtype for each in half.tensors] == [torch.float16, torch.float32, torch.float16]
    assert isinstance(half, Inputs)
    assert all(each.is_leaf and each.requires_grad for each in half.converted(torch.float64).tensors)
