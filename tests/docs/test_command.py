"""The lines of README and of the help pages that begin with ``frozenseg``: they run, or at least are understood."""

import contextlib
import io
import json
import shlex
from pathlib import Path

import pytest

from frozenseg.cli.command_line import docstring_parser
from frozenseg.cli.main import main
from frozenseg.cli.verb_table import load_verb, verb_summaries
from frozenseg.config import find_config
from tests.tiny import ROOT
from tools import check_wheel

LONG = ("train", "eval", "quickstart")  # run by check_wheel.py and other tests; here their config is resolved
PLACEHOLDERS = {"CONFIG": "toyworld/frozenseg_tiny", "NAME": "toyworld", "FILE": "toyworld"}


def test_readmes_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", "datasets")
    for line in check_wheel.readme_commands():
        if line[0] not in LONG:
            assert main(check_wheel.shortened(line)) == 0, capsys.readouterr().err
        elif line[0] != "quickstart":
            assert main([*line, "--print-config"]) == 0
    assert list((tmp_path / "output/masks").rglob("*.png"))
    assert json.loads(next((tmp_path / "output/labelled").rglob("panoptic*.json")).read_text("utf-8"))["annotations"]


def examples(name: str) -> list[list[str]]:
    text = (load_verb(name).__doc__ or "").replace("\\\n", " ")
    lines = [line.strip().partition(" | ")[2] or line.strip() for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("frozenseg ")]


@pytest.mark.parametrize("name", verb_summaries())
def test_examples_of_the_help_are_understood(name: str) -> None:
    for verb, *line in examples(name):
        parser = docstring_parser("", f"frozenseg {verb}")
        load_verb(verb).add_arguments(parser)
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            try:
                arguments = parser.parse_intermixed_args(line)
            except SystemExit:
                pytest.fail(f"frozenseg {shlex.join([verb, *line])}: {error.getvalue()}")
        config = getattr(arguments, "config_file", None)
        if config is not None:
            assert find_config(PLACEHOLDERS.get(str(config), config)).is_relative_to(ROOT)
