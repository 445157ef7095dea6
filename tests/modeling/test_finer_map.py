"""Feature maps at a smaller stride: the original values among the finer ones, the positions, and the config key."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from frozenseg.errors import ConfigError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.finer_map import finer_map
from tests.tiny import TEST, TRAINING, tiny_config, training_batch

CLIP_NAME = "toy_convnext"


def halve(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of every 2×2 pixels."""
    return F.avg_pool2d(x, 2)


def test_a_row_of_pixels_by_hand() -> None:
    row = torch.tensor([0.0, 2.0, 4.0, 10.0]).expand(1, 1, 4, 4)
    assert finer_map(row, [halve])[0, 0, 0].tolist() == [1, 3, 7, 10]  # means of pixels 0-1, 1-2, 2-3, 3-3
    # windows of four pixels that start at −2, −1, 0 and 1, with repeated means where they leave the row
    assert finer_map(row, [halve, halve])[0, 0, 0].tolist() == [1, 3, 4, 6.5]


def test_it_is_a_convolution_with_dilation() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 2, stride=2), nn.Conv2d(3, 2, 2, stride=2)
    x = torch.randn(2, 2, 8, 12)
    expected = F.conv2d(F.conv2d(x, first.weight, first.bias), second.weight, second.bias, dilation=2)
    found = finer_map(x, [first, second])
    assert found.shape == (2, 2, 8, 12)
    assert torch.allclose(found[..., 2:-1, 2:-1], expected, atol=1e-6)  # without the repeated borders


@pytest.mark.parametrize(("stride", "first", "step"), [(32, 0, 1), (16, 0, 2), (8, 2, 4)])
def test_the_values_of_clip_are_among_the_finer_ones(stride: int, first: int, step: int) -> None:
    clip = build_clip(CLIP_NAME, "random:1")
    images = torch.randn(2, 3, 64, 96)
    coarse = clip(images)
    clip.set_pooling_stride(stride)
    fine = clip(images)
    assert fine.dense.shape[-2:] == (64 // stride, 96 // stride)
    assert torch.allclose(fine.dense[..., first::step, first::step], coarse.dense, atol=1e-5)
    assert torch.equal(fine.res5, coarse.res5)


def test_other_strides_are_refused() -> None:
    with pytest.raises(ConfigError, match="pooling stride is 4: set it to one of"):
        build_clip(CLIP_NAME, "random", pooling_stride=4)


def test_a_resnet_has_one_stride() -> None:
    clip = build_clip("toy_resnet", "random")
    clip.set_pooling_stride(32)
    with pytest.raises(ConfigError, match="POOLING_STRIDE is 8, but ResNetCLIP pools at 32"):
        clip.set_pooling_stride(8)


def test_the_key_changes_the_pooling_of_the_model_only() -> None:
    embedded = []
    for stride in (32, 8):
        torch.manual_seed(0)
        model = build_model(tiny_config("FrozenSeg", "MODEL.CLIP.POOLING_STRIDE", stride), TRAINING).eval()
        model.set_vocabulary(TEST, (True, False, False, True))
        embedded.append(model.embed(training_batch()))
    coarse, fine = embedded
    assert (coarse.dense.shape[-2:], fine.dense.shape[-2:]) == ((2, 2), (8, 8))
    assert torch.equal(coarse.masks, fine.masks)
    assert not torch.allclose(coarse.clip_embeddings, fine.clip_embeddings)
