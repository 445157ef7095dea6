"""Categories of ToyWorld: combinations of colours, patterns and shapes, and materials.

The name of a thing is "[pattern] colour shape", such as "red circle" or "striped blue star"; a plain surface has no
pattern word. The name of a background is its material. Training has the *seen* categories; the zero-shot test has three
more tiers:

* ``combination``: each word of the name is seen, their combination is not;
* ``word``: a colour, a shape or a pattern that is not in the training split;
* ``material``: backgrounds that are not in the training split.
"""

import colorsys
from dataclasses import dataclass, field
from typing import NamedTuple

SEEN = "seen"
UNSEEN_TIERS = ("combination", "word", "material")
WIDE = "wide"  # tier of the encoders' pretraining: every combination of words
FIRST_WIDE_ID = 1001
FIRST_STUFF_ID = 101  # a gap between things and stuff, as in COCO, so that ids cannot be taken for indices


class Hue(NamedTuple):
    """A colour: hue, saturation and value, each 0-1."""

    hue: float
    saturation: float
    value: float


COLOURS: dict[str, Hue] = {
    "red": Hue(0.99, 0.85, 0.85),
    "green": Hue(0.34, 0.75, 0.66),
    "blue": Hue(0.61, 0.82, 0.88),
    "yellow": Hue(0.15, 0.85, 0.95),
    "purple": Hue(0.78, 0.65, 0.68),
    "orange": Hue(0.065, 0.90, 0.95),
}
PATTERNS = ("striped", "dotted", "checkered")
SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "cross", "crescent")
MATERIALS = ("grass", "sand", "water", "brick", "wood", "marble", "tiles", "gravel")

_SEEN_THINGS = """
    red circle, red square, red star, green circle, green square, green triangle,
    blue square, blue triangle, blue star, yellow circle, yellow triangle, yellow star,
    striped red triangle, striped blue circle, dotted green star, dotted yellow square
"""
_COMBINATIONS = """
    red triangle, green star, blue circle, yellow square,
    striped blue star, striped green square, dotted red circle, dotted yellow triangle
"""
_NEW_WORDS = """
    purple circle, purple star, orange square, orange triangle,
    red heart, green cross, blue crescent, yellow hexagon,
    checkered red square, checkered blue circle
"""
_SEEN_MATERIALS = (("grass", "lawn"), ("sand", "beach"), ("water", "sea"), ("brick", "brick wall"))
_NEW_MATERIALS = (("wood", "planks"), ("marble",), ("tiles", "tiled floor"), ("gravel", "pebbles"))
_MATERIAL_COLOURS = {
    "grass": (104, 151, 66),
    "sand": (214, 186, 130),
    "water": (64, 130, 178),
    "brick": (160, 82, 64),
    "wood": (140, 96, 58),
    "marble": (222, 220, 216),
    "tiles": (146, 170, 176),
    "gravel": (128, 124, 118),
}


@dataclass(frozen=True)
class Category:
    """One class of ToyWorld.

    Attributes:
        id: number in the annotation files, with gaps.
        names: its synonyms; the first is its name in reports.
        isthing: countable shape (True) or background material (False).
        tier: ``seen``, ``combination``, ``word`` or ``material``.
        parts: of the name: ``{"colour", "pattern", "shape"}`` (pattern "" if plain) or ``{"material"}``.
        rgb: colour in drawings, 0-255.
    """

    id: int
    names: tuple[str, ...]
    isthing: bool
    tier: str
    parts: dict[str, str] = field(hash=False)
    rgb: tuple[int, int, int]

    @property
    def name(self) -> str:
        """The first synonym."""
        return self.names[0]


def all_categories() -> tuple[Category, ...]:
    """Return every category, by rising id: things, then materials."""
    things = [(name.strip(), tier) for tier, text in _THING_TIERS for name in text.split(",")]
    materials = [(names, SEEN) for names in _SEEN_MATERIALS] + [(names, "material") for names in _NEW_MATERIALS]
    return tuple(
        [_thing(number, name, tier) for number, (name, tier) in enumerate(things, start=1)]
        + [_material(number, names, tier) for number, (names, tier) in enumerate(materials, start=FIRST_STUFF_ID)]
    )


def seen_categories() -> tuple[Category, ...]:
    """Return the categories of the training split."""
    return tuple(category for category in all_categories() if category.tier == SEEN)


def wide_categories() -> tuple[Category, ...]:
    """Return a thing of every colour, pattern and shape, and every material, for pretraining on a wide vocabulary."""
    names = [
        " ".join(filter(None, (pattern, colour, shape)))
        for pattern in ("", *PATTERNS)
        for colour in COLOURS
        for shape in SHAPES
    ]
    materials = [category for category in all_categories() if not category.isthing]
    return (*(_thing(number, name, WIDE) for number, name in enumerate(names, start=FIRST_WIDE_ID)), *materials)


_THING_TIERS = ((SEEN, _SEEN_THINGS), ("combination", _COMBINATIONS), ("word", _NEW_WORDS))


def _thing(number: int, name: str, tier: str) -> Category:
    *pattern, colour, shape = name.split()
    parts = {"colour": colour, "pattern": " ".join(pattern), "shape": shape}
    return Category(number, (name,), True, tier, parts, _drawing_colour(parts))


def _material(number: int, names: tuple[str, ...], tier: str) -> Category:
    return Category(number, names, False, tier, {"material": names[0]}, _MATERIAL_COLOURS[names[0]])


def _drawing_colour(parts: dict[str, str]) -> tuple[int, int, int]:
    """Return the colour of the thing, shifted a little by shape and pattern so that classes differ in drawings."""
    hue, saturation, value = COLOURS[parts["colour"]]
    shift = SHAPES.index(parts["shape"]) - len(SHAPES) / 2
    paler = 0.25 * (1 + PATTERNS.index(parts["pattern"])) / len(PATTERNS) if parts["pattern"] else 0.0
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation - paler, min(1.0, value + 0.02 * shift))
    return round(255 * red), round(255 * green), round(255 * blue)
