"""Pooling under SAM's masks as released: the masks shrink toward the upper left corner."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.ensemble.released_pooling import released_pooling_masks
from frozenseg.modeling.sam.automatic_masks.placement import Placement


def whole_image(height: int, width: int) -> tuple[Tensor, Placement]:
    """Return a mask that covers a whole image, in a square at the resolution of the image."""
    side = max(height, width)
    return torch.full((1, side, side), 4.0), Placement((height, width), (height, width), side)


def test_a_map_of_6_by_8_sees_two_pixels_of_a_mask_over_everything() -> None:
    masks = released_pooling_masks(*whole_image(192, 256), (6, 8))
    assert (masks[0] > 0).nonzero().tolist() == [[0, 0], [0, 1]]


def test_masks_shrink_by_the_share_of_the_padding() -> None:
    inside = released_pooling_masks(*whole_image(800, 1067), (25, 34))[0] > 0
    height, width = int(inside.any(dim=1).sum()), int(inside.any(dim=0).sum())
    assert int(inside.sum()) == height * width  # still a rectangle in the upper left corner
    assert bool(inside[0, 0])
    # 25·25/32 = 19.5 rows, 34·34/64 = 18.1 columns; bilinear weights reach half a source pixel farther
    assert (height, width) == (20, 18)


def test_multiples_of_32_are_not_changed() -> None:
    logits, placement = torch.randn(3, 64, 64), Placement((64, 64), (64, 64), 64)
    assert torch.equal(released_pooling_masks(logits, placement, (32, 64)), logits[:, ::2])


@pytest.mark.parametrize(("size", "target"), [((90, 120), (7, 9)), ((33, 50), (25, 34)), ((5, 200), (1, 40))])
def test_equals_the_same_steps_on_whole_masks(size: tuple[int, int], target: tuple[int, int]) -> None:
    placement = Placement.of(*size, side=128)
    logits = torch.randn(4, 32, 32)
    whole = placement.at_image_size(logits)  # (M, H, W)
    small = F.interpolate(whole[None], size=target, mode="nearest")
    padded = F.pad(small, (0, -target[1] % 32, 0, -target[0] % 32))
    expected = F.interpolate(padded, size=target, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(released_pooling_masks(logits, placement, target), expected)
