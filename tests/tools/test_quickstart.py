"""The quickstart runs whole, only smaller, and its controls are what they are called."""

import argparse
import os
from pathlib import Path

import pytest

from frozenseg.cli.main import main as command_main
from frozenseg.cli.verbs import prepare
from frozenseg.cli.verbs import quickstart as steps
from frozenseg.config import load_config
from tests.tiny import NARROW, ROOT
from tools import quickstart

SMALL = ["--train", "4", "--val", "2", "SOLVER.MAX_ITER", "1", "SOLVER.IMS_PER_BATCH", "2", *map(str, NARROW)]


def test_all_steps_end_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)  # and back, at the end
    monkeypatch.setenv("DETECTRON2_DATASETS", "elsewhere")
    output = ["--output", str(tmp_path / "quickstart"), "--root", str(tmp_path / "datasets")]
    assert quickstart.main([*output, *SMALL]) == 0
    table = (tmp_path / "quickstart/quickstart.md").read_text(encoding="utf-8").splitlines()
    assert len(table) == 2 + len(steps.ROWS)
    assert all(title in table[0] for title in steps.CONTROLS)
    seen, zero_shot = (row.split("|") for row in table[2:4])
    column = [title.strip() for title in table[0].split("|")].index("PQ with SAM proposals in all outputs")
    assert (seen[column].strip(), zero_shot[column].strip() != "–") == ("–", True)
    assert "Done in" in capsys.readouterr().out
    assert os.environ["DETECTRON2_DATASETS"] == "elsewhere"
    recorded = (tmp_path / "quickstart/shuffled/environment.txt").read_text("utf-8")
    assert "frozenseg/__main__.py eval --config" in recorded
    assert list((tmp_path / "quickstart/pictures").glob("*.png"))


def test_the_command_keeps_data_and_results_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    roots: list[str] = []
    monkeypatch.setattr(steps, "run_step", lambda command, root: roots.append(root) or 3)
    assert command_main(["quickstart", "--output", str(tmp_path / "out")]) == 3
    assert roots == [str(tmp_path / "out/datasets")]
    assert f"$ DETECTRON2_DATASETS={roots[0]} frozenseg prepare toyworld --root {roots[0]}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--config", "toyworld/none"], "Did you mean"),
        (["--val", "0"], "--val is 0: at least 1 image is needed"),
        (["SOLVER.MAX_ITR", "5"], "Did you mean"),
        (["--output", "taken/out"], "--output taken/out cannot be written"),
    ],
)
def test_mistakes_are_refused_before_the_first_step(
    line: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    monkeypatch.setattr(steps, "run_step", lambda *_: pytest.fail("a step runs"))
    assert command_main(["quickstart", *line]) == 2
    assert message in capsys.readouterr().err


def test_a_step_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    codes = iter([0, 3])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(steps, "run_step", lambda command, root: next(codes))
    assert quickstart.main(["--output", str(tmp_path)]) == 3


def test_a_training_that_was_asked_to_stop_ends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    verbs: list[str] = []
    monkeypatch.setattr(steps, "run_step", lambda command, root: verbs.append(command[0]) or 0)
    of_an_earlier_run = tmp_path / steps.MODEL
    of_an_earlier_run.parent.mkdir(parents=True)
    of_an_earlier_run.touch()
    os.utime(of_an_earlier_run, (0, 0))
    assert quickstart.main(["--output", str(tmp_path)]) == 130
    assert verbs == ["prepare", "train"]
    assert f"interrupted; results so far: {tmp_path}" in capsys.readouterr().err


def test_an_interrupt_ends_it_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def interrupted(arguments: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prepare, "run", interrupted)
    assert quickstart.main(["--output", str(tmp_path)]) == 130
    assert f"interrupted; results so far: {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("root", ["somewhere", "somewhere/toyworld"])
def test_data_go_where_training_looks(root: str):
    assert quickstart.parse_arguments(["--root", root]).root == "somewhere"


def test_the_proposals_are_those_of_the_config_that_documents_them():
    documented = load_config(ROOT / "configs/toyworld/frozenseg_tiny_sam_masks.yaml").TEST
    assert documented == load_config(steps.CONFIG, steps.SAM_PROPOSALS).TEST


def test_a_model_without_sam_is_evaluated_without_proposals(tmp_path: Path):
    arguments = quickstart.parse_arguments(["--config-file", str(ROOT / "configs/toyworld/fcclip_tiny.yaml")])
    assert not any("TEST.USE_SAM_MASKS" in command for _, command in steps.steps(arguments, tmp_path))


@pytest.mark.parametrize(("name", "section"), [("frozenseg_tiny", "FROZEN_SEG"), ("fcclip_tiny", "FC_CLIP")])
def test_the_untrained_clip_reaches_both_models(name: str, section: str, tmp_path: Path):
    config = ROOT / f"configs/toyworld/{name}.yaml"
    arguments = quickstart.parse_arguments(["--config-file", str(config)])
    [command] = [command for title, command in steps.steps(arguments, tmp_path) if "untrained CLIP" in title]
    options = command[command.index("--allow-partial") + 1 :]
    assert load_config(config, options).MODEL[section].CLIP_PRETRAINED_WEIGHTS == "random"
