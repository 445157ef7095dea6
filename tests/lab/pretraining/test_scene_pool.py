"""The scene pool: views match their categories, and scenes depend on the seed only."""

import numpy as np
import torch

from frozenseg.toyworld.categories import COLOURS, PATTERNS, SHAPES, wide_categories
from frozenseg.toyworld.export import SPLITS, Recipe, make_scene
from lab.pretraining.crops import cut, draw_crops, square_around
from lab.pretraining.scene_pool import ScenePool, View, render_pool


def inside(pool: ScenePool, view: View) -> np.ndarray:
    x0, y0, x1, y1 = map(int, view.box)
    return pool.layers[view.scene, y0:y1, x0:x1].numpy()


def test_the_wide_world_has_every_combination_once():
    things = [category for category in wide_categories() if category.isthing]
    assert (
        len(things) == len({category.name for category in things}) == len(COLOURS) * len(SHAPES) * (1 + len(PATTERNS))
    )
    assert len({category.id for category in wide_categories()}) == len(wide_categories())


def test_the_same_seed_paints_the_same_scenes_by_any_number_of_processes(pool: ScenePool):
    again = render_pool(seed=3, count=12, workers=2)
    assert torch.equal(again.images, pool.images)
    assert torch.equal(again.layers, pool.layers)
    assert again.things == pool.things
    assert not torch.equal(render_pool(seed=4, count=1).images[0], pool.images[0])


def test_no_scene_is_one_of_toyworlds_own(pool: ScenePool):
    for split in SPLITS:
        image = torch.from_numpy(make_scene(Recipe(split, 3, 1), 1).image).permute(2, 0, 1)
        assert not any(torch.equal(image, other) for other in pool.images)


def test_things_lie_in_their_boxes_and_under_their_colour(pool: ScenePool):
    assert set(pool.things) == set(COLOURS)
    for colour, views in pool.things.items():
        for view in views:
            [category] = view.visible
            assert category.parts["colour"] == colour
            layers, window = pool.layers[view.scene].numpy(), inside(pool, view)
            fitting = [
                number
                for number, member in enumerate(pool.segments[view.scene])
                if member == category
                and (window == number).sum() == (layers == number).sum()  # all of it is inside
                and all((side == number).any() for side in (window[0], window[-1], window[:, 0], window[:, -1]))
            ]
            assert fitting, view


def test_a_view_of_several_things_names_what_is_mostly_in_it(pool: ScenePool):
    assert pool.scenes
    for view in pool.scenes:
        window, categories = inside(pool, view), pool.segments[view.scene]
        whole = np.bincount(pool.layers[view.scene].numpy().ravel(), minlength=len(categories))
        here = np.bincount(window.ravel(), minlength=len(categories))
        shown = [
            category
            for category, all_of_it, part in zip(categories, whole, here, strict=True)
            if (part >= 0.8 * all_of_it if category.isthing else part >= 0.2 * window.size - 1e-6)
        ]
        assert list(view.visible) == shown


def test_materials_fill_their_windows(pool: ScenePool):
    assert pool.materials
    for view in pool.materials:
        counts = np.bincount(inside(pool, view).ravel())
        assert counts.max() >= 0.8 * counts.sum()
        assert not view.visible[0].isthing


def test_crops_are_cut_where_the_box_is():
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    image[..., 4:8, 8:12] = 200
    [crop] = cut(image, [0], [(8, 4, 12, 8)], size=4)
    assert torch.equal(crop[:, 1:3, 1:3], torch.full((3, 2, 2), 200.0))
    assert cut(image, [0], [(0, 0, 4, 4)], size=4).max() == 0


def test_a_square_has_the_centre_of_its_box():
    assert square_around((10, 20, 14, 28), 1.5) == (6, 18, 18, 30)


def test_a_step_draws_the_same_crops_each_time(pool: ScenePool):
    first, second = (draw_crops(np.random.default_rng([0, 5]), pool, 32, 16) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert first.sentences == second.sentences
    assert first.images.shape == (32, 3, 16, 16)
    assert first.true.diagonal().all()
