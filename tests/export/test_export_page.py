"""docs/export.md: its commands are understood, and its tables name the files, inputs and outputs of an export."""

import json
import re
import shlex
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser
from frozenseg.cli.verb_table import load_verb
from tests.tiny import ROOT

PAGE = (ROOT / "docs/export.md").read_text(encoding="utf-8")


def test_commands_are_understood() -> None:
    lines = [shlex.split(line)[1:] for line in PAGE.splitlines() if line.startswith("frozenseg ")]
    assert [line[0] for line in lines] == ["export", "segment", "export"]
    for verb, *line in lines:
        parser = docstring_parser("", f"frozenseg {verb}")
        load_verb(verb).add_arguments(parser)
        parser.parse_intermixed_args(line)


def test_the_tables_name_files_inputs_and_outputs(exported: Path) -> None:
    table = PAGE.partition("## Files")[2].partition("## Runtime")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    named = {name for cell in first_cells for name in re.findall(r"`([\w.]+)`", cell)}
    assert named == {path.name for path in exported.iterdir()}
    graphs = json.loads((exported / "manifest.json").read_text(encoding="utf-8"))["graphs"]
    assert f"Opset {graphs['opset']}" in PAGE
    for graph in (graphs["image"], graphs["text"]):
        assert all(f"`{name}`" in PAGE for name in (*graph["inputs"], *graph["outputs"]))
