"""Preparation goes on where it was broken off, names what is bad, and leaves nothing half done."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from frozenseg.atomic import write_json, write_text
from frozenseg.data.prepare.converter import Converter, Job, Step, converter_named, converters
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError


def double(source: Path, target: Path) -> int:
    """Write twice the number of a file."""
    text = source.read_text()
    if not text.isdigit():
        raise DataError(f"{source} holds no number.")
    write_text(target, str(2 * int(text)))
    with (source.parent / "log").open("a") as log:
        log.write(f"{source.name} ")
    return int(text)


def converter_of(setting: str = "1", finish: bool = True) -> Converter:
    def step_of(root: Path) -> Step:
        jobs = [
            Job(path.stem, (path, root / "out" / path.name), (root / "out" / path.name,))
            for path in sorted(root.glob("raw/*.txt"))
        ]
        total = root / "total.json"
        write: Callable[[list[int]], None] = lambda results: write_json(total, results)  # noqa: E731
        return Step("Double it", jobs, double, write if finish else None, (total,) if finish else (), setting)

    return Converter("doubled", "Doubled", "Buy it.", {"raw": "the numbers"}, lambda root: [lambda: step_of(root)], ())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(4):
        write_text(tmp_path / f"raw/{number}.txt", str(number))
        (tmp_path / f"raw/{number}.txt").write_text(str(number))
    return tmp_path


def worked_on(root: Path) -> list[str]:
    """Return which files were converted since this was last asked."""
    log = root / "raw/log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_is_made_once(root: Path, workers: int) -> None:
    report = prepare(converter_of(), root, workers)
    assert (report.done, report.kept, report.bad) == (4, 0, {})
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]
    assert (root / "out/3.txt").read_text() == "6\n"
    assert len(worked_on(root)) == 4
    report = prepare(converter_of(), root, workers)
    assert (report.done, report.kept) == (0, 4)
    assert worked_on(root) == []


def test_a_broken_run_is_gone_on_with(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match=r"2\.txt holds no number\. Replace .* by --skip-bad"):
        prepare(converter_of(), root)
    assert not (root / "total.json").exists()
    worked_on(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert worked_on(root) == ["2.txt", "3.txt"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]


def test_a_line_cut_off_counts_for_nothing(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match="holds no number"):
        prepare(converter_of(), root)
    [journal] = root.glob(".prepare/doubled/*.jsonl")
    journal.write_text(journal.read_text()[:-3])
    worked_on(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert worked_on(root) == ["1.txt", "2.txt", "3.txt"]


@pytest.mark.parametrize("text", ["", "\0\0\0\n", '"1"\n\0\0\n', '"1"\n3\n'])
def test_a_damaged_journal_counts_for_nothing(root: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (root / "raw/2.txt").write_text("two")
    with pytest.raises(DataError, match="holds no number"):
        prepare(converter_of(), root)
    [journal] = root.glob(".prepare/doubled/*.jsonl")
    journal.write_text(text)
    worked_on(root)
    (root / "raw/2.txt").write_text("2")
    prepare(converter_of(), root)
    assert worked_on(root) == ["0.txt", "1.txt", "2.txt", "3.txt"]
    assert "is damaged" in caplog.text


def test_bad_files_can_be_left_out_and_are_tried_again(root: Path) -> None:
    (root / "raw/2.txt").write_text("two")
    report = prepare(converter_of(), root, skip_bad=True)
    assert list(report.bad) == ["2"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 3]
    worked_on(root)
    (root / "raw/2.txt").write_text("2")
    report = prepare(converter_of(), root)
    assert worked_on(root) == ["2.txt"]
    assert json.loads((root / "total.json").read_text()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("finish", "made_again"), [(False, ["1.txt"]), (True, ["0.txt", "1.txt", "2.txt", "3.txt"])])
def test_what_is_gone_is_made_again(root: Path, finish: bool, made_again: list[str]) -> None:
    prepare(converter_of(finish=finish), root)
    worked_on(root)
    (root / "out/1.txt").unlink()
    prepare(converter_of(finish=finish), root)
    assert worked_on(root) == made_again
    assert (root / "out/1.txt").exists()


def test_another_setting_makes_all_anew(root: Path) -> None:
    prepare(converter_of("1"), root)
    worked_on(root)
    prepare(converter_of("2"), root)
    assert len(worked_on(root)) == 4


def test_missing_files_are_told_with_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Doubled: missing .*raw \(the numbers\)\. Buy it\."):
        prepare(converter_of(), tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="Nothing is called 'nonsense'"):
        converter_named("nonsense")


def test_converters_are_found_by_their_name() -> None:
    for name, converter in converters().items():
        assert converter.name == name
        assert converter.source.endswith(".")
