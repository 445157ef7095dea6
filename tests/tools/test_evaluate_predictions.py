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


DAMAGED_FILES = {
    "it is empty; 0 bytes): export or download it again": lambda path: path.write_bytes(b""),
    "it is empty; 1 bytes": lambda path: path.write_bytes(b"\n"),
    "cannot be read as JSON (Expecting": lambda path: path.write_bytes(path.read_bytes().rstrip()[:-1]),
    "cannot be read as JSON ('utf-8' codec can't decode": lambda path: path.write_bytes(b"\x89PNG\r\n\xff\xff"),
    "cannot be read as JSON (Extra data": lambda path: path.write_text("{}\n{}"),
    "cannot be read as JSON (maximum recursion depth": lambda path: path.write_text("[" * 10**5),
    "No such file": lambda path: path.unlink(),
    "it is a folder. Name the JSON file": lambda path: (path.unlink(), path.mkdir()),
    "expected": lambda path: path.write_text("null"),
    "expected a": lambda path: path.write_text('"text"'),
}


@pytest.mark.parametrize("message", DAMAGED_FILES)
@pytest.mark.parametrize(
    ("task", "name"), [("panoptic", "panoptic.json"), ("instance", "instances.json"), ("instance", "lines.json")]
)
def test_damaged_json_files_are_named(
    world: Path, capsys: pytest.CaptureFixture[str], task: str, name: str, message: str
) -> None:
    command = arguments(world, task)
    DAMAGED_FILES[message](world / name)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert str(world / name) in error
    assert message in error or "do not exist" in error


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_read(world: Path, encoding: str) -> None:
    command = arguments(world, "instance")
    for name in ("instances.json", "lines.json"):
        (world / name).write_text((world / name).read_text(encoding="utf-8"), encoding=encoding)
    assert main(command) == 0


def test_files_in_exchange_are_named(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = arguments(world, "instance")
    assert main([*command[:-3], str(world / "lines.json"), command[-2], str(world / "instances.json")]) == 2
    assert "expected a JSON object at the top" in capsys.readouterr().err
    assert main([*command[:-1], str(world / "panoptic.json")]) == 2
    assert "panoptic.json are not a COCO result file: expected a list of objects with" in capsys.readouterr().err


def test_strict_refuses_objects_without_masks(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = arguments(world, "instance")
    content = json.loads((world / "instances.json").read_text(encoding="utf-8"))
    content["annotations"][0]["segmentation"] = []
    (world / "instances.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(command) == 0
    assert "have a box only (first: object 1); left out (--strict refuses them)." in capsys.readouterr().out
    assert main([*command, "--strict"]) == 2
    assert "have a box only (first: object 1), expected a mask for every object" in capsys.readouterr().err


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
        (
            "--task semantic --gt-dir a --pred-dir b --num-classes 1000000000 --ignore -1",
            "--num-classes is 1000000000, expected at most 10000",
        ),
        ("--task semantic --gt-dir a --pred-dir b --num-classes 2 --workers 99999", "--workers is 99999, expected at"),
        ("--task semantic --gt-dir a --pred-dir b --num-classes 2 --first-label 9999999999", "--first-label is 99999"),
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
