"""Launcher: invalid numbers of processes, and real processes (gloo)."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.errors import ConfigError, DataError
from tests.engine.one_layer import bug, mistake_on_rank_1, sum_of_ranks, train_until_signalled


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"per_machine": 0}, "--num-gpus 0 and --num-machines 1: both must be 1 or more"),
        ({"machines": 2, "machine_rank": 2, "url": "tcp://a:1"}, "--machine-rank is 2; .* one of 0 to 1"),
        ({"machines": 2}, "--num-machines 2 needs --dist-url tcp://HOST:PORT"),
        ({"url": "localhost:29500"}, "--dist-url is 'localhost:29500'; give tcp://HOST:PORT or auto"),
        ({"url": "tcp://localhost"}, "give tcp://HOST:PORT"),
    ],
)
def test_invalid_numbers_are_refused(numbers: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Processes(**numbers)


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="--num-gpus is 2, but this machine has 1 GPUs"):
        Processes(per_machine=2, cuda=True)


def test_one_process_runs_in_this_process() -> None:
    assert launch(lambda code: code, (3,), Processes()) == 3


def test_a_process_of_torchrun_joins_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)

    def work() -> int:
        assert dist.get_backend() == "gloo"
        return sum_of_ranks(str(tmp_path))

    assert launch(work, (), Processes()) == 0
    assert (tmp_path / "rank0").read_text() == "1 of 1"
    assert not dist.is_initialized()


@pytest.mark.parametrize("url", ["auto", "tcp"])
def test_two_processes_work_together(tmp_path: Path, url: str) -> None:
    if url == "tcp":
        url = f"tcp://127.0.0.1:{_free_port()}"
    assert launch(sum_of_ranks, (str(tmp_path),), Processes(per_machine=2, url=url)) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"rank0": "3 of 2", "rank1": "3 of 2"}


def test_a_signal_is_forwarded_and_all_processes_stop_after_the_same_step(tmp_path: Path) -> None:
    assert launch(train_until_signalled, (str(tmp_path),), Processes(per_machine=2)) == 0
    done = int((tmp_path / "rank0").read_text())
    assert (tmp_path / "rank1").read_text() == str(done)
    assert (tmp_path / "last_checkpoint").read_text() == f"model_{done:07d}.pth\n"


def test_a_mistake_in_one_process_is_raised_with_its_message(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"^images/bad\.jpg cannot be decoded: repair it\.$"):
        launch(mistake_on_rank_1, ("images",), Processes(per_machine=2))
    assert capfd.readouterr().err == ""


def test_a_bug_in_a_process_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Process \d failed:.*in bug.*a bug"):
        launch(bug, ("",), Processes(per_machine=2))


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
