"""Position encoding, mask pooling, MLP: small numbers."""

import math

import pytest
import torch

from frozenseg.errors import ShapeError
from frozenseg.modeling.layers.mask_pooling import binary_masks, mask_pooling
from frozenseg.modeling.layers.mlp import MLP
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.layers.resize import resize


def test_sine_position_by_hand() -> None:
    position = sine_position(torch.zeros(1, 8, 2, 4))  # 4 channels for y, 4 for x
    assert position.shape == (1, 8, 2, 4)
    y = 1 / (2 + 1e-6) * 2 * math.pi  # first of two rows
    expected = [math.sin(y), math.cos(y), math.sin(y / 100), math.cos(y / 100)]  # 10000^(2/4) = 100
    assert torch.allclose(position[0, :4, 0, 0], torch.tensor(expected), atol=1e-6)
    x = 3 / (4 + 1e-6) * 2 * math.pi  # third of four columns
    expected = [math.sin(x), math.cos(x), math.sin(x / 100), math.cos(x / 100)]
    assert torch.allclose(position[0, 4:, 1, 2], torch.tensor(expected), atol=1e-6)


def test_mask_pooling_is_the_mean_inside() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])  # (1, 1, 2, 2)
    masks = torch.tensor([[[[1.0, 1.0], [-1.0, -1.0]], [[-1.0, -1.0], [-1.0, 5.0]], [[-1.0, -1.0], [-1.0, 0.0]]]])
    pooled = mask_pooling(features, masks)
    assert torch.allclose(pooled[0, :, 0], torch.tensor([1.5, 4.0, 0.0]))  # upper row, last pixel, empty


def test_layers_name_a_tensor_of_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"mask_logits has shape \(2, 3, 4, 4\), expected \(B=1, Q, h, w\)"):
        mask_pooling(torch.zeros(1, 8, 4, 4), torch.zeros(2, 3, 4, 4))
    with pytest.raises(ShapeError, match="features has 6 channels; the sine position embedding needs a multiple of 4"):
        sine_position(torch.zeros(1, 6, 4, 4))


def test_masks_carry_no_gradient() -> None:
    features, masks = torch.rand(1, 2, 4, 4, requires_grad=True), torch.rand(1, 3, 4, 4, requires_grad=True)
    mask_pooling(features, masks).sum().backward()
    assert features.grad is not None
    assert masks.grad is None


def test_binary_masks_are_resized_before_the_threshold() -> None:
    masks = torch.tensor([[[[3.0, -1.0], [-1.0, -1.0]]]])  # the mean of all four is 0: not positive
    assert not binary_masks(masks, (1, 1)).any()
    masks[0, 0, 0, 0] = 3.5
    assert binary_masks(masks, (1, 1)).all()


def test_resize_leaves_a_fitting_map_alone() -> None:
    maps = torch.rand(1, 2, 3, 4)
    assert resize(maps, (3, 4)) is maps


def test_mlp_has_relu_between_its_layers_only() -> None:
    mlp = MLP(1, 1, 1, depth=2)
    for layer in mlp.layers:
        torch.nn.init.constant_(layer.weight, -1.0)
        torch.nn.init.zeros_(layer.bias)
    assert mlp(torch.tensor([[2.0], [-2.0]])).flatten().tolist() == [0.0, -2.0]
