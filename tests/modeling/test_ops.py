"""Deformable attention and point sampling against slow renderings of their formulas."""

import math

import pytest
import torch

from frozenseg.errors import ShapeError
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from frozenseg.modeling.ops.point_sample import point_sample, point_sample_masks


def bilinear(grid: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """Value of (H, W, k) at x, y in 0 … 1, pixel centres at halves, zero outside: one point, by the definition."""
    height, width, channels = grid.shape
    column, row = x * width - 0.5, y * height - 0.5
    total = torch.zeros(channels)
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            if 0 <= r < height and 0 <= c < width:
                total = total + grid[r, c] * (1 - abs(row - r)) * (1 - abs(column - c))
    return total


def test_deformable_attention_equals_its_definition() -> None:
    torch.manual_seed(0)
    shapes, heads, channels, queries, points = [(3, 4), (2, 2)], 2, 3, 5, 2
    value = torch.randn(2, 16, heads, channels)
    locations = torch.rand(2, queries, heads, 2, points, 2) * 1.4 - 0.2  # some lie outside
    weights = torch.rand(2, queries, heads, 2, points)
    output = ms_deform_attn_torch(value, shapes, locations, weights)
    starts = [0, 12]
    for b in range(2):
        for q in range(queries):
            for h in range(heads):
                expected = torch.zeros(channels)
                for level, (height, width) in enumerate(shapes):
                    start = starts[level]
                    grid = value[b, start : start + height * width, h].view(height, width, channels)
                    for p in range(points):
                        x, y = locations[b, q, h, level, p].tolist()
                        expected = expected + weights[b, q, h, level, p] * bilinear(grid, x, y)
                assert torch.allclose(output[b, q, h * channels : (h + 1) * channels], expected, atol=1e-5)


def test_offsets_start_as_rings_and_weights_equal() -> None:
    module = MSDeformAttn(width=8, levels=1, heads=4, points=2)
    ring = module.sampling_offsets.bias.view(4, 1, 2, 2)
    assert torch.allclose(ring[:, 0, 0], torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]), atol=1e-6)
    assert torch.allclose(ring[:, 0, 1], 2 * ring[:, 0, 0])
    assert not module.sampling_offsets.weight.any()
    assert not module.attention_weights.weight.any()


def test_width_that_heads_do_not_divide() -> None:
    with pytest.raises(ShapeError, match="width 10 cannot be split among 4 heads"):
        MSDeformAttn(width=10, levels=1, heads=4, points=2)


def test_deformable_attention_names_a_tensor_of_another_shape() -> None:
    module = MSDeformAttn(width=8, levels=1, heads=4, points=2)
    query, reference_points, value = torch.rand(1, 4, 8), torch.rand(1, 4, 1, 2), torch.rand(1, 4, 8)
    with pytest.raises(ShapeError, match=r"value has shape \(1, 4, 8\), expected \(B=1, S=6, d=8\)"):
        module(query, reference_points, value, [(2, 3)])
    with pytest.raises(ShapeError, match=r"reference_points has shape \(1, 3, 1, 2\), expected \(B, L=4, n=1, 2\)"):
        module(query, reference_points[:, :3], value, [(2, 2)])


def test_point_sample_by_hand() -> None:
    maps = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    points = torch.tensor([[[0.25, 0.25], [0.5, 0.5], [0.75, 0.25], [0.0, 0.0]]])
    # a pixel centre, the middle of all four, another centre, a corner: a quarter of pixel 0 and zeros around it
    assert torch.allclose(point_sample(maps, points)[0, 0], torch.tensor([0.0, 1.5, 1.0, 0.0]))
    with pytest.raises(ShapeError, match=r"points has shape \(2, 4, 2\), expected \(N=1, P, 2\)"):
        point_sample(maps, points.expand(2, -1, -1))


@pytest.mark.parametrize("shared", [True, False])
def test_binary_masks_are_sampled_like_maps(shared: bool) -> None:
    torch.manual_seed(0)
    masks = torch.rand(3, 5, 4) > 0.5
    points = torch.rand(1 if shared else 3, 50, 2) * 1.4 - 0.2  # some lie outside
    expected = point_sample(masks[:, None].float(), points.expand(3, -1, -1))[:, 0]
    torch.testing.assert_close(point_sample_masks(masks, points), expected, atol=1e-6, rtol=0)


def test_points_of_another_number_of_masks() -> None:
    with pytest.raises(ShapeError, match="points"):
        point_sample_masks(torch.ones(3, 4, 4, dtype=torch.bool), torch.rand(2, 5, 2))
