"""Writers: metrics.json, console lines, TensorBoard."""

import importlib.util
import json
import logging
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from frozenseg.config import CfgNode
from frozenseg.engine.training import writers as module
from frozenseg.engine.training.writers import (
    ConsoleLines,
    JsonLines,
    build_metric_writers,
    max_memory_mib,
    summed_by_kind,
)

LINE = {
    "total_loss": 3.0, "loss_ce": 1.0, "loss_dice": 2.0, "grad_norm": 0.5, "lr": 1e-4, "data_time": 0.25, "time": 0.5,
    "memory": 7.0, "bad_images": 2.0, "bad_steps": 0.0,
}  # fmt: skip


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


def test_losses_of_all_layers_are_summed_by_kind() -> None:
    losses = {"loss_ce": 1.0, "loss_dice": 2.0, "loss_ce_0": 4.0, "loss_dice_10": 8.0}
    assert summed_by_kind(losses) == {"loss_ce": 5.0, "loss_dice": 10.0}


def test_json_lines(tmp_path: Path) -> None:
    writer = JsonLines(tmp_path)
    writer.write(20, {**LINE, "mIoU": float("nan"), "memory": None})
    assert lines(tmp_path) == [{"iteration": 20, **LINE, "mIoU": None, "memory": None}]  # flushed
    writer.close()


def test_a_resumed_run_continues_the_file_from_its_checkpoint(tmp_path: Path) -> None:
    before = "".join(f'{{"iteration": {i}, "total_loss": {i}.5}}\n' for i in (20, 40, 60)) + '{"iteration": 80, "tot'
    (tmp_path / "metrics.json").write_text(before)
    writer = JsonLines(tmp_path, start_iteration=40)
    writer.write(60, {"total_loss": 0.0})
    writer.close()
    assert [(line["iteration"], line["total_loss"]) for line in lines(tmp_path)] == [(20, 20.5), (40, 40.5), (60, 0.0)]


def test_a_fresh_run_renames_the_file_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"iteration": 20}\n')
    JsonLines(tmp_path).close()
    assert lines(tmp_path) == []
    assert (tmp_path / "metrics.previous.json").read_text() == '{"iteration": 20}\n'


def test_console_line(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 110.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    writer = ConsoleLines(max_iter=100, start_iteration=20)
    with caplog.at_level(logging.INFO):
        writer.write(40, dict(LINE))  # 20 steps took 10 s; 60 are left
    assert caplog.messages == [
        "iteration 40/100  eta 0:00:30  total_loss 3.000 (ce 1.000 dice 2.000)  grad_norm 0.5  lr 0.0001  "
        "data 0.250 s  step 0.500 s  memory 7 MiB  bad_images 2"
    ]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is an extra")
def test_tensorboard_gets_curves_and_images(tmp_path: Path, cfg: CfgNode) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    writers = build_metric_writers(cfg, tmp_path)
    for writer in writers:
        writer.write(5, dict(LINE))
        writer.show(6, Image.new("RGB", (8, 4)))
        writer.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("losses/total_loss")] == [(5, 3.0)]
    assert [(event.step, event.width, event.height) for event in events.Images("pictures")] == [(6, 8, 4)]


def test_without_tensorboard_the_log_names_the_install_command(
    tmp_path: Path, cfg: CfgNode, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO):
        writers = build_metric_writers(cfg, tmp_path)
    assert [type(writer).__name__ for writer in writers] == ["ConsoleLines", "JsonLines"]
    assert "pip install tensorboard" in caplog.text
    writers[1].close()


def test_memory_of_this_process() -> None:
    memory = max_memory_mib(torch.device("cpu"))
    assert memory is None or 20 < memory < 200_000  # MiB


def test_memory_is_unknown_without_the_resource_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert max_memory_mib(torch.device("cpu")) is None
