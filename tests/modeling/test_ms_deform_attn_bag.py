"""Deformable attention as sums of table rows against the readable implementation, output and gradients."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from frozenseg.modeling.ops import ms_deform_attn_bag as bag
from frozenseg.modeling.ops.ms_deform_attn_bag import ms_deform_attn_bag
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch

Shapes = Sequence[tuple[int, int]]
LEVELS = ((4, 3), (1, 5))


def random_inputs(shapes: Shapes = LEVELS, *, images: int = 2, queries: int = 7, heads: int = 2) -> list[Tensor]:
    """Return value, locations and weights in float64; a third of the locations is outside of the maps."""
    torch.manual_seed(queries)
    pixels, samples = sum(h * w for h, w in shapes), (images, queries, heads, len(shapes), 3)
    made = torch.randn(images, pixels, heads, 4), torch.rand(*samples, 2) * 1.6 - 0.3, torch.rand(samples)
    return [each.double().requires_grad_() for each in made]


def assert_same(inputs: Sequence[Tensor], shapes: Shapes = LEVELS) -> None:
    value, locations, weights = inputs
    expected = ms_deform_attn_torch(value, shapes, locations, weights)
    output = ms_deform_attn_bag(value, shapes, locations, weights)
    upstream = torch.randn_like(expected)
    torch.testing.assert_close(output, expected)
    gradients = torch.autograd.grad(output, inputs, upstream)
    for name, got, correct in zip(
        ("value", "locations", "weights"), gradients, torch.autograd.grad(expected, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(got, correct, msg=lambda text, name=name: f"gradient of {name}: {text}")


@settings(max_examples=25, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3),
    images=st.integers(1, 3),
    queries=st.integers(1, 9),
    heads=st.integers(1, 3),
)
def test_equals_the_readable_implementation(shapes: Shapes, images: int, queries: int, heads: int) -> None:
    assert_same(random_inputs(shapes, images=images, queries=queries, heads=heads), shapes)


def test_blocks_of_queries_and_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bag, "SAMPLES_OF_BLOCK", 30)  # two queries a block, across the images of a batch
    monkeypatch.setattr(bag, "BAGS_OF_BLOCK", 3)
    assert_same(random_inputs(images=3, queries=7))


def test_gradients_by_finite_differences() -> None:
    value, locations, weights = random_inputs(images=1, queries=2, heads=1)
    assert torch.autograd.gradcheck(
        lambda *each: ms_deform_attn_bag(each[0], LEVELS, *each[1:]), (value, locations, weights)
    )


@pytest.mark.parametrize("far", [-1e12, -1.0, 2.0, 1e12])
def test_samples_far_outside_are_zero_and_have_no_gradient(far: float) -> None:
    value, locations, weights = random_inputs()
    locations = torch.full_like(locations, far).requires_grad_()
    output = ms_deform_attn_bag(value, LEVELS, locations, weights)
    assert not output.any()
    assert not any(each.any() for each in torch.autograd.grad(output.sum(), (value, locations, weights)))


def test_a_location_that_is_nan_makes_its_query_nan_and_no_other() -> None:
    value, locations, weights = (each.detach() for each in random_inputs(images=1, queries=3))
    locations[0, 1, 0, 0, 0, 0] = torch.nan
    output = ms_deform_attn_bag(value, LEVELS, locations, weights).unflatten(-1, (2, 4))  # (1, 3, heads, 4)
    assert output[0, 1, 0].isnan().all()
    assert not output[0, [0, 2]].isnan().any()
    assert not output[0, 1, 1].isnan().any()
