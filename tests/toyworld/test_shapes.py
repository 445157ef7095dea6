"""Outlines: distances at points that can be checked by hand."""

import math

import numpy as np
import pytest

from frozenseg.toyworld.categories import SHAPES
from frozenseg.toyworld.shapes import OUTLINES


def at(shape: str, x: float, y: float) -> float:
    point = np.array([[x]], dtype=np.float32), np.array([[y]], dtype=np.float32)
    return float(OUTLINES[shape](*point)[0, 0])


@pytest.mark.parametrize(
    ("shape", "x", "y", "distance"),
    [
        ("circle", 0.0, 0.0, -0.9),
        ("circle", 0.0, 1.9, 1.0),
        ("square", 0.0, 0.0, -0.76),
        ("square", 1.76, 0.0, 1.0),
        ("square", 0.76 + 3, 0.76 + 4, 5.0),  # from the corner: 3, 4, 5
        ("cross", 0.0, 0.0, -0.33),
        ("cross", 0.95, 0.0, 0.0),
        ("cross", 1.95, 0.0, 1.0),
        ("crescent", -0.95, 0.0, 0.0),  # the back of the moon
        ("crescent", 0.52, 0.0, 0.78),  # the middle of what is cut out
        ("triangle", 0.0, -1.08, 0.0),  # its upper corner
        ("triangle", 0.0, 0.0, -0.54),  # the inner radius is half the outer one
        ("triangle", 0.0, 1.54, 1.0),
        ("hexagon", 0.0, 0.0, -0.98 * math.sqrt(3) / 2),
        ("hexagon", 0.0, -1.98, 1.0),
        ("star", 0.0, -1.08, 0.0),
        ("star", 0.0, 0.48, 0.0),  # the notch opposite to the upper point
        ("heart", 0.0, 0.77, 0.0),  # its tip
        ("heart", 0.0, -0.78, 0.0),  # where the lobes meet
    ],
)
def test_distances(shape, x, y, distance):
    assert at(shape, x, y) == pytest.approx(distance, abs=1e-5)


def test_every_shape_word_has_an_outline():
    assert set(OUTLINES) == set(SHAPES)


@pytest.mark.parametrize("shape", sorted(OUTLINES))
def test_distance_changes_by_no_more_than_the_step(shape):
    """True of every distance; the gradient also lights the edges."""
    y, x = np.mgrid[-1.5:1.5:61j, -1.5:1.5:61j].astype(np.float32)
    distance = OUTLINES[shape](x, y)
    step = 3.0 / 60
    assert np.abs(np.diff(distance, axis=0)).max() <= step + 1e-4
    assert np.abs(np.diff(distance, axis=1)).max() <= step + 1e-4


@pytest.mark.parametrize("shape", sorted(OUTLINES))
def test_outline_stays_within_its_radius(shape):
    y, x = np.mgrid[-1.5:1.5:121j, -1.5:1.5:121j].astype(np.float32)
    inside = OUTLINES[shape](x, y) < 0
    assert np.hypot(x, y)[inside].max() <= 1.1
    assert 0.15 < inside.mean() * 9 / math.pi < 0.95  # its share of the unit disc
