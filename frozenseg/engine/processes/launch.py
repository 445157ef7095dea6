"""Launcher: runs work in this process, in processes that it starts, or in those that ``torchrun`` has started."""

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
EXIT_DELAY = 1.0  # seconds


@dataclass(frozen=True)
class Processes:
    """Number of processes that work together, and their rendezvous.

    Attributes:
        per_machine: processes on each machine; one for each GPU, if there are GPUs.
        machines: number of machines.
        machine_rank: index of this machine, from 0.
        url: ``tcp://HOST:PORT`` of machine 0, or ``auto`` for a free port of a single machine.
        cuda: True if each process has a GPU (nccl); False for the CPU (gloo).
    """

    per_machine: int = 1
    machines: int = 1
    machine_rank: int = 0
    url: str = "auto"
    cuda: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: values that cannot work together.
        """
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
                f"--num-gpus is {self.per_machine}, but this machine has {torch.cuda.device_count()} GPUs; "
                "request at most as many, or add MODEL.DEVICE cpu for processes on the CPU."
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
        """Number of processes on all machines."""
        return self.per_machine * self.machines


def launch(work: Work, arguments: tuple[Any, ...], processes: Processes) -> int:
    """Run ``work(*arguments)`` in every process and return its exit code.

    SIGTERM and SIGUSR1 are forwarded to the processes that are started here. If all of them then exit with code 0, as
    training does after its checkpoint, the return value is 0.

    Args:
        work: module-level function (other processes import it) that returns an exit code.
        arguments: arguments of ``work``; they must pickle.
        processes: number of processes to start; ignored under ``torchrun``, which has started them.

    Raises:
        FrozenSegError: a process has raised it, such as for a mistake of the user.
        RuntimeError: a process has failed for another reason; the message holds its traceback.
        KeyboardInterrupt: Ctrl-C, or a process that received a signal to stop has not exited with code 0.
    """
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        return _work_in_group(work, arguments, processes.cuda)
    if processes.total == 1:
        try:
            return work(*arguments)
        except Stopped:
            return 0
    return _start_processes(work, arguments, processes)


def _work_in_group(work: Work, arguments: tuple[Any, ...], cuda: bool, success_folder: str | None = None) -> int:
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    elif "OMP_NUM_THREADS" not in os.environ:
        # torch would otherwise use all cores in each process
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    # metrics are summed on the CPU, for which nccl has no operations
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        code = work(*arguments)
        dist.barrier()
    except Stopped:  # each process stops without waiting for the others
        code = 0
    dist.destroy_process_group()
    if success_folder is not None and code == 0:
        Path(success_folder, os.environ["RANK"]).touch()
        # After a signal torch's launcher reads no results, and its processes would wait for it to read them.
        exit_timer = threading.Timer(EXIT_DELAY, os._exit, (code,))
        exit_timer.daemon = True
        exit_timer.start()
    return code


def _start_processes(work: Work, arguments: tuple[Any, ...], processes: Processes) -> int:
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    single_machine = processes.url == "auto"
    config = LaunchConfig(
        min_nodes=processes.machines,
        max_nodes=processes.machines,
        nproc_per_node=processes.per_machine,
        run_id=str(uuid.uuid4()) if single_machine else "frozenseg",
        rdzv_backend="c10d" if single_machine else "static",
        rdzv_endpoint="localhost:0" if single_machine else processes.url.removeprefix("tcp://"),
        rdzv_configs={} if single_machine else {"rank": processes.machine_rank},
        local_addr="localhost" if single_machine else None,
        max_restarts=0,
        start_method="spawn",
    )
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their errors are raised below
    with tempfile.TemporaryDirectory() as success_folder, _sigusr1_as_sigterm():
        try:
            results = elastic_launch(config, _work_in_group)(work, arguments, processes.cuda, success_folder)
        except ChildFailedError as error:
            raise _first_failure(error) from None
        except SignalException as error:
            if error.sigval == signal.SIGTERM and len(os.listdir(success_folder)) == processes.per_machine:
                return 0
            raise KeyboardInterrupt from error
    return max(int(code) for code in results.values())


@contextmanager
def _sigusr1_as_sigterm() -> Iterator[None]:
    """Treat SIGUSR1 as SIGTERM, which torch forwards to the processes."""
    if not hasattr(signal, "SIGUSR1"):
        yield
        return
    before = signal.signal(signal.SIGUSR1, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _first_failure(error: Any) -> Exception:
    """Return the first exception that a process has raised."""
    rank, failure = error.get_first_failure()
    message = failure.error_file_data["message"]
    if isinstance(message, str):
        return RuntimeError(f"Process {rank} exited with code {failure.exitcode}: {failure.message}")
    class_name, _, sentence = message["message"].partition(": ")
    error_class = getattr(errors, class_name, None)
    if isinstance(error_class, type) and issubclass(error_class, FrozenSegError):
        return error_class(sentence)
    return RuntimeError(f"Process {rank} failed:\n{message['extraInfo']['py_callstack']}")


def _has_host_and_port(url: str) -> bool:
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    return url.startswith("tcp://") and bool(host) and port.isdigit()
