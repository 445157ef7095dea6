"""Files of ToyWorld: COCO panoptic format, the same bytes from the same seed, other files never overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from frozenseg.errors import DataError
from frozenseg.structures.panoptic import rgb_to_id
from frozenseg.toyworld import export
from frozenseg.toyworld.categories import all_categories
from frozenseg.toyworld.export import Recipe, export_split, export_world, make_scene, split_categories

COUNT = 5
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "val_unseen"
    export_split(folder, Recipe("val_unseen", seed=3, count=COUNT), quiet=True)
    return folder


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_of_a_split(split):
    stems = [f"{number:012d}" for number in range(1, COUNT + 1)]
    assert sorted(path.name for path in split.iterdir()) == [
        "images",
        "instances.json",
        "panoptic",
        "panoptic.json",
        "semantic",
    ]
    assert sorted(path.name for path in (split / "images").iterdir()) == [f"{stem}.jpg" for stem in stems]
    for name in ("panoptic", "semantic"):
        assert sorted(path.name for path in (split / name).iterdir()) == [f"{stem}.png" for stem in stems]


def test_panoptic_json_agrees_with_the_pngs(split):
    content = read(split / "panoptic.json")
    order = {category["id"]: index for index, category in enumerate(content["categories"])}
    assert [image["id"] for image in content["images"]] == [entry["image_id"] for entry in content["annotations"]]
    for entry in content["annotations"]:
        ids = rgb_to_id(np.asarray(Image.open(split / "panoptic" / entry["file_name"])))
        semantic = np.asarray(Image.open(split / "semantic" / entry["file_name"]))
        assert set(np.unique(ids)) == {segment["id"] for segment in entry["segments_info"]}
        for segment in entry["segments_info"]:
            mask = ids == segment["id"]
            left, top, width, height = segment["bbox"]
            assert segment["area"] == mask.sum() == mask[top : top + height, left : left + width].sum()
            assert mask[top].any()
            assert mask[:, left + width - 1].any()
            assert segment["iscrowd"] == 0
            assert set(semantic[mask]) == {order[segment["category_id"]]}


def test_instance_json_is_read_by_pycocotools(split, capsys):
    coco = COCO(split / "instances.json")
    capsys.readouterr()
    panoptic = read(split / "panoptic.json")
    things = {category["id"] for category in panoptic["categories"] if category["isthing"]}
    expected = [
        (entry["image_id"], segment["category_id"], segment["area"])
        for entry in panoptic["annotations"]
        for segment in entry["segments_info"]
        if segment["category_id"] in things
    ]
    loaded = coco.loadAnns(coco.getAnnIds())
    assert [(item["image_id"], item["category_id"], item["area"]) for item in loaded] == expected
    assert set(coco.getCatIds()) == things
    for item in loaded:
        assert coco.annToMask(item).sum() == item["area"]


def test_images_are_the_scenes(split):
    scene = make_scene(Recipe("val_unseen", seed=3, count=COUNT), 2)
    written = np.asarray(Image.open(split / "images" / "000000000002.jpg")).astype(int)
    assert np.abs(written - scene.image).mean() < 6  # JPEG


def test_bytes_do_not_depend_on_the_numbers_of_processes_and_images(split, tmp_path):
    export_split(tmp_path / "again", Recipe("val_unseen", seed=3, count=COUNT), quiet=True)
    assert all_bytes(tmp_path / "again") == all_bytes(split)
    export_world(tmp_path / "many", [Recipe("val_unseen", seed=3, count=export.CHUNK + 1)], workers=2)
    image = "images/000000000004.jpg"
    assert (tmp_path / "many" / "val_unseen" / image).read_bytes() == (split / image).read_bytes()


def test_splits_and_seeds_differ():
    recipes = [Recipe("train", 0, 1), Recipe("val_seen", 0, 1), Recipe("train", 1, 1)]
    images = [make_scene(recipe, 1).image for recipe in recipes]
    assert not np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_categories_of_splits():
    assert split_categories("train") == split_categories("val_seen")
    assert {category.tier for category in split_categories("train")} == {"seen"}
    assert split_categories("val_unseen") == all_categories()


def test_an_existing_split_is_replaced_and_nothing_is_left_over(tmp_path):
    folder = tmp_path / "train"
    export_split(folder, Recipe("train", 0, 3), quiet=True)
    export_split(folder, Recipe("train", 0, 2), quiet=True)
    assert len(read(folder / "panoptic.json")["images"]) == len(list((folder / "images").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="not a ToyWorld split: choose another --root"):
        export_split(tmp_path / "train", Recipe("train", 0, 1), quiet=True)
    assert (tmp_path / "train" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_other_files_stops_the_export_before_it_begins(tmp_path):
    (tmp_path / "val_seen").mkdir()
    (tmp_path / "val_seen" / "panoptic.json").write_text('{"info": {"description": "COCO 2017"}}', encoding="utf-8")
    with pytest.raises(DataError, match="val_seen exists and is not a ToyWorld split"):
        export_world(tmp_path, [Recipe("train", 0, 1), Recipe("val_seen", 0, 1)])
    assert not (tmp_path / "train").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "toyworld").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written to"):
        export_split(tmp_path / "toyworld" / "train", Recipe("train", 0, 1), quiet=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "test"}, "Unknown ToyWorld split 'test': choose one of train"),
        ({"seed": -1}, "received seed -1 and 1 images"),
        ({"count": 0}, "received seed 0 and 0 images"),
        ({"width": 32}, "received 32×128"),
    ],
)
def test_wrong_settings_are_refused(fields, message):
    with pytest.raises(DataError, match=message):
        Recipe(**{"split": "train", "seed": 0, "count": 1, **fields})


def test_preview_shows_images_above_their_segments():
    recipe = Recipe("val_seen", 0, 4, 64, 64)
    sheet = np.asarray(export.preview(recipe, columns=2, rows=2))
    assert sheet.shape == (4 * 64, 2 * 64, 3)
    assert np.array_equal(sheet[:64, 64:], make_scene(recipe, 2).image)
    scene = make_scene(recipe, 3)
    colours = {segment.category.rgb for segment in scene.segments}
    assert colours <= {tuple(colour) for colour in sheet[192:, :64].reshape(-1, 3)}


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=7)))
def test_run_lengths_round_trip(mask):
    runs = export._run_lengths(mask)
    assert sum(runs["counts"]) == mask.size
    assert np.array_equal(coco_mask.decode(coco_mask.frPyObjects(runs, *mask.shape)), mask)


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.int32, (3, 2), elements=st.integers(0, (1 << 24) - 1)))
def test_colours_are_the_ids(ids):
    assert np.array_equal(rgb_to_id(export._ids_as_colours(ids)), ids)
