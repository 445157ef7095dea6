"""Converter of Mapillary Vistas: the labels of v1.2 are linked from both archives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from frozenseg.data.prepare.mapillary import CONVERTER
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, read_segment_ids
from tests.miniatures import mapillary as miniature

VALIDATION = "mapillary_vistas/validation"


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    miniature.make_archive(tmp_path, "v1.2")
    return tmp_path


def files(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*")}


def assert_readable(root: Path) -> None:
    for split, (name, _) in miniature.SPLITS.items():
        home = root / "mapillary_vistas" / split
        labels, ids = read_labels(home / f"labels/{name}.png"), read_segment_ids(home / f"panoptic/{name}.png")
        assert labels[[0, 4, 5, 8], [0, 0, 4, 0]].tolist() == [27, 65, 0, 13]
        assert np.array_equal(ids, np.where(labels == 65, 0, labels + 1))
        content = json.loads((home / "panoptic/panoptic_2018.json").read_text())
        assert [image["id"] for image in content["images"]] == list(miniature.SPLITS[split])


def test_the_flat_archive_needs_no_conversion(flat: Path, caplog) -> None:
    before = files(flat)
    with caplog.at_level("INFO"):
        report = prepare(CONVERTER, flat)
    assert (report.done, files(flat)) == (0, before)
    assert "no conversion is necessary" in caplog.text
    assert_readable(flat)


def test_the_nested_archive_is_linked(nested: Path) -> None:
    assert prepare(CONVERTER, nested).done == 4
    assert (nested / VALIDATION / "labels").readlink() == Path("v1.2/labels")
    assert_readable(nested)
    assert prepare(CONVERTER, nested).done == 0


def test_folders_are_copied_without_symbolic_links(nested: Path, monkeypatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert prepare(CONVERTER, nested).done == 4
    assert not (nested / VALIDATION / "labels").is_symlink()
    assert_readable(nested)


def test_a_dangling_link_is_replaced(nested: Path) -> None:
    (nested / VALIDATION / "labels").symlink_to("elsewhere")
    prepare(CONVERTER, nested)
    assert_readable(nested)


def test_a_missing_split_is_skipped(nested: Path, caplog) -> None:
    shutil.rmtree(nested / "mapillary_vistas/training")
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, nested).done == 2
    assert "the split training does not exist and is skipped" in caplog.text


@pytest.mark.parametrize("gone", ["labels", "panoptic", "panoptic/panoptic_2018.json"])
def test_missing_labels_are_named(flat: Path, gone: str) -> None:
    path = flat / VALIDATION / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(
        DataError, match=rf"neither .*validation/{gone}.* \(layout of v1\.2\) nor .*validation/v1\.2/{gone}"
    ):
        prepare(CONVERTER, flat)


def test_a_missing_download_is_named_with_its_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing .*mapillary_vistas.*https://www\.mapillary\.com"):
        prepare(CONVERTER, tmp_path)
    (tmp_path / "mapillary_vistas").mkdir()
    with pytest.raises(DataError, match="no images of the splits training, validation exist"):
        prepare(CONVERTER, tmp_path)
