"""Page docs/labelling.md: its commands label images without annotations, train on the data set, and evaluate."""

import errno
import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from frozenseg.cli.main import main
from frozenseg.data import DatasetCatalog, vocabulary_of
from frozenseg.toyworld.export import Recipe, make_scene
from tests.tiny import ROOT

PAGE = (ROOT / "docs/labelling.md").read_text(encoding="utf-8")
SCENES = 5
SMALL = ["--device", "cpu", "--set", "INPUT.MIN_SIZE_TEST", "64"]
SMALL += ["--weights", "toyworld", "--config", "toyworld/frozenseg_tiny"]  # without SAM proposals
SHORT = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "2", "INPUT.IMAGE_SIZE", "64", "MODEL.DEVICE", "cpu"]
SHORT += ["INPUT.MIN_SIZE_TEST", "64", "DATALOADER.NUM_WORKERS", "0"]
FASTER = {"label": SMALL, "segment": SMALL, "train": SHORT, "eval": SHORT, "validate": ["--workers", "1"]}


@pytest.fixture(autouse=True)
def _photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write photos, of which the first is turned by its EXIF orientation, and the classes of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "none"))
    Path("classes.tsv").write_text(block("tsv"), encoding="utf-8")
    Path("photos/sub").mkdir(parents=True)
    for number in range(1, SCENES + 1):
        scene = Image.fromarray(make_scene(Recipe("val_seen", 0, SCENES, 64, 96), number).image)
        orientation = Image.Exif()
        orientation[ExifTags.Base.Orientation] = 6 if number == 1 else 1
        scene.save(f"photos/{'sub/' if number % 2 else ''}{number}.jpg", exif=orientation)


def block(language: str) -> str:
    """Return all code of a language on the page."""
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE))


def test_the_commands_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [shlex.split(line) for line in block("bash").splitlines()]
    assert {command[1] for command in commands} == FASTER.keys()
    for program, verb, *arguments in commands:
        assert program == "frozenseg"
        assert main([verb, *arguments, *FASTER[verb]]) == 0, arguments
    printed = capsys.readouterr().out
    assert all(shlex.join(command) in printed for command in commands if command[1] in ("train", "eval"))
    names = [
        f"coco-panoptic:labelled/{split}/panoptic.json?images=labelled/images&classes=labelled/classes.tsv"
        for split in ("train", "val")
    ]
    records = [DatasetCatalog.get(name) for name in names]
    assert list(map(len, records)) == [4, 1]
    assert all(record["segments_info"] for of_split in records for record in of_split)
    turned = next(record for of_split in records for record in of_split if record["file_name"].endswith("/1.jpg"))
    assert (turned["width"], turned["height"]) == (64, 96)
    assert vocabulary_of(names[0]).classes[0] == ("red circle", "red disc")
    results = json.loads(Path("labelled/evaluation/inference/results.json").read_text(encoding="utf-8"))
    assert 0 <= results["labelled_val"]["panoptic_seg"]["PQ"] <= 100
    assert Path("labelled/review.html").is_file()
    assert len(list(Path("masks/overlay").rglob("*.jpg"))) == SCENES


def test_the_example_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("python"), "docs/labelling.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if ".jpg" in line] == [
        "2.jpg", "4.jpg", "sub/1.jpg", "sub/3.jpg", "sub/5.jpg"
    ]  # fmt: skip


def test_unsure_pixels_have_no_label(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--words-file", "classes.tsv", "--output", "labelled", "--json", "--min-score", "1", "--val-fraction", "0"]
    assert main(["label", "photos", *flags, *SMALL]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["data_sets"]) == ["train"]
    assert [record["segments_info"] for record in DatasetCatalog.get(report["data_sets"]["train"])] == [[]] * SCENES
    assert (report["segments"], len(report["absent"])) == ({}, 4)


def test_a_data_set_without_class_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    present = set()
    for number in (4, 5):
        scene = make_scene(Recipe("val_unseen", 7, 5, 192, 192), number)
        (tmp_path / "scenes").mkdir(exist_ok=True)
        Image.fromarray(scene.image).save(tmp_path / f"scenes/{number}.png")
        present |= {segment.category.name for segment in scene.segments}
    flags = ["--words", "auto", "--output", "labelled", "--json", "--val-fraction", "0", "--min-score", "0"]
    assert main(["label", "scenes", *flags, *SMALL[:2], *SMALL[-4:]]) == 0
    report = json.loads(capsys.readouterr().out)
    names = set(report["segments"])
    assert len(names & present) >= 0.5 * len(names) > 1
    assert set(vocabulary_of(report["data_sets"]["train"]).names) == names  # not all 200
    assert report["absent"] == []
    label_map = Path("labelled/classes.tsv").read_text(encoding="utf-8")
    assert all(f"\t{name}\t" in label_map for name in names)


def test_a_full_disk_at_the_config_of_the_training_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("frozenseg.cli.label_report.write_text", full)
    assert main(["label", "photos/2.jpg", "--words", "grass", "--output", "labelled", *SMALL]) == 2
    error = capsys.readouterr().err
    assert "error: The results cannot be written to labelled (No space left on device): free some space" in error
