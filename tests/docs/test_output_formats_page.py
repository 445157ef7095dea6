"""docs/output_formats.md: its code runs, and its tables list what there is."""

import re
from pathlib import Path

import pytest

from frozenseg.inference.formats.registry import output_formats
from frozenseg.inference.result import Result
from tests.tiny import ROOT

TEXT = (ROOT / "docs/output_formats.md").read_text(encoding="utf-8")


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(code, "docs/output_formats.md", "exec"), names)
    result = names["result"]
    assert isinstance(result, Result)
    assert {segment.name for segment in result.segments} == set(result.vocabulary.names)
    assert (tmp_path / "overlay.png").is_file()


def test_every_format_and_method_is_listed() -> None:
    listed = re.findall(r"^\| `(\w[\w-]*)` \|", TEXT, flags=re.MULTILINE)
    assert sorted(listed) == sorted(output_formats())
    methods = re.findall(r"^\| `(to_\w+)\(\)` \|", TEXT, flags=re.MULTILINE)
    assert sorted(methods) == sorted(name for name in vars(Result) if name.startswith("to_"))


def test_the_command_names_known_formats() -> None:
    [line] = re.findall(r"^frozenseg segment .*$", TEXT, flags=re.MULTILINE)
    assert set(line.partition("--format ")[2].split()) <= set(output_formats())
