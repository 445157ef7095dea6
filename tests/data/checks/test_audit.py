"""Audit of a data set: counts compared with the known ones, problems, and the contact sheet."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import DatasetCatalog, Metadata, MetadataCatalog
from frozenseg.data.checks.audit import audit_dataset, evenly_spaced
from frozenseg.data.checks.contact_sheet import contact_sheet
from frozenseg.errors import DataError
from frozenseg.visualization.image_grid import COLUMN_WIDTH, GAP, TEXT_LINE
from frozenseg.visualization.overlay import OPACITY
from frozenseg.vocabulary import Vocabulary


def pair(folder, name, labels, size=(4, 2)):
    """Write an image of 4×2 pixels and its label image."""
    Image.new("RGB", size, (200, 100, 0)).save(folder / f"{name}.jpg")
    Image.fromarray(np.array(labels, dtype=np.uint8)).save(folder / f"{name}.png")
    return {"file_name": f"{folder}/{name}.jpg", "sem_seg_file_name": f"{folder}/{name}.png", "image_id": name}


@pytest.fixture
def metadata():
    return Metadata(
        name="rooms",
        vocabulary=Vocabulary.parse("wall,walls; floor; door; lamp", stuff=["wall", "floor", "door", "lamp"]),
        category_ids=(0, 1, 2, 3),
        colors=((255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)),
        ignore_label=255,
        known_images=(2, 3),
    )


def test_what_a_data_set_shows(tmp_path, metadata):
    records = [pair(tmp_path, "a", [[0, 0, 0, 255]] * 2), pair(tmp_path, "b", [[1, 1, 2, 255]] * 2)]
    report = audit_dataset(records, metadata, quiet=True)
    assert report.pixels.tolist() == [6, 4, 2, 0]
    assert report.unlabelled == 4
    assert report.summary().splitlines() == [
        "rooms: 2 images (as expected); 3 of 4 classes; 25.0 % of the pixels unlabelled; 0 problems.",
        "  classes that do not occur: lamp",
    ]
    assert "(expected 5)" in audit_dataset(records, metadata.set(known_images=(5,)), quiet=True).summary()
    assert "do not occur" not in audit_dataset(records, metadata.set(known_occurring=3), quiet=True).summary()


@pytest.mark.parametrize("workers", [1, 2])
def test_problems_are_counted_and_named_in_order(tmp_path, metadata, workers):
    records = [pair(tmp_path, name, [[0] * 4] * 2) for name in "abc"]
    records += [pair(tmp_path, "d", [[7] * 4] * 2), pair(tmp_path, "e", [[1] * 3])]
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:40])
    report = audit_dataset(records, metadata, workers, quiet=True)
    expected = ["b.jpg does not exist", "c.png cannot be decoded", "d.png holds the value 7", "e.png is 3×1 pixels"]
    assert [text in problem for text, problem in zip(expected, report.problems, strict=True)] == [True] * 4
    assert "4 problems" in report.summary()


def test_sizes_in_the_annotation_are_compared(tmp_path, metadata):
    record = {**pair(tmp_path, "a", [[0] * 4] * 2), "height": 3, "width": 4}
    [problem] = audit_dataset([record], metadata, quiet=True).problems
    assert "a.jpg is 4×2 pixels, expected 4×3 as annotated" in problem


def test_a_sample_is_evenly_spaced(tmp_path, metadata):
    assert [record["n"] for record in evenly_spaced([{"n": n} for n in range(11)], 3)] == [0, 5, 10]
    assert [record["n"] for record in evenly_spaced([{"n": n} for n in range(2)], 3)] == [0, 1]
    records = [pair(tmp_path, name, [[0] * 4] * 2) for name in "abc"]
    assert "3 images (as expected), 2 of them checked" in audit_dataset(records, metadata, 1, 2, True).summary()
    with pytest.raises(DataError, match="rooms has no images; prepare the data set again"):
        audit_dataset([], metadata)


def test_images_of_crowds_only_are_counted(toy):
    records = DatasetCatalog.get("toyworld_train")
    for segment in records[0]["segments_info"]:
        segment["iscrowd"] = 1
    report = audit_dataset(records, MetadataCatalog.get("toyworld_train"), quiet=True)
    assert (report.without_objects, report.problems) == (1, [])
    assert "or with crowds only: 1" in report.summary()


def test_the_sheet_shows_image_annotation_and_names(tmp_path, metadata):
    good, bad = pair(tmp_path, "a", [[0, 0, 1, 255]] * 2), pair(tmp_path, "b", [[7] * 4] * 2)
    sheet = np.asarray(contact_sheet([good, bad], metadata)).astype(int)
    first, second = GAP, 2 * GAP + COLUMN_WIDTH
    y, eighth = GAP + 2 * TEXT_LINE + COLUMN_WIDTH // 4, COLUMN_WIDTH // 8
    mixed = (1 - OPACITY) * np.array([200, 100, 0]) + OPACITY * np.array([255, 0, 0])
    assert abs(sheet[y, first + eighth] - [200, 100, 0]).max() < 12  # the image
    assert abs(sheet[y, second + eighth] - mixed).max() < 8  # under its class
    assert (sheet[y, second + 7 * eighth] == 0).all()  # unlabelled
    swatches = sheet[GAP + 2 * TEXT_LINE : y, second + COLUMN_WIDTH + GAP : second + COLUMN_WIDTH + GAP + TEXT_LINE]
    assert (abs(swatches - mixed).max(axis=-1) < 8).any()  # in the legend it has the colour of the drawing


@pytest.mark.parametrize(("change", "problems"), [(-1, 1), (0, 0), (1, 0)])
def test_a_segment_has_no_more_pixels_than_its_area(toy, change, problems):
    records, metadata = DatasetCatalog.get("toyworld_train"), MetadataCatalog.get("toyworld_train")
    segment = records[1]["segments_info"][0]
    pixels = segment["area"]
    segment["area"] += change  # ADE20K's areas include pixels that other segments cover
    found = audit_dataset(records, metadata, quiet=True).problems
    assert len(found) == problems
    expected = f"has {pixels} pixels of segment {segment['id']}, its annotation an area of {pixels - 1}: write"
    assert all(expected in problem for problem in found)
    segment["iscrowd"] = 1  # areas of crowds are not used
    assert audit_dataset(records, metadata, quiet=True).problems == []


def test_areas_of_records_without_a_panoptic_png_are_not_compared(toy):
    records, metadata = DatasetCatalog.get("toyworld_train"), MetadataCatalog.get("toyworld_train")
    for record in records:
        del record["pan_seg_file_name"]
    assert audit_dataset(records, metadata, quiet=True).problems == []
