"""The tool that scores files, from the command line to results.json."""

import json
from pathlib import Path

import pytest

from frozenseg.evaluation.prediction_file_metrics.scores import FileScores
from frozenseg.structures.masks import decode_segmentation, encode_rle
from frozenseg.toyworld.export import Recipe, export_split
from tools.evaluate_predictions import main


@pytest.fixture
def world(tmp_path: Path) -> Path:
    export_split(tmp_path / "world", Recipe("val_seen", 0, 3, 64, 64), quiet=True)
    return tmp_path / "world"


def arguments(world: Path, task: str) -> list[str]:
    """The ground truth against itself."""
    ground_truth, lines = json.loads((world / "instances.json").read_text()), world / "lines.json"
    guesses = [
        {"image_id": item["image_id"], "category_id": item["category_id"], "score": 0.5}
        | {"segmentation": encode_rle(decode_segmentation(item["segmentation"], 64, 64)[None])[0]}
        for item in ground_truth["annotations"]
    ]
    lines.write_text(json.dumps(guesses))
    words = {
        "panoptic": f"--gt-json {world}/panoptic.json --gt-dir {world}/panoptic "
        f"--pred-json {world}/panoptic.json --pred-dir {world}/panoptic",
        "instance": f"--gt-json {world}/instances.json --pred-json {lines}",
        "semantic": f"--gt-dir {world}/semantic --pred-dir {world}/semantic --num-classes 20 --ignore 255",
    }[task]
    return ["--task", task, *words.split()]


@pytest.mark.parametrize(
    ("task", "name", "metric", "fields"),
    [
        ("panoptic", "panoptic_seg", "PQ", {"tp", "fp", "fn", "iou", "PQ", "SQ", "RQ"}),
        ("instance", "segm", "AP", {"AP", "AP50", "AP75"}),
        ("semantic", "sem_seg", "mIoU", {"IoU", "ACC"}),
    ],
)
def test_the_truth_scores_100(
    world: Path, capsys: pytest.CaptureFixture[str], task: str, name: str, metric: str, fields: set[str]
) -> None:
    output = world / "new/results.json"
    assert main([*arguments(world, task), "--output", str(output)]) == 0
    content = json.loads(output.read_text(encoding="utf-8"))
    assert content.keys() == {name, "per_category"}
    assert content[name][metric] == pytest.approx(100)
    assert all(scores.keys() == fields for scores in content["per_category"].values())
    printed = capsys.readouterr().out
    assert f" {metric} " in printed
    assert "3 images" in printed
    assert "100.0" in printed
    assert f"Results: {output}" in printed


def test_without_output_there_is_a_table_only(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = set(world.rglob("*"))
    assert main([*arguments(world, "semantic"), "--workers", "1"]) == 0
    assert "mIoU" in capsys.readouterr().out
    assert set(world.rglob("*")) - files == {world / "lines.json"}


def test_notes_stand_below_the_table(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(world, "instance")
    (world / "lines.json").write_text("[]")
    assert main(words) == 0
    assert capsys.readouterr().out.rstrip().endswith("has no line: every object is missed, and AP is 0.")


def test_files_that_cannot_be_scored_end_with_2(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world / "panoptic/000000000002.png").unlink()
    assert main(arguments(world, "panoptic")) == 2
    assert "error: The image " in capsys.readouterr().err
    assert main([*arguments(world, "semantic")[:-4], "--num-classes", "2"]) == 2
    assert "expected 0 to 1, or 255 for unlabelled pixels" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_refused_before_the_scoring(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "taken").write_text("")
    assert main([*arguments(world, "instance"), "--output", str(world / "taken/results.json")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "taken/results.json cannot be written" in printed.err


def test_a_table_is_printed_even_where_the_disk_is_full(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(scores: FileScores, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(FileScores, "write", write)
    assert main([*arguments(world, "instance"), "--output", str(world / "results.json")]) == 2
    printed = capsys.readouterr()
    assert "AP" in printed.out
    assert "results.json cannot be written" in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--task panoptic --gt-json a", "--task panoptic needs --gt-dir, --pred-json, --pred-dir"),
        ("--task instance --gt-json a --pred-json b --gt-dir c", "--task instance does not take --gt-dir"),
        ("--task semantic --gt-dir a --pred-dir b", "--task semantic needs --num-classes"),
        ("--task semantic --gt-dir a --pred-dir b --num-classes 0", "--num-classes and --workers must be at least 1"),
        (
            "--task semantic --gt-dir a --pred-dir b --num-classes 256",
            "255 is a class here: set the value of unlabelled pixels with --ignore",
        ),
        ("--task instance --gt-json a --pred-json b --output .", "--output . is a folder: name a file in it"),
        ("--task semantic --gt-dir a --pred-dir b --num-classes 9 --strict", "does not take --strict"),
        ("--task depth", "invalid choice: 'depth'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert message in capsys.readouterr().err


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python tools/evaluate_predictions.py --task instance --gt-json" in capsys.readouterr().out
