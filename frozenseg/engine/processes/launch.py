"""One process or many: started by torch's elastic launcher, found under ``torchrun``, or simply this one."""

import logging
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from frozenseg import errors
from frozenseg.engine.processes.preemption import Stopped
from frozenseg.errors import ConfigError, FrozenSegError

Work = Callable[..., int]
PATIENCE = 1.0  # seconds


@dataclass(frozen=True)
class Processes:
    """How many processes work together, and where they meet.

    Attributes:
        per_machine: processes on each machine, one a GPU where there are GPUs.
        machines: how many machines.
        machine_rank: this machine, from 0.
        url: ``tcp://HOST:PORT`` of machine 0, or ``auto`` for a free port of this only machine.
        cuda: whether each process has a GPU (nccl), or works on the CPU (gloo).
    """

    per_machine: int = 1
    machines: int = 1
    machine_rank: int = 0
    url: str = "auto"
    cuda: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that cannot work."""
        if self.per_machine < 1 or self.machines < 1:
            raise ConfigError(
                f"--num-gpus {self.per_machine} and --num-machines {self.machines}: both must be 1 or more."
            )
        if not 0 <= self.machine_rank < self.machines:
            raise ConfigError(
                f"--machine-rank is {self.machine_rank}; with --num-machines {self.machines} it is one of "
                f"0 to {self.machines - 1}."
            )
        if self.cuda and self.per_machine > torch.cuda.device_count():
            raise ConfigError(
                f"--num-gpus is {self.per_machine}, but this machine has {torch.cuda.device_count()} GPUs; ask for "
                "no more, or add MODEL.DEVICE cpu for processes on the CPU."
            )
        if self.url == "auto" and self.machines > 1:
            raise ConfigError(
                f"--num-machines {self.machines} needs --dist-url tcp://HOST:PORT, the same on all machines, with a "
                "free port of machine 0."
            )
        if self.url != "auto" and not _has_host_and_port(self.url):
            raise ConfigError(f"--dist-url is {self.url!r}; give tcp://HOST:PORT or auto.")

    @property
    def total(self) -> int:
        """All processes of all machines."""
        return self.per_machine * self.machines


def launch(work: Work, arguments: tuple[Any, ...], processes: Processes) -> int:
    """Run ``work(*arguments)`` in every process and return its exit code.

    SIGTERM and SIGUSR1 are passed on to the processes that are started here; 0 is returned where all of them then end
    well, as training does.

    Args:
        work: a function of a module (other processes import it), from arguments to an exit code.
        arguments: what it gets; they must pickle.
        processes: how many to start; ``torchrun`` has started its own, so that they only find each other.

    Raises:
        FrozenSegError: the user's mistake that a process has met, whichever process it was.
        RuntimeError: a process has died of something else; holds its traceback.
        KeyboardInterrupt: Ctrl-C, or a process that was asked to stop has not ended well.
    """
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        return _work_in_group(work, arguments, processes.cuda)
    if processes.total == 1:
        try:
            return work(*arguments)
        except Stopped:
            return 0
    return _start_processes(work, arguments, processes)


def _work_in_group(work: Work, arguments: tuple[Any, ...], cuda: bool, ended_well: str | None = None) -> int:
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    elif "OMP_NUM_THREADS" not in os.environ:
        # each process would otherwise take all cores
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    # metrics are summed where they are kept, on the CPU, which nccl alone cannot do
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        code = work(*arguments)
        dist.barrier()
    except Stopped:  # each process for itself
        code = 0
    dist.destroy_process_group()
    if ended_well is not None and code == 0:
        Path(ended_well, os.environ["RANK"]).touch()
        # torch's launcher takes no results once it is asked to stop, but its processes would wait until it does
        leave = threading.Timer(PATIENCE, os._exit, (code,))
        leave.daemon = True
        leave.start()
    return code


def _start_processes(work: Work, arguments: tuple[Any, ...], processes: Processes) -> int:
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    alone = processes.url == "auto"
    config = LaunchConfig(
        min_nodes=processes.machines,
        max_nodes=processes.machines,
        nproc_per_node=processes.per_machine,
        run_id=str(uuid.uuid4()) if alone else "frozenseg",
        rdzv_backend="c10d" if alone else "static",
        rdzv_endpoint="localhost:0" if alone else processes.url.removeprefix("tcp://"),
        rdzv_configs={} if alone else {"rank": processes.machine_rank},
        local_addr="localhost" if alone else None,
        max_restarts=0,
        start_method="spawn",
    )
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would say is raised below
    with tempfile.TemporaryDirectory() as ended_well, _sigusr1_as_sigterm():
        try:
            results = elastic_launch(config, _work_in_group)(work, arguments, processes.cuda, ended_well)
        except ChildFailedError as error:
            raise _what_has_failed(error) from None
        except SignalException as error:
            if error.sigval == signal.SIGTERM and len(os.listdir(ended_well)) == processes.per_machine:
                return 0
            raise KeyboardInterrupt from error
    return max(results.values())


@contextmanager
def _sigusr1_as_sigterm() -> Iterator[None]:
    """Take SIGUSR1 for SIGTERM, which torch passes on to the processes."""
    if not hasattr(signal, "SIGUSR1"):
        yield
        return
    before = signal.signal(signal.SIGUSR1, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _what_has_failed(error: Any) -> Exception:
    """Turn the first failure among the processes back into the exception that it was."""
    rank, failure = error.get_first_failure()
    message = failure.error_file_data["message"]
    if isinstance(message, str):
        return RuntimeError(f"Process {rank} has ended with code {failure.exitcode}: {failure.message}")
    kind, _, sentence = message["message"].partition(": ")
    kind_of_error = getattr(errors, kind, None)
    if isinstance(kind_of_error, type) and issubclass(kind_of_error, FrozenSegError):
        return kind_of_error(sentence)
    return RuntimeError(f"Process {rank} has failed:\n{message['extraInfo']['py_callstack']}")


def _has_host_and_port(url: str) -> bool:
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    return url.startswith("tcp://") and bool(host) and port.isdigit()
