"""Label, look, train, evaluate: images without annotations become a data set that a training takes as it is."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from frozenseg.cli.main import main
from frozenseg.data import DatasetCatalog, vocabulary_of
from frozenseg.log import ROOT_LOGGER, get_logger
from frozenseg.toyworld.export import Recipe, make_scene

SCENES = 5
CLASSES = """\
id	name	synonyms	isthing
3	red circle	red circle,red disc	1
5	blue square		1
9	grass		0
7	sand		0
"""
FAST = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "2", "INPUT.IMAGE_SIZE", "64", "MODEL.DEVICE", "cpu"]
FAST += ["INPUT.MIN_SIZE_TEST", "64", "DATALOADER.NUM_WORKERS", "0"]
LABEL = ["label", "photos", "--output", "labelled", "--json", "--min-score", "0.3"]
LABEL += ["--device", "cpu", "--set", "INPUT.MIN_SIZE_TEST", "64", "--batch", "2"]


@pytest.fixture(autouse=True)
def _photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write photos, of which the first is turned by its EXIF orientation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "none"))
    Path("classes.tsv").write_text(CLASSES, encoding="utf-8")
    Path("photos/sub").mkdir(parents=True)
    for number in range(1, SCENES + 1):
        scene = Image.fromarray(make_scene(Recipe("val_seen", 0, SCENES, 64, 96), number).image)
        orientation = Image.Exif()
        orientation[ExifTags.Base.Orientation] = 6 if number == 1 else 1
        scene.save(f"photos/{'sub/' if number % 2 else ''}{number}.jpg", exif=orientation)
    yield
    logger = get_logger(ROOT_LOGGER)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def label(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    assert main([*LABEL, *(flags or ["--words-file", "classes.tsv"])]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_label_look_train_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    report = label(capsys)
    assert (report["done"], report["skipped"]) == (SCENES, [])
    records = {split: DatasetCatalog.get(name) for split, name in report["data_sets"].items()}
    assert {split: len(of_split) for split, of_split in records.items()} == {"train": 4, "val": 1}
    assert all(record["segments_info"] for of_split in records.values() for record in of_split)
    turned = next(record for record in [*records["train"], *records["val"]] if record["file_name"].endswith("/1.jpg"))
    assert (turned["width"], turned["height"]) == (64, 96)
    assert vocabulary_of(report["data_sets"]["train"]).classes[0] == ("red circle", "red disc")

    assert main(["validate", *report["data_sets"].values(), "--workers", "1"]) == 0
    assert main([*shlex.split(report["commands"]["train"])[1:], *FAST]) == 0
    assert main([*shlex.split(report["commands"]["evaluate"])[1:], *FAST]) == 0
    [results] = Path("labelled/evaluation/inference").glob("results.json")
    assert 0 <= json.loads(results.read_text(encoding="utf-8"))["labelled_val"]["panoptic_seg"]["PQ"] <= 100


def test_unsure_pixels_have_no_label(capsys: pytest.CaptureFixture[str]) -> None:
    report = label(capsys, "--words-file", "classes.tsv", "--min-score", "1", "--val-fraction", "0")
    assert list(report["data_sets"]) == ["train"]
    assert [record["segments_info"] for record in DatasetCatalog.get(report["data_sets"]["train"])] == [[]] * SCENES
    assert (report["segments"], len(report["absent"])) == ({}, 4)
