"""Index of checkpoints: kept, damaged and resumed ones."""

import json
import logging
from pathlib import Path

import pytest

from frozenseg.engine.checkpoints.checkpoint_index import (
    INDEX,
    CheckpointIndex,
    KeepPolicy,
    delete_checkpoint_index,
    delete_unfinished_checkpoints,
)
from frozenseg.engine.training.hooks import SaveCheckpoints
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.errors import CheckpointError, ConfigError
from tests.engine.one_layer import build_checkpointer, build_trainer, with_checkpoints

SCORES = {10: 1.0, 20: 5.0, 30: 2.0, 40: 5.0, 50: 3.0}
ENTRIES = {f"{i}.pth": {"iteration": i, "sha256": "", "results": {"PQ": score}} for i, score in SCORES.items()}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (KeepPolicy(), [10, 20, 30, 40, 50]),
        (KeepPolicy(last=2), [40, 50]),
        (KeepPolicy(last=9), [10, 20, 30, 40, 50]),
        (KeepPolicy(last=1, every=20), [20, 40, 50]),
        (KeepPolicy(last=1, best="PQ"), [20, 50]),  # the first of equals
        (KeepPolicy(last=1, best="mIoU"), [50]),
    ],
)
def test_what_is_kept(policy: KeepPolicy, kept: list[int]) -> None:
    deleted = policy.to_delete(dict(reversed(ENTRIES.items())))
    assert deleted == [f"{i}.pth" for i in SCORES if i not in kept]


def test_numbers_below_0_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"KEEP_CHECKPOINTS\.LAST is -1 and EVERY 0, expected numbers of 0 or more"):
        KeepPolicy(last=-1)


class Score(Hook):
    """Gives each checkpoint a score."""

    def __init__(self, saves: SaveCheckpoints, scores: dict[int, float]) -> None:
        self.saves, self.scores = saves, scores

    def after_step(self, trainer: Trainer, step: Step) -> None:
        self.saves.checkpointer.record({"PQ": self.scores[trainer.iteration], "AP": float("nan")})


def test_a_run_keeps_the_newest_and_the_best(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer = with_checkpoints(build_trainer(max_iter=5), tmp_path, period=1)
    saves = trainer.hooks[-1]
    saves.checkpointer.policy = KeepPolicy(last=2, best="PQ")
    trainer.hooks.append(Score(saves, {1: 3.0, 2: 9.0, 3: 1.0, 4: 2.0, 5: 5.0}))
    trainer.train()
    assert sorted(path.name for path in tmp_path.glob("model_0*.pth")) == [f"model_000000{i}.pth" for i in (2, 4, 5)]
    entries = json.loads((tmp_path / INDEX).read_text())
    assert {entry["iteration"]: entry["results"] for entry in entries.values()} == {
        2: {"PQ": 9.0}, 4: {"PQ": 2.0}, 5: {"PQ": 5.0},
    }  # fmt: skip
    saves.checkpointer.policy = KeepPolicy(best="PX")
    with caplog.at_level(logging.WARNING):
        saves.checkpointer.record({"PQ": 1.0})
    assert "KEEP_CHECKPOINTS.BEST is 'PX', but no evaluation has this metric. Did you mean 'PQ'?" in caplog.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run with checkpoints after the steps 1, 2 and 3."""
    with_checkpoints(build_trainer(max_iter=3), tmp_path, period=1).train()
    return tmp_path


def path(folder: Path, iteration: int) -> Path:
    return folder / f"model_{iteration:07d}.pth"


def test_last_checkpoint_names_the_newest(folder: Path) -> None:
    assert (folder / "last_checkpoint").read_text() == "model_0000003.pth\n"  # as Detectron2 has it
    assert CheckpointIndex(folder).newest_intact() == path(folder, 3)
    (folder / "last_checkpoint").write_text("model_0000001.pth")
    assert CheckpointIndex(folder).newest_intact() == path(folder, 1)  # the user goes back
    delete_checkpoint_index(folder)
    assert CheckpointIndex(folder).newest_intact() is None
    delete_checkpoint_index(folder)  # nothing to forget is fine


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_checkpoint_is_passed_over(folder: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    content = path(folder, 3).read_bytes()
    if damage == "missing":
        path(folder, 3).unlink()
    else:
        path(folder, 3).write_bytes(content[: len(content) // 2] if damage == "truncated" else content[:-1] + b"x")
    with caplog.at_level(logging.WARNING):
        assert CheckpointIndex(folder).newest_intact() == path(folder, 2)
    problem = (
        "is missing" if damage == "missing" else "is damaged: its content has another hash than when it was written"
    )
    assert f"The checkpoint {path(folder, 3)} {problem}; trying the one before it." in caplog.text


def test_a_damaged_checkpoint_stays_passed_over(folder: Path) -> None:
    path(folder, 3).write_bytes(b"half")
    CheckpointIndex(folder).drop_after(2)  # as resuming does; the run then dies before its next checkpoint
    assert CheckpointIndex(folder).newest_intact() == path(folder, 2)


@pytest.mark.parametrize("file", ["last_checkpoint", INDEX])
def test_a_file_that_a_power_cut_has_emptied_costs_nothing(
    folder: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / file).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert CheckpointIndex(folder).newest_intact() == path(folder, 3)
    assert file in caplog.text


def test_with_neither_file_whole_the_newest_on_disk_is_taken(folder: Path) -> None:
    for file in ("last_checkpoint", INDEX):
        (folder / file).write_bytes(b"")
    assert CheckpointIndex(folder).newest_intact() == path(folder, 3)


def test_what_a_killed_run_has_left_is_cleared(folder: Path) -> None:
    left = folder / ".model_0000004.123.tmp.pth"
    left.touch()
    delete_unfinished_checkpoints(folder)
    assert not left.exists()
    assert path(folder, 3).exists()


def test_no_whole_checkpoint_is_an_error(folder: Path) -> None:
    for iteration in (1, 2, 3):
        path(folder, iteration).write_bytes(b"")
    with pytest.raises(
        CheckpointError, match="All checkpoints of .* are missing or damaged .*start a new run without --resume"
    ):
        CheckpointIndex(folder).newest_intact()


def test_a_checkpoint_without_an_index_is_taken_as_it_is(folder: Path) -> None:
    (folder / INDEX).unlink()
    assert CheckpointIndex(folder).newest_intact() == path(folder, 3)


def test_later_checkpoints_are_forgotten_but_not_deleted(folder: Path) -> None:
    index = CheckpointIndex(folder)
    index.drop_after(1)
    assert list(CheckpointIndex(folder).entries) == ["model_0000001.pth"]
    assert path(folder, 3).exists()


def test_a_folder_that_cannot_be_written_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("frozenseg.engine.checkpoints.checkpoint_index.write_text", full_disk)
    with pytest.raises(
        CheckpointError,
        match=r"model_0000004\.pth was written, but the index .* cannot be updated .*No space left on device",
    ):
        build_checkpointer(folder, build_trainer()).save(4)
