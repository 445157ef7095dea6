"""Levels of difficulty of ToyWorld's scenes.

At level 0, colours tell things from the ground. The levels above add what makes colours and outlines unreliable:
camouflage, holes, parts of another colour, transparency, clutter, shade and blur. The annotations stay exact, and the
largest part of each thing keeps the colour of its name.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difficulty:
    """Shares of hard things and strength of hard light in a scene.

    Attributes:
        things: smallest and largest number of things.
        radii: smallest and largest radius of a thing, as a share of the image's shorter side.
        camouflage: share of things on ground of the same colour, which keeps the texture of its material.
        decoys: largest number of stains of the ground in the colour of a thing, without a thing.
        hollow: share of plain things that are only a thin band along their outline.
        two_coloured: share of things with a smaller part in another colour.
        transparent: share of the other things through which the ground and other things are visible.
        shade: largest share of the light that a soft shade takes, 0-1.
        blur: largest standard deviation of the blur, in world units (pixels of a 128×128 image).
    """

    things: tuple[int, int] = (2, 8)
    radii: tuple[float, float] = (0.095, 0.175)
    camouflage: float = 0.0
    decoys: int = 0
    hollow: float = 0.0
    two_coloured: float = 0.0
    transparent: float = 0.0
    shade: float = 0.0
    blur: float = 0.0


EASIEST = Difficulty()
DIFFICULTIES = (
    EASIEST,
    Difficulty((2, 8), (0.095, 0.175), 0.3, 1, 0.15, 0.25, 0.15, 0.3, 0.4),
    Difficulty((6, 14), (0.085, 0.155), 0.5, 2, 0.25, 0.4, 0.25, 0.45, 0.7),
    Difficulty((15, 25), (0.06, 0.11), 0.4, 2, 0.3, 0.5, 0.3, 0.55, 0.7),
)


def happens(rng: np.random.Generator, share: float) -> bool:
    """Draw an event with a probability; no number is drawn for 0, so that level 0 has the same scenes without it."""
    return share > 0 and bool(rng.random() < share)
