"""Converter of ADE20K: class maps, panoptic files and objects; errors name the invalid files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frozenseg.data.prepare.ade20k import CONVERTER, decode_objects
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, read_segment_ids
from frozenseg.structures.masks import decode_rle
from tests.miniatures import ade20k as miniature

HOME = "ADEChallengeData2016"
NAME = "ADE_val_00000001"
WALL_ID = 120 + 256 * 120 + 65536 * 120  # 7 895 160, the colour of walls
BED, FLAG = 7, 149


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def content_of(root: Path, name: str) -> dict:
    return json.loads((root / HOME / name).read_text())


def test_class_maps(root: Path) -> None:
    source = root / HOME / f"annotations/validation/{NAME}.png"
    Image.fromarray(np.array([[0, 1, 150]] * 2, np.uint8)).save(source)
    for other in ("images", "annotations_instance"):
        path = next((root / HOME / other / "validation").iterdir())
        Image.new("RGB", (3, 2)).save(path)
    prepare(CONVERTER, root)
    assert read_labels(root / HOME / f"annotations_detectron2/validation/{NAME}.png").tolist() == [[255, 0, 149]] * 2


def test_panoptic_by_hand(root: Path) -> None:
    prepare(CONVERTER, root)
    content = content_of(root, "ade20k_panoptic_val.json")
    assert content["images"] == [{"id": NAME, "file_name": f"{NAME}.jpg", "width": 43, "height": 25}]
    [entry] = content["annotations"]
    wall, bed, second_bed, flag = entry["segments_info"]
    assert (wall["id"], wall["category_id"], wall["area"]) == (WALL_ID, 0, 1075)  # includes pixels under objects
    assert (bed["category_id"], bed["area"], bed["bbox"]) == (BED, 20, [3, 2, 5, 4])
    assert (second_bed["category_id"], second_bed["area"], second_bed["bbox"]) == (BED, 20, [30, 20, 4, 5])
    assert (flag["category_id"], flag["area"]) == (FLAG, 6)
    ids = read_segment_ids(root / HOME / f"ade20k_panoptic_val/{NAME}.png")
    assert (ids == WALL_ID).sum() == 1075 - 20 - 20 - 6
    assert set(np.unique(ids).tolist()) == {part["id"] for part in entry["segments_info"]}
    assert [category["id"] for category in content["categories"]] == list(range(150))
    assert sum(category["isthing"] for category in content["categories"]) == 100
    assert len({tuple(category["color"]) for category in content["categories"] if not category["isthing"]}) == 50


def test_a_thing_without_object_is_void(root: Path) -> None:
    path = root / HOME / f"annotations/validation/{NAME}.png"
    labels, _ = miniature.draw()
    labels[0, 0], labels[24, 0] = miniature.BED, 0
    Image.fromarray(labels).save(path)
    prepare(CONVERTER, root)
    ids = read_segment_ids(root / HOME / f"ade20k_panoptic_val/{NAME}.png")
    assert (ids[0, 0], ids[24, 0], ids[0, 1]) == (0, 0, WALL_ID)


def test_objects_by_hand(root: Path) -> None:
    prepare(CONVERTER, root)
    content = content_of(root, "ade20k_instance_train.json")
    assert [image["id"] for image in content["images"]] == ["ADE_train_00000001", "ADE_train_00000002"]
    assert [part["id"] for part in content["annotations"]] == [1, 2, 3, 4, 5, 6]
    bed, _, flag = content["annotations"][:3]
    assert (bed["category_id"], bed["area"], bed["bbox"], bed["iscrowd"]) == (BED, 20, [3, 2, 5, 4], 0)
    assert (flag["category_id"], flag["bbox"]) == (FLAG, [0, 10, 3, 2])
    [mask] = decode_rle([bed["segmentation"]], 25, 43)
    assert mask[miniature.BED_BOX].all()
    assert mask.sum() == 20
    assert len(content["categories"]) == 100


@given(st.dictionaries(st.integers(1, 255), st.integers(1, 100), min_size=1))
def test_objects_are_decoded_from_their_colours(thing_classes: dict[int, int]) -> None:
    colours = np.array([[(thing, number, 0) for number, thing in thing_classes.items()]], np.uint8)
    numbers, objects = decode_objects(colours, Path("x"))
    assert numbers.tolist() == [list(thing_classes)]
    assert list(objects) == sorted(thing_classes)
    order = sorted({*thing_classes.values()})
    assert [objects[number] for number in objects] == [
        sorted({*objects.values()})[order.index(thing_classes[number])] for number in objects
    ]  # thing classes have the order of the 150 classes


def test_without_objects_the_class_maps_are_made(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(root / HOME / "annotations_instance")
    assert prepare(CONVERTER, root).done == 3
    assert "panoptic and instance annotations are skipped. Get" in caplog.text
    assert not (root / HOME / "ade20k_panoptic_val.json").exists()


def spoil(root: Path, kind: str) -> Path:
    return root / HOME / kind / "validation" / f"{NAME}.{'jpg' if kind == 'images' else 'png'}"


def test_contradictions_are_named(root: Path) -> None:
    objects = spoil(root, "annotations_instance")
    labels, object_labels = miniature.draw()
    for wrong, message in (
        ((101, 1), "has an object of thing class 101; expected 1 … 100"),
        ((2, 1), "object 1 has two thing classes"),
    ):
        changed = object_labels.copy()
        changed[24, 42, :2] = wrong
        Image.fromarray(changed).save(objects)
        with pytest.raises(DataError, match=message):
            prepare(CONVERTER, root)
    Image.fromarray(object_labels[:-1]).save(objects)
    with pytest.raises(DataError, match=rf"{NAME}\.png has 43 × 24 pixels, its image .* 43 × 25"):
        prepare(CONVERTER, root)
    objects.unlink()
    with pytest.raises(DataError, match=rf"{NAME}\.png does not exist"):
        prepare(CONVERTER, root)
    assert not (root / HOME / "ade20k_panoptic_val.json").exists()
    Image.fromarray(object_labels).save(objects)
    labels[0, 0] = 151
    Image.fromarray(labels).save(spoil(root, "annotations"))
    (root / HOME / f"annotations_detectron2/validation/{NAME}.png").unlink()
    with pytest.raises(DataError, match="has the value 151; expected 0 … 150"):
        prepare(CONVERTER, root)


@pytest.mark.parametrize("kind", ["images", "annotations", "annotations_instance"])
def test_damaged_files_are_named_and_mended(root: Path, kind: str) -> None:
    path = spoil(root, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(DataError, match=rf"{path.name} cannot be decoded"):
        prepare(CONVERTER, root)
    path.write_bytes(whole)
    prepare(CONVERTER, root)
    assert len(content_of(root, "ade20k_panoptic_val.json")["annotations"]) == 1
