"""Collective operations: alone, in two real processes (gloo), and with faked back ends."""

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from frozenseg import distributed
from frozenseg.engine.processes.launch import Processes, launch

GPU = torch.device("cuda", 3)
CPU = torch.device("cpu")


def test_a_process_without_a_group_is_rank_zero_of_one() -> None:
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.is_main_process()
    assert distributed.gather("x") == ["x"]
    assert distributed.sum_over_ranks(torch.tensor(2.0)) == 2
    assert distributed.on_any_rank(True)
    assert not distributed.on_any_rank(False)
    distributed.barrier()


def write_what_rank_sees(folder: str) -> int:
    """Write the result of every collective operation of this process."""
    rank = distributed.rank()
    counts = torch.tensor([[1, 10], [100, 2**40]]) * (rank + 1)
    distributed.barrier()
    seen = {
        "ranks": distributed.gather(rank),
        "sum": distributed.sum_over_ranks(counts).tolist(),
        "halves": distributed.sum_over_ranks(torch.tensor([0.1, 0.2], dtype=torch.float64)).tolist(),
        "unchanged": counts.tolist(),
        "any": [distributed.on_any_rank(rank == 1), distributed.on_any_rank(False)],
    }
    (Path(folder) / f"{rank}.json").write_text(json.dumps(seen))
    return 0


def test_two_processes_with_gloo_get_the_same_sums(tmp_path: Path) -> None:
    assert launch(write_what_rank_sees, (str(tmp_path),), Processes(per_machine=2)) == 0
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first.pop("unchanged") == [[1, 10], [100, 2**40]]
    assert second.pop("unchanged") == [[2, 20], [200, 2**41]]
    assert first == second
    assert first["ranks"] == [0, 1]
    assert first["sum"] == [[3, 30], [300, 3 * 2**40]]
    assert first["halves"] == [0.2, 0.4]
    assert first["any"] == [True, False]


class FakeTensor:
    """A number on a device that this machine may not have."""

    def __init__(self, value: int, device: torch.device) -> None:
        self.value, self.device = value, device

    def to(self, device: torch.device, copy: bool = False) -> "FakeTensor":
        return FakeTensor(self.value, device) if copy or device != self.device else self


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch):
    """Make this process one of two in a faked group; the fixture's value sets the back ends and lists the calls."""

    def make(backends: str) -> list[object]:
        calls: list[object] = []

        def all_reduce(tensor: FakeTensor) -> None:
            calls.append(tensor.device)
            tensor.value *= 2

        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        monkeypatch.setattr(dist, "get_world_size", lambda: 2)
        monkeypatch.setattr(dist, "get_backend_config", lambda: backends)
        monkeypatch.setattr(dist, "all_reduce", all_reduce)
        monkeypatch.setattr(dist, "barrier", lambda **options: calls.append(options))
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
        return calls

    return make


@pytest.mark.parametrize(
    ("backends", "device", "reduced_on"),
    [
        ("cuda:nccl", CPU, GPU),  # the group of Detectron2's launcher
        ("cuda:nccl", GPU, GPU),
        ("cpu:gloo,cuda:nccl", CPU, CPU),  # ours
        ("cpu:gloo,cuda:nccl", GPU, GPU),
        ("cpu:gloo,cuda:gloo", CPU, CPU),
        ("cpu:gloo", GPU, CPU),
    ],
)
def test_sums_are_taken_on_a_device_of_the_back_end_and_moved_back(group, backends, device, reduced_on) -> None:
    calls, tensor = group(backends), FakeTensor(21, device)
    total = distributed.sum_over_ranks(tensor)
    assert calls == [reduced_on]
    assert (total.value, total.device) == (42, device)
    assert tensor.value == 21


@pytest.mark.parametrize(("backends", "options"), [("cuda:nccl", {"device_ids": [3]}), ("cpu:gloo,cuda:nccl", {})])
def test_a_barrier_of_nccl_alone_names_the_device(group, backends, options) -> None:
    calls = group(backends)
    distributed.barrier()
    assert calls == [options]
