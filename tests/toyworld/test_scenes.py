"""Scenes: exact, deterministic, with visible segments, and not solvable by colour."""

import numpy as np
import pytest

from frozenseg.toyworld import scenes, things
from frozenseg.toyworld.categories import all_categories, seen_categories
from frozenseg.toyworld.difficulty import EASIEST
from frozenseg.toyworld.looks import draw_look
from frozenseg.toyworld.scenes import Cast, Scene, draw_cast, render_scene

BY_NAME = {category.name: category for category in all_categories()}


def make(seed: int, categories=None, size: tuple[int, int] = (128, 128)) -> Scene:
    rng = np.random.default_rng(seed)
    return render_scene(rng, draw_cast(rng, categories or all_categories()), *size)


@pytest.fixture(scope="module")
def some_scenes() -> list[Scene]:
    return [make(seed) for seed in range(60)]


def test_same_seed_same_scene_other_seed_other_scene():
    first, again, other = make(5), make(5), make(6)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.ids, again.ids)
    assert first.segments == again.segments
    assert not np.array_equal(first.image, other.image)


def test_ids_and_segments_agree(some_scenes):
    for scene in some_scenes:
        assert scene.image.shape == (128, 128, 3)
        assert scene.image.dtype == np.uint8
        assert scene.ids.dtype == np.int32
        assert set(np.unique(scene.ids)) == {segment.id for segment in scene.segments}
        assert scene.ids.min() > 0
        assert scene.ids.max() < 1 << 24


def test_numbers_of_materials_and_things(some_scenes):
    for scene in some_scenes:
        materials = [segment.category for segment in scene.segments if not segment.category.isthing]
        assert 1 <= len(materials) <= 3
        assert len(set(materials)) == len(materials)  # one segment a material
        assert 2 <= len(scene.segments) - len(materials) <= 8


def test_no_segment_is_tiny(some_scenes):
    for scene in some_scenes:
        _, areas = np.unique(scene.ids, return_counts=True)
        assert areas.min() >= scenes.MIN_VISIBLE_PIXELS


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (200, 72)])
def test_other_sizes(size):
    scene = make(1, size=size)
    assert scene.image.shape == (*size, 3)
    assert scene.ids.shape == size


def test_things_hide_what_they_cover_and_no_more_than_allowed():
    rng = np.random.default_rng(3)
    scene = render_scene(rng, Cast((BY_NAME["sand"],), (BY_NAME["red circle"],) * 8))
    _, areas = np.unique(scene.ids[scene.ids != scene.segments[0].id], return_counts=True)
    smallest = np.pi * (0.9 * EASIEST.radii[0] * 128) ** 2
    assert areas.min() > 0.3 * scenes.MIN_VISIBLE_SHARE * smallest  # 0.3: a quarter may be outside the image


def test_id_map_is_the_outline_to_the_pixel():
    """A pixel belongs to a circle if its centre is inside."""
    rng = np.random.default_rng(0)
    thing = things.place_thing(rng, BY_NAME["red circle"], 128, 128)
    layers = thing.cover(np.zeros((128, 128), dtype=np.int64), 1)
    rows, columns = thing.window
    inside = np.hypot(thing.x, thing.y) < 0.9
    assert np.array_equal(layers[rows, columns] == 1, inside)
    assert layers.sum() == inside.sum() == thing.area
    assert thing.area == pytest.approx(np.pi * (0.9 * thing.radius) ** 2, rel=0.03)


def test_painting_changes_no_pixel_outside_the_window():
    rng = np.random.default_rng(0)
    thing = things.place_thing(rng, BY_NAME["dotted green star"], 128, 128)
    colours = np.full((128, 128, 3), 0.5, dtype=np.float32)
    things.paint_thing(rng, colours, thing, things.Light.draw(rng), draw_look(rng, "green", EASIEST))
    changed = (colours != 0.5).any(axis=2)
    changed[thing.window] = False
    assert not changed.any()
    assert (colours[thing.window][thing.distance < -1] != 0.5).any(axis=1).all()


def test_seen_scenes_show_seen_categories_only():
    for seed in range(20):
        assert {segment.category.tier for segment in make(seed, seen_categories()).segments} == {"seen"}


def test_every_category_appears_and_unseen_ones_prevail():
    rng = np.random.default_rng(0)
    casts = [draw_cast(rng, all_categories()) for _ in range(200)]
    shown = [category for cast in casts for category in cast.things]
    assert set(shown) == {category for category in all_categories() if category.isthing}
    assert 0.5 < np.mean([category.tier != "seen" for category in shown]) < 0.7
    assert {category for cast in casts for category in cast.materials} == set(all_categories()) - set(shown)


def test_colour_alone_does_not_classify(some_scenes):
    """Naming each pixel by the nearest mean colour of a category is wrong most of the time."""
    colours = np.concatenate([scene.image.reshape(-1, 3)[::7] for scene in some_scenes]).astype(np.float32)
    names = np.concatenate(
        [
            np.select(
                [scene.ids == segment.id for segment in scene.segments],
                [segment.category.id for segment in scene.segments],
            ).ravel()[::7]
            for scene in some_scenes
        ]
    )
    known = np.unique(names)
    means = np.stack([colours[names == name].mean(axis=0) for name in known])  # (C, 3)
    guesses = known[((colours[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)]
    recalls = [np.mean(guesses[names == name] == name) for name in known]
    assert np.mean(recalls) < 0.35
