"""The fault drill: a few real kills, and what its table says of a loss."""

import json
from pathlib import Path

import pytest
import torch

from tools import fault_drill as module
from tools.fault_drill import DrillError, Run, carry_out, differences, main


def finished(folder: Path, losses: list[float], weight: float = 1.0) -> Run:
    """Return a run as it is at its end."""
    folder.mkdir(parents=True)
    lines = [{"iteration": i, "total_loss": loss, "time": i * weight} for i, loss in enumerate(losses, 1)]
    (folder / "metrics.json").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"iteration": 9')
    torch.save({"model": {"w": torch.tensor([weight]), "v": torch.zeros(1)}}, folder / "model_final.pth")
    return Run(folder, folder, len(losses))


@pytest.mark.parametrize(
    ("losses", "weight", "said"),
    [
        ([3.0, 2.0, 1.0], 1.0, "yes"),
        ([3.0, 2.5, 1.0], 1.0, "no: steps 2 to 2"),
        ([3.0, 2.0], 1.5, "no: steps 3 to 3, 1 of 2 weights"),
    ],
)
def test_differences(losses: list[float], weight: float, said: str, tmp_path: Path) -> None:
    reference = finished(tmp_path / "reference", [3.0, 2.0, 1.0])
    assert differences(finished(tmp_path / "run", losses, weight), reference) == said


def test_steps_that_a_checkpoint_had_are_counted_as_lost(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", [1.0])
    run._expected = 10
    for began, lost in ((11, 0), (6, 5), (11, 5)):
        with (run.folder / "log.txt").open("a") as log:
            log.write(f"Steps {began} to 60 (7.5 epochs)\n")
        run._count_lost()
        run._count_lost()  # each start counts once
        assert run.lost == lost


def test_a_drill_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []

    def fail(run: Run) -> str:
        run.afterwards.callback(cleaned.append, "up")
        raise DrillError("the resumed run ended with code 1")

    monkeypatch.setitem(module.DRILLS, "kill", fail)
    run = finished(tmp_path / "run", [1.0])
    assert carry_out("kill", run, run) == ("kill", "the resumed run ended with code 1", 0, "no")
    assert cleaned == ["up"]


def test_a_killed_run_is_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "kill", "--kills", "1", "--steps", "12", "--seed", "1", "--folder", str(tmp_path)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[2].split() == ["kill", "killed", "1", "times", "0", "yes"]


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").touch()
    assert main(["--folder", str(tmp_path)]) == 2
    assert "is not empty: name a new one" in capsys.readouterr().err


def test_steps_that_were_lost_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Run, "finish", lambda self: None)
    for lost, code in ((0, 0), (3, 1)):
        monkeypatch.setattr(module, "carry_out", lambda name, *_, lost=lost: (name, "", lost, "yes"))
        assert main(["--only", "kill", "--folder", str(tmp_path / str(lost))]) == code
