"""Runner of conversions: resumes, names invalid files, and leaves no incomplete output."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from frozenseg.atomic import write_json, write_text
from frozenseg.data.prepare.converter import ConversionStep, Converter, Job, converters, get_converter
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError


def double(source: Path, target: Path) -> int:
    """Write twice the number of a file."""
    text = source.read_text()
    if not text.isdigit():
        raise DataError(f"{source} contains no number.")
    write_text(target, str(2 * int(text)))
    with (source.parent / "log").open("a") as log:
        log.write(f"{source.name} ")
    return int(text)


def converter_of(setting: str = "1", finish: bool = True) -> Converter:
    def step_of(root: Path) -> ConversionStep:
        jobs = [
            Job(path.stem, (path, root / "out" / path.name), (root / "out" / path.name,))
            for path in sorted(root.glob("raw/*.txt"))
        ]
        total = root / "total.json"
        write: Callable[[list[int]], None] = lambda results: write_json(total, results)  # noqa: E731
        return ConversionStep("Double it", jobs, double, write if finish else None, (total,) if finish else (), setting)

    return Converter("doubled", "Doubled", "Buy it.", {"raw": "the numbers"}, lambda root: [lambda: step_of(root)], ())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(4):
        write_text(tmp_path / f"raw/{number}.txt", str(number))
        (tmp_path / f"raw/{number}.txt").write_text(str(number))
    return tmp_path


def converted_files(root: Path) -> list[str]:
    """Return the files that were converted since the last call."""
    log = root / "raw/log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_runs_once(root: Path, workers: int) -> None:
    report = prepare(converter_of(), root, workers)
    assert (report.done, report.kept, report.bad) == (4, 0, {})
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]
    assert (root / "out/3.txt").read_text() == "6\n"
    assert len(converted_files(root)) == 4
    report = prepare(converter_of(), root, workers)
    assert (report.done, report.kept) == (0, 4)
    assert converted_files(root) == []


def test_an_interrupted_run_is_resumed(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match=r"2\.txt contains no number\. Replace .* with --skip-bad"):
        prepare(converter_of(), root)
    assert not (root / "total.json").exists()
    converted_files(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert converted_files(root) == ["2.txt", "3.txt"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]


def test_a_truncated_line_is_ignored(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match="contains no number"):
        prepare(converter_of(), root)
    [job_log] = root.glob(".prepare/doubled/*.jsonl")
    job_log.write_text(job_log.read_text()[:-3])
    converted_files(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert converted_files(root) == ["1.txt", "2.txt", "3.txt"]


@pytest.mark.parametrize("text", ["", "\0\0\0\n", '"1"\n\0\0\n', '"1"\n3\n'])
def test_a_damaged_log_is_ignored(root: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match="contains no number"):
        prepare(converter_of(), root)
    [job_log] = root.glob(".prepare/doubled/*.jsonl")
    job_log.write_text(text)
    converted_files(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert converted_files(root) == ["0.txt", "1.txt", "2.txt", "3.txt"]
    assert "is damaged" in caplog.text


def test_bad_files_can_be_skipped_and_are_tried_again(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    report = prepare(converter_of(), root, skip_bad=True)
    assert list(report.bad) == ["2"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 3]
    converted_files(root)
    (root / "raw/2.txt").write_text("2")
    report = prepare(converter_of(), root)
    assert converted_files(root) == ["2.txt"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("finish", "made_again"), [(False, ["1.txt"]), (True, ["0.txt", "1.txt", "2.txt", "3.txt"])])
def test_a_deleted_output_is_made_again(root: Path, finish: bool, made_again: list[str]) -> None:
    prepare(converter_of(finish=finish), root)
    converted_files(root)
    (root / "out/1.txt").unlink()
    prepare(converter_of(finish=finish), root)
    assert converted_files(root) == made_again
    assert (root / "out/1.txt").exists()


def test_another_setting_runs_all_jobs_again(root: Path) -> None:
    prepare(converter_of("1"), root)
    converted_files(root)
    prepare(converter_of("2"), root)
    assert len(converted_files(root)) == 4


def test_missing_files_are_named_with_their_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Doubled: missing .*raw \(the numbers\)\. Buy it\."):
        prepare(converter_of(), tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"Unknown converter 'nonsense'\. Available: ade20k, "):
        get_converter("nonsense")
    with pytest.raises(DataError, match=r"Unknown converter 'mapilary'\. Did you mean 'mapillary'\?"):
        get_converter("mapilary")


def test_converters_have_unique_names() -> None:
    for name, converter in converters().items():
        assert converter.name == name
        assert converter.source.endswith(".")
