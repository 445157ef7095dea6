"""Random argument lines of every verb give help, an answer or one sentence, never a traceback.

The work itself, after the arguments are checked, is replaced by a function that returns a small result.
"""

import argparse
import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from frozenseg.cli.main import main
from frozenseg.cli.verb_table import load_verb, verb_summaries
from frozenseg.errors import ConfigError

LINES = 500
LONGEST = 7  # arguments
CODES = {0, 2}
CODES_OF = {"prepare": {0, 1, 2}, "validate": {0, 1, 2}}  # 1: the data have problems
VALUES = (
    "", "0", "1", "-1", "-7.5", "1e999", "nan", "many", "é🙂", "a" * 300, "a" * 5000, "caf\udce9", "two\nlines", " ",
    "--", "-", "--no-such-flag", "-x", "~", "~nobody/file", ".", "..", "/dev/null", "empty.png",
    "text.txt", "missing/photo.jpg", "*.png", "http://", "hf-hub:", "hf-hub:a/b", "local-dir:", "local-dir:.",
    "toyworld", "toyworld_val_seen", "toyworld/frozenseg_tiny", "bad.yaml", "KEY", "SEED", "SOLVER.MAX_ITER",
    "TEST.AUG.MIN_SIZES", "[1,", "{", "'", "DATASETS.TEST", "['folder:']", "coco", "ade20k", "fcclip_r50", "list",
    "show", "copy", "out", "out.yaml", "out.safetensors", "red heart; wood", ";;", "a,a", "stuff: sky", "auto", "cpu",
)  # fmt: skip


FACTS: dict[str, Any] = {
    "frozenseg": {"version": "0", "folder": ""}, "python": dict.fromkeys(("version", "executable", "system", "cores")),
    "torch": {"version": "0", "cuda": None, "devices": [], "error": ""}, "packages": {}, "extras": {}, "missing": [],
}  # fmt: skip
WORK: dict[str, Callable[..., Any]] = {  # functions that work for long, by dotted name
    "frozenseg.engine.run.launch": lambda *_: 0,
    "frozenseg.toyworld.export.export_world": lambda *_: None,
    "frozenseg.data.checks.overview.dataset_table": lambda: [("name", *"123456")],
    "frozenseg.cli.verbs.quickstart.run_step": lambda *_: refuse(ConfigError("A step would run.")),
    "frozenseg.cli.diagnosis.installation_facts": lambda: FACTS,
    "frozenseg.cli.image_job.run_with_progress": lambda *_: refuse(ConfigError("The images would be segmented.")),
    "frozenseg.export.exporter.export_segmenter": lambda *_: refuse(ConfigError("The model would be exported.")),
    "frozenseg.serving.process.listen": lambda *_: refuse(ConfigError("The server would listen.")),
    "socket.socket.connect": lambda *_: refuse(OSError("no network in tests")),
}


def refuse(error: Exception) -> NoReturn:
    raise error


def flags_of(name: str) -> list[str]:
    """Return the flags of a verb, whole, with a value and misspelt, and the choices of its arguments."""
    parser = argparse.ArgumentParser()
    load_verb(name).add_arguments(parser)
    flags = [flag for action in parser._actions for flag in action.option_strings]
    choices = [str(choice) for action in parser._actions for choice in action.choices or ()]
    return [*flags, *(f"{flag}=1" for flag in flags), *(flag[:-1] for flag in flags), *choices]


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "parent/folder"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for variable in ("DETECTRON2_DATASETS", "FROZENSEG_CACHE", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (folder / "text.txt").write_text("red heart\nwood\n", encoding="utf-8")
    (folder / "bad.yaml").write_text("SEED: [", encoding="utf-8")
    (folder / "empty.png").touch()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"no image")))
    for target, replacement in WORK.items():
        monkeypatch.setattr(target, replacement)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("name", verb_summaries())
def test_random_lines(name: str) -> None:
    chosen = random.Random(name)  # noqa: S311 - the same lines each time
    flags = flags_of(name)
    for _ in range(LINES):
        line = [chosen.choice(flags if chosen.random() < 0.5 else VALUES) for _ in range(chosen.randint(0, LONGEST))]
        code, error = answer([name, *line])
        assert code in CODES_OF.get(name, CODES), line
        assert "Traceback" not in error, line
        if code == 2:
            assert error.rstrip("\n").rpartition("\n")[2].startswith("error: "), (line, error)


def answer(line: list[str]) -> tuple[int, str]:
    """Return the exit code and the text on stderr, which escapes bytes that are not UTF-8, as that of Python does."""
    error = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    with contextlib.redirect_stderr(error):
        try:
            code = main(line)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, error.buffer.getvalue().decode()
