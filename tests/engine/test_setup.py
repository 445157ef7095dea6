"""Device, folder, seed, environment: what is settled before anything runs."""

import logging
from pathlib import Path

import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.device import pick_device
from frozenseg.engine import setup
from frozenseg.engine.setup import errors_in_log_file, prepare_folder, with_seed, write_config
from frozenseg.errors import ConfigError, DataError


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "gpus", "local_rank", "device"),
    [
        ("auto", 0, "0", "cpu"),
        ("auto", 2, "1", "cuda:1"),  # one GPU a process
        ("cpu", 2, "0", "cpu"),
        ("cuda", 1, "0", "cuda:0"),
        ("cuda:1", 2, "0", "cuda:1"),
    ],
)
def test_device(monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, local_rank: str, device: str) -> None:
    pretend_gpus(monkeypatch, gpus)
    monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert pick_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("name", "gpus", "message"),
    [
        ("cuda", 0, "torch has no CUDA device here: set it to cpu or auto"),
        ("cuda:3", 2, "GPU 3 for this process, but this machine has 2: use fewer"),
        ("gpu", 1, "MODEL.DEVICE is 'gpu', expected auto, cpu, cuda or cuda:N"),
        ("cuda:x", 1, "MODEL.DEVICE is 'cuda:x'"),
    ],
)
def test_a_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, message: str) -> None:
    pretend_gpus(monkeypatch, gpus)
    with pytest.raises(ConfigError, match=message):
        pick_device(name)


def test_folder_gets_a_log_with_the_environment(tmp_path: Path, cfg: CfgNode) -> None:
    cfg.OUTPUT_DIR = str(tmp_path / "a" / "b")
    folder = prepare_folder(cfg)
    assert folder == tmp_path / "a" / "b"
    log = (folder / "log.txt").read_text()
    assert "Command: " in log
    assert f"torch {torch.__version__.split('+')[0]}" in log


def test_a_folder_that_cannot_be_created(tmp_path: Path, cfg: CfgNode) -> None:
    (tmp_path / "file").write_text("")
    cfg.OUTPUT_DIR = str(tmp_path / "file" / "run")
    with pytest.raises(ConfigError, match="file/run cannot be written .*choose another"):
        prepare_folder(cfg)


def test_seed(cfg: CfgNode) -> None:
    cfg.SEED = 3
    assert with_seed(cfg, resumed_seed=9).SEED == 3  # a configured seed wins
    cfg.SEED = -1
    assert with_seed(cfg, resumed_seed=9).SEED == 9
    drawn = with_seed(cfg, resumed_seed=None)
    assert drawn.SEED >= 0
    assert cfg.SEED == -1


def test_config_is_written_whole(tmp_path: Path, cfg: CfgNode) -> None:
    write_config(cfg, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert "BASE_LR: 0.0001" in (tmp_path / "config.yaml").read_text()


def test_errors_reach_the_log_file_but_not_the_console(
    tmp_path: Path, cfg: CfgNode, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg.OUTPUT_DIR = str(tmp_path)
    prepare_folder(cfg)
    capsys.readouterr()
    with pytest.raises(DataError), errors_in_log_file():
        raise DataError("a.jpg cannot be decoded.")
    with pytest.raises(KeyError), errors_in_log_file():
        raise KeyError("bug")
    assert capsys.readouterr().err == ""
    log = (tmp_path / "log.txt").read_text()
    assert f"ERROR {setup.__name__}: a.jpg cannot be decoded." in log
    assert "Traceback" in log
    assert logging.getLogger(setup.__name__).isEnabledFor(logging.INFO)
