"""The commands of README and GETTING_STARTED are run, or at least understood, as printed.

Commands on ToyWorld run whole, on a world of a few pictures and a training of a few steps; for the others their
scripts, flags and config files are checked.
"""

import importlib.util
import re
import runpy
import shlex
import sys
import warnings
from pathlib import Path

import pytest

from tests.tiny import ROOT

PAGES = (
    "README.md",
    "GETTING_STARTED.md",
    "INSTALL.md",
    "datasets/README.md",
    "docs/annotation_tools.md",
    "docs/page.md",
    "docs/reproduce.md",
    "docs/serve.md",
    "docs/speed.md",
    "docs/vocabularies.md",
)
SMALL = ["INPUT.MIN_SIZE_TEST", "128"]
NARROW = [*SMALL, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", "6"]
SHORT = [*NARROW, "SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "2", "INPUT.IMAGE_SIZE", "128"]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(page: str, script: str = "") -> list[list[str]]:
    lines = "\n".join(blocks(page, "bash") + blocks(page, "text")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("python ") and script in line]


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_configs_that_are_named_exist(page: str) -> None:
    for command in commands(page):
        script = command[1]
        if script.startswith("-"):
            continue
        assert (ROOT / script).is_file(), script
        if "--config-file" in command:
            config = command[command.index("--config-file") + 1]
            assert (ROOT / config).is_file(), config


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for block in blocks(page, "bash"):
        assert set(re.findall(r"^make (\w+)", block, flags=re.MULTILINE)) <= set(targets)


@pytest.mark.parametrize("page", ["README.md", "GETTING_STARTED.md", "CHANGELOG.md"])
def test_relative_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def run(arguments: list[str]) -> None:
    """Run a script as the main module of this process: the start of a process takes longer than its work."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sys, "argv", arguments)
        warnings.simplefilter("default")  # as in a process of its own
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(arguments[0], run_name="__main__")
    assert not ended.value.code, shlex.join(arguments)


def test_getting_started_runs_as_printed_only_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "datasets"))
    for name in ("configs", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    for command in commands("GETTING_STARTED.md"):
        arguments = command[1:]
        if "make_toyworld.py" in arguments[0]:
            run([*arguments, "--train", "4", "--val", "2", "--workers", "1"])
        elif "toyworld_baselines.py" in arguments[0] or (
            "datasets/toyworld" in " ".join(arguments) and "evaluate_predictions.py" in arguments[0]
        ):
            run(arguments)
        elif "demo.py" in arguments[0] and "--config-file" not in arguments:
            run([*arguments, *SMALL])  # the package's own model
        elif "--engine" in arguments and importlib.util.find_spec("detectron2") is None:
            continue  # tests/plugins has what is said then
        elif "configs/toyworld" in " ".join(arguments):
            expanded = [str(path) for word in arguments for path in expand(word, tmp_path)]
            options = SHORT if "train_net.py" in arguments[0] else NARROW
            run([*expanded, *options])
    assert (tmp_path / "output/toyworld/frozenseg_tiny/inference/results.json").is_file()
    for name in ("demo", "toyworld_scenes", "free_words"):
        assert list((tmp_path / "output" / name).glob("*_panoptic.png")), name


def expand(word: str, folder: Path) -> list[str | Path]:
    """Return the files that a shell would put in a word's place, or the word."""
    return sorted(folder.glob(word)) if set("*[") & set(word) and "/" in word else [word]
