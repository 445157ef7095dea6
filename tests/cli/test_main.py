"""The command: its table of verbs, help, version, unknown verbs and exit codes."""

import json
from pathlib import Path

import pytest

import frozenseg
from frozenseg.cli import verbs
from frozenseg.cli.main import main
from frozenseg.cli.verb_table import load_verb, verb_summaries
from frozenseg.config import load_config


def test_every_file_of_verbs_is_a_verb_with_a_summary() -> None:
    [folder] = verbs.__path__
    assert list(verb_summaries()) == sorted(path.stem for path in Path(folder).glob("*.py") if path.stem != "__init__")
    assert {name: text for name, text in verb_summaries().items() if not text.endswith(".")} == {}


@pytest.mark.parametrize("name", verb_summaries())
def test_help_teaches_by_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    text = capsys.readouterr().out
    assert f"usage: frozenseg {name}" in text
    assert f"\n    frozenseg {name}" in text.partition("Examples:")[2]
    assert load_verb(name).__doc__


@pytest.mark.parametrize("line", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_the_verbs(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0
    text = capsys.readouterr().out
    assert all(f"{name} " in text and summary in text for name, summary in verb_summaries().items())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"frozenseg {frozenseg.__version__}\n"


def test_an_unknown_verb_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["confgis", "--json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: Unknown verb 'confgis'. Did you mean 'configs'? Verbs: ")
    assert error.count("\n") == 1


def test_a_reader_that_stops_reading_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    assert main(["--version"]) == 0


def test_configs_are_listed_by_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "list", "toyworld/*_tiny", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == ["toyworld/fcclip_tiny", "toyworld/frozenseg_tiny"]
    assert entries[1]["description"].startswith("FrozenSeg for a laptop")


def test_configs_show_has_value_and_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "show", "toyworld/frozenseg_tiny", "--json"]) == 0
    setting = json.loads(capsys.readouterr().out)["MODEL.SAM_WEIGHTS"]
    assert setting["value"] == "toyworld"
    assert setting["origin"].endswith("frozenseg_tiny.yaml")


def test_a_copied_config_is_the_same_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine/model.yaml"
    assert main(["configs", "copy", "frozenseg/convnext_large", str(output)]) == 0
    assert load_config(output).dump() == load_config("frozenseg/convnext_large").dump()
    assert main(["configs", "copy", "frozenseg/convnext_large", str(output)]) == 2
    assert f"{output} exists: choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["list", "nothing*"], "No config matches 'nothing*'"),
        (["show"], "received 0 names, expected: frozenseg configs show NAME"),
        (["show", "toyworld/frozenseg_tny"], "Did you mean 'toyworld/frozenseg_tiny'"),
        (["copy", "toyworld/frozenseg_tiny", "model.txt"], "ends in .yaml"),
    ],
)
def test_wrong_names_of_configs(line: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", *line]) == 2
    assert message in capsys.readouterr().err
