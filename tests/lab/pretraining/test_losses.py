"""The losses, by hand."""

import math

import numpy as np
import pytest
import torch

from frozenseg.modeling.pretrained import TOYWORLD_TINY_SAM
from frozenseg.modeling.sam.build import build_sam
from lab.pretraining.clip import contrastive_loss
from lab.pretraining.pixel_groups import GroupedPromptStep, group_logits
from lab.pretraining.sam import AS_SAM, SHARP, Prompts, draw_prompts, mask_ious, mask_losses, sam_losses
from lab.pretraining.scene_pool import ScenePool


def test_contrast_without_a_difference_is_the_logarithm_of_the_batch():
    assert contrastive_loss(torch.zeros(4, 4), torch.eye(4, dtype=torch.bool)).item() == pytest.approx(math.log(4))


def test_true_sentences_share_the_probability_as_they_like():
    true = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert contrastive_loss(torch.where(true, 0.0, -1e9), true).item() == pytest.approx(0)
    logits = torch.tensor([[3.0, -9.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    first = math.log(math.exp(3) + math.exp(-9) + math.e) - math.log(math.exp(3) + math.exp(-9))
    assert contrastive_loss(logits, true).item() == pytest.approx((first + math.log(3 / 2) + math.log(3)) / 3)


def test_perfect_masks_cost_nothing():
    masks = torch.zeros(1, 4, 4)
    masks[:, :2] = 1
    logits = torch.where(masks > 0, 50.0, -50.0)[:, None].expand(1, 4, 4, 4)
    losses = sam_losses(logits, torch.ones(1, 4), masks)
    assert {name: round(value.item(), 6) for name, value in losses.items()} == {"pixels": 0, "dice": 0, "quality": 0}


def test_of_the_three_masks_the_best_one_learns():
    masks = torch.zeros(1, 4, 4)
    masks[:, :2] = 1
    right = torch.where(masks > 0, 50.0, -50.0)
    logits = torch.stack([right, -right, right, -right], dim=1).requires_grad_(True)  # the first, then three
    losses = sam_losses(logits, torch.tensor([[1.0, 0.0, 1.0, 0.0]]), masks)
    assert losses["dice"].item() == pytest.approx(0, abs=1e-6)
    assert losses["quality"].item() == pytest.approx(0, abs=1e-6)  # the wrong ones have an IoU of 0


def test_weights_of_the_losses_of_a_mask():
    logits, masks = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    entropy, dice = math.log(2), 1 - (2 * 0.5 + 1) / (4 * 0.5 + 1 + 1)
    pixels, overlap = mask_losses(logits, masks, SHARP)
    assert (pixels.item(), overlap.item()) == (pytest.approx(5 * entropy), pytest.approx(5 * dice))
    pixels, overlap = mask_losses(logits, masks, AS_SAM)  # focal: every pixel has an error of one half
    assert (pixels.item(), overlap.item()) == (pytest.approx(20 * 0.5**2 * entropy), pytest.approx(dice))


def test_pixels_close_to_the_one_of_the_point_are_its_group():
    sam = build_sam(TOYWORLD_TINY_SAM, "random")
    columns = torch.arange(64.0).expand(1, 1, 64, 64)  # an embedding of one channel: the column
    sam.mask_decoder.output_upscaling = torch.nn.Identity()
    points = torch.tensor([[[20.0, 5.0], [127.9, 0.0]]])  # columns 10 and 63
    logits = group_logits(sam, columns, points)
    assert logits.shape == (1, 2, 64, 64)
    assert logits[0, 0, 7, 8:13].tolist() == [-2, 1, 2, 1, -2]  # 2 − squared distance
    assert logits[0, 1, 0, 61:].tolist() == [-2, 1, 2]


def test_masks_have_losses_after_the_groups(pool: ScenePool):
    sam = build_sam(TOYWORLD_TINY_SAM, "random")
    step = GroupedPromptStep(sam, pool, batch=2, first_of_masks=1, seed=0)
    groups = {"group pixels", "group dice"}
    assert set(step(0)) == groups
    assert set(step(1)) == groups | {"pixels", "dice", "quality"}


def test_ious_of_masks():
    logits, target = torch.full((2, 2), -1.0), torch.zeros(2, 2)
    logits[0], target[:, 0] = 1.0, 1.0
    assert mask_ious(logits, target).item() == pytest.approx(1 / 3)


def test_prompts_lie_in_their_masks(pool: ScenePool):
    prompts = draw_prompts(np.random.default_rng(0), pool, batch=3, points=5)
    assert isinstance(prompts, Prompts)
    assert prompts.images.shape == (3, 3, 128, 128)
    assert prompts.masks.shape == (3, 5, 64, 64)
    for points, masks in zip(prompts.points, prompts.masks, strict=True):
        for (x, y), mask in zip(points.tolist(), masks, strict=True):
            assert mask[int(y) // 2, int(x) // 2] > 0
