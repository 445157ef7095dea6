"""The page docs/vocabularies.md: its Python example runs, its names and numbers are those of the code."""

import re
from pathlib import Path

import pytest

from frozenseg.cli.main import main
from frozenseg.config import get_cfg
from frozenseg.inference.named_vocabularies import union_of_vocabularies, vocabulary_names
from frozenseg.toyworld.samples import sample_scene
from tests.tiny import ROOT

PAGE = (ROOT / "docs/vocabularies.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    sample_scene(size=128).save("scene.png")
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/vocabularies.md", "exec"), {})
    assert "water" in capsys.readouterr().out


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    monkeypatch.chdir(tmp_path)
    sample_scene(size=128).save("scene.png")
    [commands] = re.findall(r"```bash\n(frozenseg.*?)```", PAGE, flags=re.DOTALL)
    for command in commands.splitlines():
        assert main(shlex.split(command)[1:]) == 0


def test_names_and_numbers_are_those_of_the_code() -> None:
    union, keys = union_of_vocabularies(), get_cfg().PREDICT
    assert f"{len(union)} classes and {len(union.synonyms)} names" in " ".join(PAGE.split())
    assert all(f"`{name}`" in PAGE for name in vocabulary_names())
    assert f"`PREDICT.NEGATIVES_UP_TO` classes ({keys.NEGATIVES_UP_TO})" in PAGE
    assert f"`PREDICT.MIN_EVIDENCE` ({keys.MIN_EVIDENCE})" in PAGE
