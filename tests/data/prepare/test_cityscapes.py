"""Converter of Cityscapes: equal to the official scripts; errors name the invalid files."""

import json
import shutil
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frozenseg.data.prepare.cityscapes import CONVERTER, cityscapes_segments, train_ids
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, read_segment_ids
from tests.miniatures import cityscapes as miniature

STREET = "aachen/aachen_000000_000019"
SEGMENTS = [  # id, category, area, box, crowd
    (7, 7, 206, [0, 8, 32, 8], 0),
    (23, 23, 128, [0, 0, 32, 4], 0),
    (26, 26, 24, [20, 6, 6, 4], 1),
    (24000, 24, 12, [16, 5, 2, 6], 0),
    (26000, 26, 24, [0, 6, 6, 4], 0),
    (26001, 26, 24, [8, 6, 6, 4], 0),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def official(name: str) -> ModuleType:
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, SyntaxWarning):
            warnings.simplefilter("ignore", kind)
        return pytest.importorskip(f"cityscapesscripts.preparation.{name}")


def change(path: Path, row: int, column: int, value: int) -> None:
    labels = read_labels(path).copy()
    labels[row, column] = value
    Image.fromarray(labels).save(path)


def test_a_street_by_hand(root: Path) -> None:
    prepare(CONVERTER, root)
    ground_truth = root / "cityscapes/gtFine"
    content = json.loads((ground_truth / "cityscapes_panoptic_train.json").read_text())
    assert [image["id"] for image in content["images"]] == ["aachen_000000_000019", "bochum_000000_000313"]
    actual = [tuple(part.values()) for part in content["annotations"][0]["segments_info"]]
    assert actual == SEGMENTS
    ids = read_segment_ids(ground_truth / "cityscapes_panoptic_train/aachen_000000_000019_gtFine_panoptic.png")
    # ground, the first car, unlabelled, the group, a caravan (not evaluated)
    assert ids[[15, 7, 5, 7, 7], [0, 0, 0, 22, 30]].tolist() == [7, 26000, 0, 26, 0]
    classes = read_labels(ground_truth / f"train/{STREET}_gtFine_labelTrainIds.png")
    assert classes[[15, 7, 5, 7, 7, 8], [0, 0, 0, 22, 30, 2]].tolist() == [0, 13, 255, 13, 255, 13]


def test_an_image_with_only_a_crowd_is_kept(root: Path) -> None:
    prepare(CONVERTER, root)
    content = json.loads((root / "cityscapes/gtFine/cityscapes_panoptic_val.json").read_text())
    [segment] = content["annotations"][1]["segments_info"]
    assert (segment["id"], segment["iscrowd"], segment["area"]) == (33, 1, 256)


def test_panoptic_equals_the_official_script(root: Path, capsys) -> None:
    script = official("createPanopticImgs")
    prepare(CONVERTER, root)
    ground_truth, expected = root / "cityscapes/gtFine", root / "official"
    expected.mkdir()
    script.convert2panoptic(str(ground_truth), str(expected), setNames=["train", "val"])
    for split in ("train", "val"):
        name = f"cityscapes_panoptic_{split}"
        assert json.loads((ground_truth / f"{name}.json").read_text()) == json.loads(
            (expected / f"{name}.json").read_text()
        )
        paths = sorted((expected / name).iterdir())
        assert [path.name for path in paths] == sorted(path.name for path in (ground_truth / name).iterdir())
        for path in paths:
            assert np.array_equal(read_segment_ids(path), read_segment_ids(ground_truth / name / path.name))


def test_train_ids_equal_the_official_polygons(root: Path) -> None:
    script = official("json2labelImg")
    prepare(CONVERTER, root)
    for path in sorted(root.glob("cityscapes/gtFine/*/*/*_polygons.json")):
        drawn = root / "drawn.png"
        script.json2labelImg(str(path), str(drawn), "trainIds")
        ours = path.with_name(path.name.replace("polygons.json", "labelTrainIds.png"))
        assert np.array_equal(read_labels(ours), read_labels(drawn))


@given(st.lists(st.tuples(st.integers(0, 33), st.none() | st.integers(0, 999)), min_size=1, max_size=20))
def test_all_ids_are_kept(codes: list[tuple[int, int | None]]) -> None:
    # an instance of label 0 cannot be distinguished from a label: 0 · 1000 + n is below 1000
    codes = [(label, None if label == 0 else number) for label, number in codes]
    values = np.array([[label if number is None else 1000 * label + number for label, number in codes]], np.uint16)
    ids, segments = cityscapes_segments(values, Path("x"))
    classes = train_ids(np.array([[label for label, _ in codes]]), Path("x"))
    assert np.array_equal(ids, np.where(classes == 255, 0, values))
    known = {segment["id"]: segment for segment in segments}
    assert known.keys() == set(ids[ids > 0].tolist())
    for (label, number), value in zip(codes, ids[0].tolist(), strict=True):
        if value:
            assert known[value]["category_id"] == label
            assert known[value]["iscrowd"] == int(number is None and label >= 24)
    assert sum(segment["area"] for segment in segments) == np.count_nonzero(ids)


def test_train_ids_of_the_ends() -> None:
    assert train_ids(np.array([[7, 33, 0, 29]]), Path("x")).tolist() == [[0, 18, 255, 255]]


@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("instanceIds", 35, r"aachen_000000_000019_gtFine_instanceIds\.png has the value 35; expected a label id"),
        ("instanceIds", 34000, "instanceIds.png has the value 34000"),
        ("labelIds", 34, r"aachen_000000_000019_gtFine_labelIds\.png has the value 34; expected label ids, 0 … 33"),
    ],
)
def test_an_unknown_value_is_named(root: Path, file: str, value: int, message: str) -> None:
    change(root / f"cityscapes/gtFine/train/{STREET}_gtFine_{file}.png", 0, 0, value)
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
    assert_nothing_half_done(root)


@pytest.mark.parametrize("file", ["gtFine/train/{}_gtFine_labelIds.png", "gtFine/train/{}_gtFine_instanceIds.png"])
def test_sizes_must_agree(root: Path, file: str) -> None:
    path = root / "cityscapes" / file.format(STREET)
    Image.fromarray(read_labels(path)[:, :30].copy()).save(path)
    with pytest.raises(DataError, match=r"Ids\.png has 30 × 16 pixels, its image .*leftImg8bit\.png 32 × 16"):
        prepare(CONVERTER, root)
    assert_nothing_half_done(root)


@pytest.mark.parametrize("file", ["gtFine/train/{}_gtFine_labelIds.png", "leftImg8bit/train/{}_leftImg8bit.png"])
def test_a_missing_image_is_named(root: Path, file: str) -> None:
    (root / "cityscapes" / file.format(STREET)).unlink()
    with pytest.raises(DataError, match=r"aachen_000000_000019_\w+\.png.* does not exist"):
        prepare(CONVERTER, root)
    assert_nothing_half_done(root)


def test_a_truncated_image_is_named(root: Path) -> None:
    path = root / f"cityscapes/gtFine/train/{STREET}_gtFine_instanceIds.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"aachen_000000_000019_gtFine_instanceIds\.png cannot be decoded"):
        prepare(CONVERTER, root)
    assert_nothing_half_done(root)
    report = prepare(CONVERTER, root, skip_bad=True)
    assert list(report.bad) == ["aachen_000000_000019"]


def test_an_image_in_two_cities_is_refused(root: Path) -> None:
    for folder in ("gtFine", "leftImg8bit"):
        home = root / "cityscapes" / folder / "train"
        shutil.copytree(home / "aachen", home / "zurich")
    with pytest.raises(DataError, match="1 images have the name of another image"):
        prepare(CONVERTER, root)


def test_a_missing_split_is_skipped(root: Path, caplog) -> None:
    shutil.rmtree(root / "cityscapes/gtFine/train")
    shutil.rmtree(root / "cityscapes/leftImg8bit/train")
    with caplog.at_level("INFO"):
        prepare(CONVERTER, root)
    assert "the split train does not exist and is skipped" in caplog.text
    assert (root / "cityscapes/gtFine/cityscapes_panoptic_val.json").exists()


def test_no_split_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing .*gtFine.*leftImg8bit.*https://www\.cityscapes-dataset\.com"):
        prepare(CONVERTER, tmp_path)
    for folder in ("gtFine", "leftImg8bit"):
        (tmp_path / "cityscapes" / folder).mkdir(parents=True)
    with pytest.raises(DataError, match="no images of the splits train, val exist"):
        prepare(CONVERTER, tmp_path)


def assert_nothing_half_done(root: Path) -> None:
    ground_truth = root / "cityscapes/gtFine"
    assert not list(ground_truth.glob("cityscapes_panoptic_train*/aachen*"))
    assert not list(ground_truth.glob("*.json"))
    assert not list(ground_truth.rglob("aachen*_labelTrainIds.png"))
