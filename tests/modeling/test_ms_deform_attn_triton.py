"""Triton's kernels of deformable attention against the readable implementation, in Triton's interpreter on a CPU."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from frozenseg.modeling.ops.ms_deform_attn_triton import ms_deform_attn_triton
from tests.tiny import ROOT

pytest.importorskip("triton", reason="Triton is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TWO_LEVELS = ((2, 3), (1, 2))


class Inputs(NamedTuple):
    """Arguments of the operator but for the shapes."""

    value: Tensor
    locations: Tensor
    weights: Tensor

    def detached(self, dtype: torch.dtype) -> "Inputs":
        return Inputs(*(each.detach().to(dtype).requires_grad_() for each in self))


def inputs(
    shapes: Sequence[tuple[int, int]] = TWO_LEVELS,
    images: int = 1,
    queries: int = 3,
    heads: int = 1,
    channels: int = 3,
    points: int = 1,
    dtype: torch.dtype = torch.float32,
) -> Inputs:
    """Return random inputs; a third of the locations is outside of the maps."""
    torch.manual_seed(queries + channels)
    pixels = sum(height * width for height, width in shapes)
    samples = (images, queries, heads, len(shapes), points)
    made = torch.randn(images, pixels, heads, channels), torch.rand(*samples, 2) * 1.6 - 0.3, torch.rand(samples)
    return Inputs(*(each.to(DEVICE) for each in made)).detached(dtype)


def assert_equal(made: Inputs, shapes: Sequence[tuple[int, int]], tolerance: float = 1e-5) -> None:
    """Compare output and gradients with those of the readable implementation in float64."""
    exact = made.detached(torch.float64)
    expected = ms_deform_attn_torch(exact.value, shapes, exact.locations, exact.weights)
    upstream = torch.randn_like(expected)
    output = ms_deform_attn_triton(made.value, shapes, made.locations, made.weights)
    assert output.dtype == made.value.dtype
    assert torch.allclose(output.double(), expected, rtol=tolerance, atol=tolerance)
    gradients = torch.autograd.grad((output.double() * upstream).sum(), made)
    for gradient, wanted, each in zip(
        gradients, torch.autograd.grad((expected * upstream).sum(), exact), made, strict=True
    ):
        assert gradient.dtype == each.dtype
        assert torch.allclose(gradient.double(), wanted, rtol=10 * tolerance, atol=10 * tolerance)


def test_several_images_heads_levels_and_points() -> None:
    made = inputs(images=2, queries=70, heads=2, channels=20, points=2)  # more than one block of queries
    assert_equal(made, TWO_LEVELS, tolerance=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 1e-2), (torch.float16, 1e-3)])
def test_half_precision_sums_in_float32(dtype: torch.dtype, tolerance: float) -> None:
    assert_equal(inputs(dtype=dtype), TWO_LEVELS, tolerance)


def test_values_in_half_precision_at_float32_locations() -> None:
    made = inputs()
    assert_equal(made._replace(value=made.value.detach().bfloat16().requires_grad_()), TWO_LEVELS, tolerance=1e-2)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=2),
    queries=st.integers(1, 3),
    channels=st.integers(1, 9),
    points=st.integers(1, 3),
)
def test_small_shapes(shapes: list[tuple[int, int]], queries: int, channels: int, points: int) -> None:
    assert_equal(inputs(shapes, queries=queries, channels=channels, points=points), shapes, tolerance=1e-5)


def test_gradients_equal_differences() -> None:
    made = inputs([(2, 2)], queries=1, channels=2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *each: ms_deform_attn_triton(each[0], [(2, 2)], *each[1:]), tuple(made))


def test_locations_far_outside_and_not_finite_are_zero() -> None:
    made = inputs([(2, 2)], queries=6)
    for query, coordinate in enumerate((-1e30, 1e30, float("inf"), float("nan"), -0.25 - 1e-6)):
        made.locations.data[0, query] = coordinate
    made.locations.data[0, 5] = 0.25  # the centre of pixel 0
    output = ms_deform_attn_triton(made.value, [(2, 2)], made.locations, made.weights)
    assert not output[0, :5].any()
    assert torch.allclose(output[0, 5], made.value[0, 0, 0] * made.weights[0, 5].squeeze(), atol=1e-6)
    of_value, of_locations, _ = torch.autograd.grad(output.sum(), made)
    assert torch.isfinite(of_value).all()
    assert not of_locations[0, :5].any()


def test_no_queries_and_no_images() -> None:
    for made in (inputs(queries=0), inputs(images=0)):
        output = ms_deform_attn_triton(made.value, TWO_LEVELS, made.locations, made.weights)
        assert output.shape == (len(made.value), made.locations.shape[1], 3)
        assert not torch.autograd.grad(output.sum(), made.value)[0].any()


def test_compiled_without_a_break() -> None:
    made = inputs()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def doubled(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return 2 * ms_deform_attn_triton(value * 1, TWO_LEVELS, locations, weights)

    output = doubled(*made)
    expected = 2 * ms_deform_attn_torch(made.value, TWO_LEVELS, *made[1:])
    assert torch.allclose(output, expected, atol=1e-5)
    for gradient, wanted in zip(
        torch.autograd.grad(output.sum(), made), torch.autograd.grad(expected.sum(), made), strict=True
    ):
        assert torch.allclose(gradient, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": torch.rand(1, 9, 1, 3)}, r"value has shape \(1, 9, 1, 3\), expected \(B, S=8, h, k\)"),
        ({"locations": torch.rand(1, 3, 1, 1, 1, 2)}, r"locations has shape .* expected \(B=1, L, h=1, n=2, P, 2\)"),
        ({"weights": torch.rand(1, 4, 1, 2, 1)}, r"weights has shape .* expected \(B=1, L=3, h=1, n=2, P=1\)"),
        (
            {"value": torch.ones(1, 8, 1, 3, dtype=torch.int32)},
            r"value is torch.int32 on cpu, expected one of torch.fl",
        ),
        ({"weights": torch.rand(1, 3, 1, 2, 1, device="meta")}, "weights is torch.float32 on meta, expected .* on cpu"),
    ],
)
def test_wrong_inputs_are_named(changes: dict[str, Tensor], message: str) -> None:
    made = Inputs(*(each.detach().cpu() for each in inputs()))._replace(**changes)
    with pytest.raises(ShapeError, match=message):
        ms_deform_attn_triton(made.value, TWO_LEVELS, made.locations, made.weights)


def test_more_values_than_32_bits_address() -> None:
    value = torch.empty(1, 2**20, 8, 256, device="meta")
    samples = torch.empty(1, 1, 8, 1, 1, 2, device="meta")
    with pytest.raises(ShapeError, match="1048576 × 8 × 256 values, expected fewer than 2147483648: use smaller"):
        ms_deform_attn_triton(value, [(2**10, 2**10)], samples, samples[..., 0])


COMPILATION = """
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from frozenseg.modeling.ops.deform_attn_kernels import backward_kernel, forward_kernel

class Hopper:
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_current_device = get_current_stream = staticmethod(lambda *_: 0)

class Pointer:
    def __init__(self, dtype):
        self.dtype = dtype

    def data_ptr(self):
        return 0

driver.set_active(Hopper())
half, sums = Pointer("torch.bfloat16"), Pointer("torch.float32")
arguments = (2, 2), (1, 4), (1, 32, 1, 1, 32), 32
forward = forward_kernel.warmup(half, half, half, half, *arguments, grid=(1,))
backward = backward_kernel.warmup((half, half, half), half, (sums, half, half), *arguments, grid=(1,))
print("v4.b32" in forward.asm["ptx"], "add.v4.f32" in backward.asm["ptx"])
"""


def test_kernels_compile_for_an_h200(tmp_path: object) -> None:
    """Compile to machine code, which the interpreter does not; values are read and added in units of 16 bytes."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", COMPILATION], env=environment, capture_output=True, text=True)
    assert done.stdout == "True True\n", done.stderr
