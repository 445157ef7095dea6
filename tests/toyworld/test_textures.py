"""Materials and patterns: shapes, ranges of colours, and patterns that differ from plain."""

import numpy as np
import pytest

from frozenseg.toyworld import textures
from frozenseg.toyworld.categories import MATERIALS, PATTERNS


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return x, y


@pytest.mark.parametrize("material", MATERIALS)
def test_material_fills_any_shape_with_colours(material):
    colours = textures.MATERIAL_TEXTURES[material](np.random.default_rng(0), *grid(40, 70))
    assert colours.shape == (40, 70, 3)
    assert colours.dtype == np.float32
    assert colours.min() > -0.3
    assert colours.max() < 1.3
    assert colours.std(axis=(0, 1)).max() > 0.02  # textured, not flat


@pytest.mark.parametrize("material", MATERIALS)
def test_material_is_a_function_of_the_generator(material):
    paint = textures.MATERIAL_TEXTURES[material]
    first, again, other = (paint(np.random.default_rng(seed), *grid(32, 32)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_plain_has_no_second_colour():
    assert not textures.paint_pattern("", *grid(5, 6), phase=0.3).any()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_shows_both_colours(pattern):
    y, x = np.mgrid[-0.8:0.8:50j, -0.8:0.8:50j].astype(np.float32)
    amount = textures.paint_pattern(pattern, x, y, phase=0.0)
    assert amount.min() == 0
    assert amount.max() == 1
    assert 0.15 < amount.mean() < 0.6


def test_stripes_run_along_y():
    y, x = np.mgrid[-0.8:0.8:20j, -0.8:0.8:30j].astype(np.float32)
    amount = textures.paint_pattern("striped", x, y, phase=0.1)
    assert np.array_equal(amount, np.broadcast_to(amount[:1], amount.shape))


def test_smooth_noise_is_bounded_and_smooth():
    noise = textures.smooth_noise(np.random.default_rng(0), (64, 48), 4, 4)
    assert noise.shape == (64, 48)
    assert np.abs(noise).max() < 1.5
    assert np.abs(np.diff(noise, axis=0)).max() < 0.2
