"""The verb segment: runs, resumed runs, the report, and one sentence for each mistake before the model is built."""

import functools
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from frozenseg.cli.image_flags import seconds
from frozenseg.cli.image_job import run_with_progress
from frozenseg.cli.main import main
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.cli.run_report import print_report
from frozenseg.cli.verbs import segment
from frozenseg.errors import ConfigError
from frozenseg.inference.formats.registry import output_formats
from frozenseg.inference.image_run import ImageRun
from frozenseg.inference.run_folder import RunFolder
from frozenseg.inference.sources.image_list import InputImages
from frozenseg.modeling.postprocess import output_memory
from frozenseg.toyworld.export import Recipe, make_scene

FAST = ["--format", "jsonl", "--device", "cpu", "--set", "INPUT.MIN_SIZE_TEST", "64"]
FAST += ["--weights", "toyworld", "--config", "toyworld/frozenseg_tiny"]  # without SAM proposals
BUILT = functools.cache(ModelChoice.build)
CLASSES = ["--words", "red circle; blue square; grass; water", "--stuff", "grass; water"]


@pytest.fixture(autouse=True)
def _console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ModelChoice, "build", lambda choice: BUILT(choice))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "sub/a.png", "sub/b.jpg")):
        (tmp_path / "photos/sub").mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_scene(Recipe("val_seen", 0, 3, 64, 64), number).image).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def lines(folder: str) -> list[dict[str, Any]]:
    text = Path(folder, "segments.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_folder_is_segmented_and_resumed_without_the_model(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["segment", str(photos), *CLASSES, *FAST, "--output", "out", "--batch", "2"]
    assert main(command) == 0
    captured = capsys.readouterr()
    first, second, segments, *_ = captured.out.splitlines()
    assert [first, second] == ["3 images segmented; results in out", "  jsonl  out/segments.jsonl"]
    assert segments.startswith("segments: ")
    assert "knows the classes of toyworld only" in captured.err
    assert [line["file_name"] for line in lines("out")] == ["a.png", "sub/a.png", "sub/b.jpg"]
    names = [segment["name"] for line in lines("out") for segment in line["segments"]]
    content = Path("out/segments.jsonl").read_bytes()
    monkeypatch.setattr(ModelChoice, "build", lambda _: pytest.fail("nothing is left to segment"))
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["done"], report["finished_before"], report["skipped"]) == (0, 3, [])
    assert report["segments"] == dict(Counter(names))
    assert {*report["segments"], *report["absent"]} == {"red circle", "blue square", "grass", "water"}
    assert Path("out/segments.jsonl").read_bytes() == content


def test_other_class_names_are_refused_and_the_default_folder_is_numbered(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["segment", str(photos / "a.png"), *CLASSES, *FAST]
    other = ["segment", str(photos / "a.png"), "--words", "red circle; sand", *FAST]
    assert main([*first]) == 0
    assert main([*other, "--output", "output/segment"]) == 2
    error = capsys.readouterr().err
    assert "words: red circle; blue square; grass; water there, red circle; sand now" in error
    assert "--overwrite" in error
    assert main([*other, "--min-score", "0.99"]) == 0
    assert "results in output/segment_2" in capsys.readouterr().out
    assert lines("output/segment_2")[0]["segments"] == []
    assert main(first) == 0
    assert "0 images segmented, 1 finished before; results in output/segment\n" in capsys.readouterr().out


def test_broken_images_are_skipped_and_listed(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "broken.png").write_bytes(b"no image")
    command = ["segment", str(photos), *CLASSES, *FAST, "--output", "out"]
    assert main(command) == 2
    assert "broken.png cannot be decoded (unknown format): replace it; or leave such images out with --skip-bad" in (
        capsys.readouterr().err
    )
    assert main([*command, "--skip-bad"]) == 0
    assert "3 images segmented, 1 skipped (out/skipped.tsv)" in capsys.readouterr().out
    rows = Path("out/skipped.tsv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "image\treason"
    assert rows[1].startswith("broken.png\tThe image ")
    (photos / "broken.png").unlink()
    assert main(command) == 0
    assert not Path("out/skipped.tsv").exists()


def test_standard_input(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.TextIOWrapper(io.BytesIO((photos / "a.png").read_bytes()))
    monkeypatch.setattr("sys.stdin", content)
    assert main(["segment", "-", *CLASSES, *FAST, "--output", "out"]) == 0
    assert [line["file_name"] for line in lines("out")] == ["stdin"]


def test_another_content_of_the_config_is_another_run(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Path("model.yaml")
    base = "_BASE_: toyworld/frozenseg_tiny\nMODEL: {WEIGHTS: toyworld}\nINPUT: {MIN_SIZE_TEST: PIXELS}\n"
    command = ["segment", str(photos / "a.png"), *CLASSES, "--format", "jsonl", "--config", str(config)]
    command += ["--output", "out"]
    for size, code in (("64", 0), ("64", 0), ("96", 2)):
        config.write_text(base.replace("PIXELS", size), encoding="utf-8")
        assert main(command) == code
    error = capsys.readouterr().err
    assert "config: model.yaml (sha256" in error
    assert '"weights": "toyworld (sha256' in Path("out/.frozenseg/run.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("none.png --words cat", "The input none.png does not exist"),
        ("empty --words cat", "The folder empty has no image"),
        ("none/*.png --words cat", "No file matches the pattern"),
        ("a.png --words ''", "The vocabulary is empty"),
        ("a.png --words cat;dog;Cat", "--words lists 'Cat' twice, as class 1 and as class 3"),
        ("a.png --format jsonl --words cat --stuff sky", "Stuff classes that are not in the vocabulary: sky"),
        ("a.png --words-file none.txt", "none.txt"),
        ("a.png --words cat --format yolo", "Unknown output format 'yolo'"),
        ("a.png --words cat --weights toywrld", "toywrld"),
        ("a.png --words cat --weights none.pth", "none.pth"),
        ("a.png --words cat --device gpu", "gpu"),
        ("a.png --words cat --output .", "--output . has the input a.png in it: choose another folder"),
        ("overlay --words cat --output .", "--output . has the input overlay/b.png in it: choose another folder"),
        ("a.png --words cat --output ~nobody-of-this-name/out", "--output ~nobody-of-this-name/out cannot be written"),
        ("a.png --words cat --output a.png", "--output a.png cannot be written"),
        ("a.png --words cat --start 5 --end 2", "expected a start of 0 or more, and an end after it"),
        ("--weights none.pth --words cat", "No input: name an image"),
        ("a.png --weights none.pth", "No class names: give them with --words"),
        ("--stuff sky", "--stuff 'sky' needs --words"),
    ],
)
def test_mistakes_are_one_sentence_before_the_model_is_built(
    line: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 8)).save("a.png")
    Path("empty").mkdir()
    Path("overlay").mkdir()
    Image.new("RGB", (8, 8)).save("overlay/b.png")
    monkeypatch.setattr(ModelChoice, "build", lambda _: pytest.fail("the model is built"))
    words = ["" if word == "''" else word for word in line.split(" ")]
    assert main(["segment", *words, *([] if "--format" in words else ["--format", "jsonl"])]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def test_a_report_with_bytes_of_another_encoding_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_report("results in caf\udce9", {"output": "caf\udce9"}, as_json=False)
    print_report("", {"output": "caf\udce9"}, as_json=True)
    assert capsys.readouterr().out == 'results in caf\\udce9\n{\n  "output": "caf\\udce9"\n}\n'


def test_a_list_of_skipped_images_that_cannot_be_written_is_one_sentence() -> None:
    Path("out/skipped.tsv").mkdir(parents=True)
    run = ImageRun(RunFolder("out"), lambda _: [], lambda *_: {})
    with pytest.raises(ConfigError, match="The results cannot be written to out"):
        run_with_progress(run, InputImages(()))


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("1:30", 90.0), ("0:01:30.5", 90.5), ("1:0:0", 3600.0)])
def test_times_of_videos(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "flag", ["--start=x", "--end=-1", "--start=1:2:3:4", "--batch=0", "--min-score=2", "--start=nan"]
)
def test_wrong_numbers(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["segment", flag])
    assert "expected" in capsys.readouterr().err


def test_the_help_names_all_formats() -> None:
    assert segment.__doc__ is not None
    [listed] = re.findall(r"^Formats: (.*)\.$", segment.__doc__, flags=re.MULTILINE)
    assert sorted(listed.split(", ")) == list(output_formats())


def test_images_that_are_too_large_for_the_memory_are_left_out(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (96, 64)).save(photos / "sub/large.png")
    monkeypatch.setattr(output_memory, "UNCHECKED", 0)
    monkeypatch.setattr(output_memory, "available_memory", lambda _: 1)
    monkeypatch.setattr(output_memory, "output_bytes", lambda *values: {"masks": 2 * (values[3].width > 64) - 1})
    command = ["segment", str(photos), *CLASSES, *FAST, "--output", "out"]
    assert main([*command, "--skip-bad"]) == 0
    assert "3 images segmented, 1 skipped" in capsys.readouterr().out
    assert Path("out/skipped.tsv").read_text(encoding="utf-8").startswith("image\treason\nsub/large.png\t")
    assert main(command) == 2
    assert "sub/large.png: The outputs of an image of 96×64 pixels need" in capsys.readouterr().err


def test_another_batch_size_resumes_a_run(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["segment", str(photos), *CLASSES, *FAST, "--output"]
    assert main([*command, "one"]) == 0
    assert main([*command, "other", "--batch", "3", "--workers", "0"]) == 0
    [record] = Path("other/.frozenseg/records").glob("a.png.json")
    record.unlink()
    assert main([*command, "other", "--batch", "1"]) == 0
    assert "1 image segmented, 2 finished before" in capsys.readouterr().out
    for first, second in zip(lines("one"), lines("other"), strict=True):
        shapes = [[(each["name"], each["area"]) for each in line["segments"]] for line in (first, second)]
        assert [name for name, _ in shapes[0]] == [name for name, _ in shapes[1]]
        assert [area for _, area in shapes[0]] == pytest.approx([area for _, area in shapes[1]], abs=3)
