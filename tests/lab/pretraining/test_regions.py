"""Scenes with a sentence per region: masks, sentences and their truth values match."""

import numpy as np
import pytest
import torch

from frozenseg.modeling.clip.build import build_clip
from frozenseg.toyworld.categories import wide_categories
from lab.pretraining.clip import MEAN, STD, ContrastiveStep, encode_regions
from lab.pretraining.regions import draw_regions
from lab.pretraining.scene_pool import ScenePool, flipped
from lab.pretraining.sentences import with_one_word_changed, words_of


@pytest.fixture(scope="module")
def clip():
    return build_clip("toyworld_convnext", "random:0")


def test_a_step_draws_the_same_regions_each_time(pool: ScenePool):
    first, second = (draw_regions(np.random.default_rng([0, 5]), pool, 3, 64) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.masks, second.masks)
    assert first.sentences == second.sentences


def test_each_region_has_a_mask_and_a_true_sentence(pool: ScenePool):
    for seed in range(8):
        regions = draw_regions(np.random.default_rng(seed), pool, 3, 64)
        count = int(regions.present.sum())
        assert regions.images.shape == (3, 3, 64, 64)
        assert regions.masks.shape == (3, regions.present.shape[1], 128, 128)
        assert regions.masks.flatten(2).any(dim=-1).equal(regions.present)
        assert regions.masks.sum(dim=1).max() == 1  # no pixel twice
        assert regions.true.shape == (count, len(regions.sentences))
        assert regions.true[:, :count].diagonal().all()


def test_one_word_differs():
    rng = np.random.default_rng(0)
    for thing in wide_categories()[:60]:
        assert len(words_of(thing) - words_of(with_one_word_changed(rng, thing))) == 1


def test_a_mirrored_scene_keeps_its_layers_in_place(pool: ScenePool):
    rng = np.random.default_rng(1)
    inside = pool.layers[0] == 1
    brightest = {pool.images[0][:, inside].sum().item()}
    seen = {flipped(rng, pool.images[0], pool.layers[0])[1].numpy().tobytes() for _ in range(40)}
    assert len(seen) == 4
    for _ in range(10):
        image, layers = flipped(rng, pool.images[0], pool.layers[0])
        assert image[:, layers == 1].sum().item() in brightest


def test_regions_are_pooled_as_frozenseg_pools_them(clip, pool: ScenePool):
    regions = draw_regions(np.random.default_rng(0), pool, 2, 64)
    with torch.no_grad():
        vectors, seen = encode_regions(clip.clip_model, regions)
    assert vectors.shape == (int(regions.present.sum()), clip.embed_dim)
    assert seen.shape == vectors.shape[:1]
    dense = clip((regions.images - MEAN) / STD).dense
    expected = clip.project(dense, 2 * regions.masks.float() - 1)[regions.present]
    torch.testing.assert_close(vectors, expected)
    blank = clip.project(dense, -torch.ones(2, 1, 4, 4))[0, 0]
    assert all(not torch.allclose(vector, blank) for vector in vectors[seen])


def test_the_first_steps_show_crops_alone(clip, pool: ScenePool):
    step = ContrastiveStep(clip, pool, batch=20, steps=100, seed=0)
    step._of_crops = lambda rng: "crops"
    step._of_regions = lambda rng: "regions"
    kinds = [step(number) for number in range(100)]
    assert set(kinds[:40]) == {"crops"}
    assert 40 < kinds[40:].count("regions") < 56
