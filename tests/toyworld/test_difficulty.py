"""Levels of difficulty: level 0 is unchanged, annotations are exact, and each level has what it promises."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.engine.evaluation.toyworld_baselines import outline_regions
from frozenseg.errors import DataError
from frozenseg.toyworld.categories import all_categories
from frozenseg.toyworld.difficulty import DIFFICULTIES, EASIEST, Difficulty
from frozenseg.toyworld.export import Recipe, export_split, make_scene
from frozenseg.toyworld.looks import Look, Paints, Part, Spot, draw_look, stain_ground
from frozenseg.toyworld.scenes import MIN_VISIBLE_PIXELS, Cast, render_scene
from frozenseg.toyworld.shapes import OUTLINES
from frozenseg.toyworld.things import BAND, Light, PlacedThing, paint_thing, place_thing

BY_NAME = {category.name: category for category in all_categories()}
HARDER = range(1, len(DIFFICULTIES))
# checksum of the segment ids, and mean brightness of the four quarters of the image
EASY_SCENES = {
    ("train", 1): (0xACA385E4, (93.55, 86.90, 95.05, 82.88)),
    ("train", 7): (0xBA1C55AE, (110.37, 102.68, 96.30, 92.86)),
    ("val_seen", 1): (0x58784F28, (102.93, 108.56, 131.76, 132.39)),
    ("val_seen", 7): (0x507C7945, (113.25, 145.63, 139.61, 145.34)),
    ("val_unseen", 1): (0xAC6A722C, (115.40, 126.74, 89.88, 104.55)),
    ("val_unseen", 7): (0xE9F42FEF, (122.49, 153.43, 119.46, 136.14)),
}


def place(name: str, difficulty: Difficulty = EASIEST, seed: int = 0) -> PlacedThing:
    return place_thing(np.random.default_rng(seed), BY_NAME[name], 128, 128, difficulty)


@pytest.mark.parametrize(("split", "number"), EASY_SCENES)
def test_level_0_has_the_scenes_that_it_always_had(split: str, number: int):
    scene = make_scene(Recipe(split, 0, 9), number)
    checksum, brightness = EASY_SCENES[split, number]
    assert zlib.crc32(scene.ids.astype("<i4").tobytes()) == checksum
    quarters = scene.image.reshape(2, 64, 2, 64, 3).mean(axis=(1, 3, 4)).ravel()
    assert quarters == pytest.approx(brightness, abs=0.02)


def test_level_0_says_nothing_of_levels_in_its_files(tmp_path: Path):
    for level in (0, 2):
        export_split(tmp_path / str(level), Recipe("val_seen", 0, 1, 64, 64, level), quiet=True)
    information = [json.loads((tmp_path / name / "panoptic.json").read_text())["info"] for name in ("0", "2")]
    assert information == [
        {"description": "ToyWorld", "split": "val_seen", "seed": 0},
        {"description": "ToyWorld", "split": "val_seen", "seed": 0, "difficulty": 2},
    ]


@pytest.mark.parametrize("level", HARDER)
def test_a_level_is_deterministic_and_differs_from_the_others(level: int):
    images = [make_scene(Recipe("train", 0, 1, difficulty=chosen), 1).image for chosen in (level, level, level - 1)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


@pytest.mark.parametrize("level", HARDER)
def test_annotations_of_a_level_are_exact_and_every_segment_is_visible(level: int, tmp_path: Path):
    for number in range(1, 9):
        scene = make_scene(Recipe("val_unseen", 1, 8, difficulty=level), number)
        ids, areas = np.unique(scene.ids, return_counts=True)
        assert set(ids) == {segment.id for segment in scene.segments}
        assert areas.min() >= MIN_VISIBLE_PIXELS
    export_split(tmp_path / "split", Recipe("val_unseen", 1, 1, difficulty=level), quiet=True)
    [entry] = json.loads((tmp_path / "split/panoptic.json").read_text())["annotations"]
    colours = np.asarray(Image.open(tmp_path / "split/panoptic" / entry["file_name"])).astype(int)
    written = colours @ [1, 256, 65536]
    assert np.array_equal(written, make_scene(Recipe("val_unseen", 1, 1, difficulty=level), 1).ids)
    assert {segment["id"]: segment["area"] for segment in entry["segments_info"]} == dict(
        zip(*(values.tolist() for values in np.unique(written, return_counts=True)), strict=True)
    )


@pytest.mark.parametrize("level", range(len(DIFFICULTIES)))
def test_number_of_things_of_a_level(level: int):
    fewest, most = DIFFICULTIES[level].things
    counts = [
        sum(
            segment.category.isthing for segment in make_scene(Recipe("train", 0, 9, difficulty=level), number).segments
        )
        for number in range(1, 10)
    ]
    assert max(counts) <= most
    assert np.mean(counts) >= fewest  # a thing without room is left out
    assert min(counts) >= 0.8 * fewest


def test_levels_rise():
    for easier, harder in zip(DIFFICULTIES, DIFFICULTIES[1:], strict=False):
        assert easier.things <= harder.things
        for name in ("hollow", "two_coloured", "transparent", "shade", "blur", "decoys"):
            assert getattr(easier, name) <= getattr(harder, name), name
    assert all(level.camouflage > 0 for level in DIFFICULTIES[1:])


@pytest.mark.parametrize("shape", OUTLINES)
def test_a_hollow_thing_is_a_band_along_its_outline_and_the_hole_belongs_to_what_is_behind(shape: str):
    name = next(category.name for category in all_categories() if category.parts.get("shape") == shape
                and not category.parts["pattern"])  # fmt: skip
    filled, hollow = place(name), place(name, Difficulty(hollow=1.0))
    inside = filled.distance < 0
    band = hollow.distance < 0
    assert not (band & ~inside).any()
    assert band[inside & (filled.distance > -0.9 * BAND[0] * filled.radius)].all()
    deep = filled.distance < -1.1 * BAND[1] * filled.radius
    assert deep.any()
    assert not band[deep].any()


def test_patterned_things_are_never_hollow():
    assert place("striped red triangle", Difficulty(hollow=1.0)).area == place("striped red triangle").area


def test_the_smaller_part_of_a_two_coloured_thing_has_another_colour():
    thing = place("red circle")
    red, blue, dark = (np.array(rgb, dtype=np.float32) for rgb in ((1, 0, 0), (0, 0, 1), (0, 0, 0)))
    colours = np.zeros((128, 128, 3), dtype=np.float32)
    look = Look(Paints(red, dark), Part(1.0, 0.0, 0.3, blue))
    paint_thing(np.random.default_rng(0), colours, thing, Light.draw(np.random.default_rng(0)), look)
    inside = colours[thing.window][thing.distance < -1]
    assert (inside[:, 2] > inside[:, 0]).mean() == pytest.approx(0.3, abs=0.03)
    looks = [draw_look(np.random.default_rng(seed), "red", Difficulty(two_coloured=1.0)) for seed in range(20)]
    assert all(look.part is not None and 0.2 <= look.part.share <= 0.4 for look in looks)


def test_through_a_transparent_thing_the_ground_is_visible():
    thing, light = place("red circle"), Light.draw(np.random.default_rng(0))
    paints = Paints(np.float32([1, 0, 0]), np.float32([0, 0, 0]))
    painted = []
    for ground in (0.0, 1.0):
        colours = np.full((128, 128, 3), ground, dtype=np.float32)
        paint_thing(np.random.default_rng(0), colours, thing, light, Look(paints, opacity=0.75))
        painted.append(colours[thing.window][thing.distance < -2].mean())
    assert 0.25 * 0.5 < painted[1] - painted[0] <= 0.25  # the thing's shadow darkens the ground
    looks = [draw_look(np.random.default_rng(seed), "red", Difficulty(transparent=1.0)) for seed in range(20)]
    assert all(0.6 <= look.opacity <= 0.8 for look in looks)


def test_a_camouflaged_thing_is_on_ground_of_its_colour_that_keeps_its_texture():
    rng = np.random.default_rng(0)
    ground = np.repeat(rng.uniform(0.3, 0.7, (128, 128, 1)), 3, axis=2).astype(np.float32)
    colours = ground.copy()
    [paints] = stain_ground(rng, colours, [("purple", Spot(64, 64, 18))], Difficulty(camouflage=1.0))
    assert paints is not None
    around = colours[46:82, 46:82].reshape(-1, 3)
    assert around.mean(axis=0) == pytest.approx(paints.base, abs=0.03)
    texture = np.corrcoef(around[:, 2], ground[46:82, 46:82, 0].ravel())[0, 1]
    assert texture > 0.99
    assert np.array_equal(colours[:, :8], ground[:, :8])


def test_decoys_stain_the_ground_without_a_thing():
    colours = np.full((128, 128, 3), 0.5, dtype=np.float32)
    changed = []
    for seed in range(24):
        stained = colours.copy()
        assert stain_ground(np.random.default_rng(seed), stained, [], Difficulty(decoys=2)) == []
        changed.append((stained != colours).any())
    assert any(changed)
    assert not all(changed)


def test_blur_and_shade():
    def render(difficulty: Difficulty) -> np.ndarray:
        cast = Cast((BY_NAME["gravel"],), (BY_NAME["red circle"],))
        return render_scene(np.random.default_rng(5), cast, difficulty=difficulty).image.astype(float)

    plain, blurred, shaded = render(EASIEST), render(Difficulty(blur=3.0)), render(Difficulty(shade=0.6))
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.7 * np.abs(np.diff(plain, axis=0)).mean()
    assert blurred.mean() == pytest.approx(plain.mean(), rel=0.03)
    assert shaded.mean() < 0.95 * plain.mean()


def test_colours_and_outlines_find_few_things_of_the_harder_levels():
    found = []
    for level in (0, 2):
        hits = []
        for number in range(1, 9):
            scene = make_scene(Recipe("val_unseen", 0, 8, difficulty=level), number)
            regions = outline_regions(scene.image, all_categories())
            for segment in scene.segments:
                mask = scene.ids == segment.id
                of_class = [region.mask for region in regions if region.category == segment.category]
                ious = [(mask & other).sum() / (mask | other).sum() for other in of_class]
                hits += [max(ious, default=0) > 0.5] if segment.category.isthing else []
        found.append(np.mean(hits))
    assert found[0] > 0.3
    assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize("level", [-1, len(DIFFICULTIES)])
def test_unknown_levels_are_refused(level: int):
    with pytest.raises(DataError, match=rf"difficulty is {level}: choose a level from 0 \(easiest\) to 3"):
        Recipe("train", 0, 1, difficulty=level)
