"""docs/serve.md: its client runs, its commands are understood, and its tables and protocols are those of the code."""

import contextlib
import io
import re
import shlex
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from frozenseg.cli.command_line import docstring_parser
from frozenseg.cli.verbs import serve
from frozenseg.inference.predictor import Segmenter
from frozenseg.plugins import cvat, fiftyone_zoo
from frozenseg.serving.label_config import mask_controls
from frozenseg.serving.process import BoundServer
from frozenseg.serving.segment_request import SegmentOptions
from tests.serving.conftest import bound, model, png, toyworld
from tests.tiny import ROOT

__all__ = ["bound", "model"]  # fixtures
TEXT = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
MOST_LINES = 10


def blocks(language: str) -> list[str]:
    return [textwrap.dedent(each) for each in re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.M)]


def test_the_client_has_ten_lines_and_runs(bound: BoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = blocks("python")[0]
    assert len(client.strip().splitlines()) <= MOST_LINES
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(png(kind="JPEG"))
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(client.replace("http://127.0.0.1:8000", bound.address), "docs/serve.md", "exec"), {})
    assert "red circle" in output.getvalue() or "water" in output.getvalue()


def test_the_commands_are_understood() -> None:
    lines = [shlex.split(line) for line in "\n".join(blocks("bash")).splitlines() if line.startswith("frozenseg serve")]
    assert len(lines) == 3
    parser = docstring_parser("", "frozenseg serve")
    serve.add_arguments(parser)
    for line in lines:
        parser.parse_args(line[2:])
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert set(re.findall(r"`(--max-[a-z]+|--batch)`", TEXT)) <= flags


def test_the_table_lists_the_fields() -> None:
    table = TEXT.partition("| field |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert listed == {field.alias or name for name, field in SegmentOptions.model_fields.items()}


def test_the_limits_are_the_defaults() -> None:
    parser = docstring_parser("", "frozenseg serve")
    serve.add_arguments(parser)
    limits = serve.server_settings(parser.parse_args([])).limits
    rows = dict(re.findall(r"^\| [^|]+ \| `(--[a-z-]+)` \| (\d+)", TEXT, flags=re.M))
    assert rows["--max-upload"] == str(limits.upload_bytes // 2**20)
    assert rows["--max-pixels"] == str(limits.pixels // 10**6)
    assert [rows["--max-names"], rows["--max-requests"]] == [str(limits.names), str(limits.requests)]
    assert [rows["--max-seconds"], rows["--batch"]] == [f"{limits.seconds:g}", str(limits.batch)]


def test_the_labelling_interface_and_the_settings_are_read() -> None:
    [control] = mask_controls(blocks("xml")[0])
    assert control.vocabulary.classes == (("cat", "kitten"), ("grass",))
    assert (control.labels, control.min_score) == (("Cat", "grass"), 0.5)
    assert yaml.safe_load(blocks("yaml")[0])["remote_server_settings"]["server_url"] == "http://localhost:8000"


def test_the_plug_ins_are_called_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = toyworld()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda weights, device: segmenter)
    [line] = [shlex.split(each.replace("\\\n", " ")) for each in blocks("text")]
    pairs = [line[index + 1].partition("=str:") for index, word in enumerate(line) if word == "-p"]
    function = cvat.create(**{name: value for name, _, value in pairs})
    assert [label.name for label in function.spec.labels] == ["red circle", "blue square", "water"]
    arguments: dict[str, Any] = {}
    monkeypatch.setattr(fiftyone_zoo, "load_model", lambda name, **settings: arguments.update(settings))
    exec(blocks("python")[1], {"dataset": SimpleNamespace(apply_model=lambda model, label_field: None)})
    assert arguments == {"classes": "red circle; blue square; water", "stuff": "water", "output": "segments"}
