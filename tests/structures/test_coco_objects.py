"""Objects of COCO annotation files: values in the forms that tools write, objects without masks, invalid objects."""

import pytest

from frozenseg.errors import DataError
from frozenseg.structures.coco_file import categories_by_id, read_images
from frozenseg.structures.coco_objects import read_objects

SIZE = (30, 40)
SQUARE = [[5, 8, 15, 8, 15, 18, 5, 18]]
RUNS = {"size": [30, 40], "counts": [158, 10, 1032]}
OBJECT = {"id": 1, "image_id": 1, "category_id": 2, "segmentation": SQUARE, "area": 100, "iscrowd": 0}


def read(*entries, sizes=None):
    return read_objects(list(entries), sizes or {1: SIZE, "b": SIZE}, {2}, "a.json", "its categories")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, None),
        ({"id": 0}, None),
        ({"id": "x"}, None),
        ({"image_id": 1.0, "category_id": 2.0}, None),
        ({"iscrowd": False}, None),
        ({"iscrowd": None}, None),
        ({"iscrowd": 0.0}, None),
        (
            {"id": None},
            "1 of 1 objects of a.json have no valid id, a whole number or text (first: object number 1 in the file): "
            "objects are numbered",
        ),
        ({"id": 1.5}, "1 of 1 objects of a.json have no valid id"),
        (
            {"segmentation": [[0.1, 0.1, 0.4, 0.1, 0.4, 0.4]]},
            "1 of 1 objects of a.json have polygons that cover no pixel (first: object 1): they count as missed",
        ),
        ({"image_id": "1"}, "1 of 1 objects of a.json name their image by text or number where"),
        ({"category_id": " 2 "}, "1 of 1 objects of a.json name their category by text (first: object 1): read as"),
        ({"iscrowd": "false"}, "1 of 1 objects of a.json have an iscrowd that is text (first: object 1): read as 0"),
        (
            {"segmentation": SQUARE[0]},
            "1 of 1 objects of a.json have a polygon that is not in a list",
        ),
        ({"segmentation": {**RUNS, "counts": [158, 10]}}, "1 of 1 objects of a.json have run lengths that end before"),
    ],
)
def test_values_with_one_meaning_are_read_and_reported(fields, sentence):
    [item], findings = read({**OBJECT, **fields})
    assert (item.image_id, item.category_id, item.iscrowd) == (1, 2, False)
    assert type(item.image_id) is type(item.category_id) is int
    assert [text.startswith(sentence) for text in findings.sentences()] == [True] * (sentence is not None)


@pytest.mark.parametrize(("flag", "expected"), [(1, True), ("1", True), ("True", True), (1.0, True), ("no", False)])
def test_crowd_flags(flag, expected):
    [_, item], _ = read(OBJECT, {**OBJECT, "iscrowd": flag})
    assert item.iscrowd is expected


@pytest.mark.parametrize("area", [None, -5, 0, "100", float("nan"), float("inf"), True, 30 * 40 + 1, 10**400])
def test_invalid_areas_are_none(area):
    [item], _ = read({**OBJECT, "area": area})
    assert item.area is None
    assert read(OBJECT)[0][0].area == 100


def test_objects_without_a_mask_are_left_out_and_counted():
    box = {key: value for key, value in OBJECT.items() if key != "segmentation"}
    line = {**OBJECT, "id": 4, "segmentation": [[5, 8, 15, 18]]}
    objects, findings = read(OBJECT, {**box, "id": 2}, {**box, "id": 3, "segmentation": []}, line)
    assert [item.name for item in objects] == ["object 1"]
    assert findings.sentences() == [
        "2 of 4 objects of a.json have a box only (first: object 2); left out (--strict refuses them).",
        "1 of 4 objects of a.json have polygons without an area only (fewer than three corners, or all on a line) "
        "(first: object 4); left out (--strict refuses them).",
    ]
    assert findings.without_mask == {1: ["object 2", "object 3", "object 4"]}
    with pytest.raises(DataError, match=r"2 of 4 objects of a.json have a box only \(first: object 2\), expected"):
        findings.refuse_left_out()


def test_brush_masks_are_objects_only_where_every_object_is_a_crowd():
    brush = {**OBJECT, "segmentation": RUNS, "iscrowd": 1}
    objects, findings = read(brush, {**brush, "id": 2}, {**OBJECT, "id": 3, "segmentation": []})
    assert [item.iscrowd for item in objects] == [False, False]
    assert "2 of 3 objects of a.json are crowds with uncompressed run lengths" in findings.sentences()[1]
    objects, findings = read(brush, OBJECT)
    assert [item.iscrowd for item in objects] == [True, False]
    assert "1 of 2 objects of a.json are crowds, which are not trained on" in findings.sentences()[1]
    assert len(read(brush, *[OBJECT] * 9)[1].sentences()) == 1  # one in ten, as in COCO; repeated ids only
    compressed = objects[0].segmentation.value
    assert [item.iscrowd for item in read({**brush, "segmentation": compressed})[0]] == [True]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_id": 9}, "object 1 has the image_id 9, expected one of its images"),
        ({"image_id": [1]}, r"object 1 has the image_id \[1\]"),
        ({"image_id": True}, "object 1 has the image_id True"),
        ({"image_id": float("nan")}, "object 1 has the image_id nan"),
        ({"category_id": None}, "object 1 has the category_id None, expected one of its categories"),
        ({"category_id": 10**400}, "object 1 has the category_id 1000"),
        ({"iscrowd": "maybe"}, "object 1 cannot be read: its iscrowd is 'maybe', expected 0 or 1"),
        ({"iscrowd": 2}, "its iscrowd is 2"),
        ({"iscrowd": [0]}, r"its iscrowd is \[0\]"),
        ({"id": "x", "segmentation": [[1, 2, 3]]}, "object 'x' cannot be read: its polygon has 3 coordinates"),
        ({"id": None, "segmentation": 5}, "object number 1 in the file cannot be read: its segmentation is 5"),
        ({"segmentation": {**RUNS, "size": [40, 30]}}, r"size is \[40, 30\], expected \[30, 40\]"),
        ({"segments_info": []}, r"it is in COCO panoptic format \(segments_info\)"),
    ],
)
def test_invalid_objects_are_named(fields, message):
    with pytest.raises(
        DataError, match=rf"^a\.json: .*{message}.*; correct the file, or export or download it again\.$"
    ):
        read({**OBJECT, **fields})


def test_repeated_ids_are_reported():
    _, findings = read(*[{**OBJECT, "id": number} for number in (5, 5, 5.0, 6)])
    assert findings.sentences() == [
        "2 of 4 objects of a.json have the id of another object (first: object 5): objects are numbered by their order."
    ]


def images(*entries):
    return read_images({"images": list(entries)}, "a.json")


def test_images_with_one_meaning():
    entry = {"id": 1, "height": 30.0, "width": "40", "file_name": "1.png"}
    listed, findings = images(entry, dict(entry), {"id": "b", "width": 40}, {**entry, "id": 3})
    assert list(listed) == [1, "b", 3]
    assert (listed[1]["height"], listed[1]["width"]) == (30, 40)
    assert "width" not in listed["b"]
    assert [sentence.split(" (first")[0] for sentence in findings.sentences()] == [
        "1 of 4 images of a.json are listed twice with equal entries",
        "1 of 4 images of a.json have no height and width",
        "1 of 4 images of a.json have the file_name of another image",
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{}], r"image number 1 has no id, expected a whole number or text"),
        ([{"id": [1]}], r"image number 1 has the id \[1\]"),
        ([{"id": True}], "image number 1 has the id True"),
        ([3], "entry 1 of images is 3, expected a JSON object"),
        ([{"id": 1, "height": 0, "width": 4}], "image 1 has height 0 and width 4, expected its size in pixels"),
        ([{"id": 1, "height": "a", "width": 4}], "image 1 has height 'a' and width 4"),
        ([{"id": 1, "height": 10**9, "width": 10**9}], "image 1 has height 1000000000 and width 1000000000"),
        (
            [{"id": 1, "height": 3, "width": 4}, {"id": 1, "height": 4, "width": 4}],
            "image 1 is listed twice",
        ),
    ],
)
def test_invalid_images_are_named(entries, message):
    with pytest.raises(DataError, match=message):
        images(*entries)


@pytest.mark.parametrize("content", [[], None, 3, {}, {"categories": None}, {"categories": {}}, {"categories": []}])
def test_files_without_categories(content):
    with pytest.raises(DataError, match=r"^a\.json: it (is not in COCO's format|has no categories)"):
        categories_by_id(content, "a.json")
