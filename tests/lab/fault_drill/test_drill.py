"""The fault drill: comparison of runs, lost steps, errors, and a few real kills."""

import json
from pathlib import Path

import pytest
import torch

from lab.fault_drill import drill, faults
from lab.fault_drill.drill import DrillResult, differences, run_fault
from lab.fault_drill.training_run import DrillError, TrainingRun
from tools.fault_drill import main


def finished(folder: Path, losses: list[float], weight: float = 1.0) -> TrainingRun:
    """Return a run with the files of its end."""
    folder.mkdir(parents=True)
    lines = [{"iteration": i, "total_loss": loss, "time": i * weight} for i, loss in enumerate(losses, 1)]
    (folder / "metrics.json").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"iteration": 9')
    torch.save({"model": {"w": torch.tensor([weight]), "v": torch.zeros(1)}}, folder / "model_final.pth")
    return TrainingRun(folder, folder, len(losses))


@pytest.mark.parametrize(
    ("losses", "weight", "expected"),
    [
        ([3.0, 2.0, 1.0], 1.0, "yes"),
        ([3.0, 2.5, 1.0], 1.0, "no: steps 2 to 2"),
        ([3.0, 2.0], 1.5, "no: steps 3 to 3, 1 of 2 weights"),
    ],
)
def test_differences(losses: list[float], weight: float, expected: str, tmp_path: Path) -> None:
    reference = finished(tmp_path / "reference", [3.0, 2.0, 1.0])
    assert differences(finished(tmp_path / "run", losses, weight), reference) == expected


def test_repeated_steps_of_a_checkpoint_count_as_lost(tmp_path: Path) -> None:
    run = finished(tmp_path / "run", [1.0])
    run._checkpoint_at_start = 10
    for first, lost in ((11, 0), (6, 5), (11, 5)):
        with (run.folder / "log.txt").open("a") as log:
            log.write(f"Steps {first} to 60 (7.5 epochs)\n")
        run._count_lost()
        run._count_lost()  # each start counts once
        assert run.lost == lost


def test_a_failed_fault_is_reported_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []

    def fail(run: TrainingRun) -> str:
        run.cleanup.callback(cleaned.append, "up")
        raise DrillError("the resumed run ended with code 1")

    monkeypatch.setitem(faults.FAULTS, "kill", fail)
    run = finished(tmp_path / "run", [1.0])
    assert run_fault("kill", run, run) == ("kill", "the resumed run ended with code 1", 0, "no")
    assert cleaned == ["up"]


def test_a_killed_run_is_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "kill", "--kills", "1", "--steps", "12", "--seed", "1", "--folder", str(tmp_path)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[2].split() == ["kill", "killed", "1", "times", "0", "yes"]


def test_code_can_be_injected_into_a_run(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path / "run", tmp_path, steps=1, injected_code="raise SystemExit('injected')\n")
    with run.start() as process:
        assert process.wait() == 1
    assert run.last_message() == "injected"


def test_a_folder_with_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").touch()
    assert main(["--folder", str(tmp_path)]) == 2
    assert "is not empty: name a new one" in capsys.readouterr().err


def test_lost_steps_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingRun, "finish", lambda self: None)
    for lost, code in ((0, 0), (3, 1)):
        monkeypatch.setattr(drill, "run_fault", lambda name, *_, lost=lost: DrillResult(name, "", lost, "yes"))
        assert main(["--only", "kill", "--folder", str(tmp_path / str(lost))]) == code
