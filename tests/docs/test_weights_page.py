"""The commands and lines of docs/weights.md run as printed, without a network."""

import re
import shlex
from pathlib import Path

import pytest

from frozenseg.cli.main import main
from frozenseg.modeling.model_zoo.weights import zoo_entry
from tests.tiny import ROOT

PAGE = (ROOT / "docs/weights.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_commands_run(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "frozenseg"
        assert main(arguments) == 0, line
    assert "6dbb9052" in capsys.readouterr().out


def test_the_downloads_name_weights_of_the_table() -> None:
    names = re.findall(r"^frozenseg models download (\w+)(.*)$", PAGE, flags=re.MULTILINE)
    assert len(names) == 3
    assert all(zoo_entry(name).needs_consent == ("--accept-no-licence" in flags) for name, flags in names)


def test_the_python_lines_run(tmp_path: Path) -> None:
    [block] = blocks("python")
    exec(compile(block, "docs/weights.md", "exec"), {})
    files = set(re.findall(r"^\| `([\w.]+)` \|", PAGE.partition("| file |")[2], flags=re.MULTILINE))
    assert files == {path.name for path in (tmp_path / "my_model").iterdir()}
