"""Process that runs the code of a checkout, and the requests to it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frozenseg.engine.peak_memory import reset_peak, resident_bytes
from frozenseg.errors import FrozenSegError
from lab.model_timing.case import Case

ROOT = Path(__file__).parents[3]
MODULE = "lab.model_timing.worker"


class CheckoutProcess:
    """Connection to a process with the package of a checkout and the timing code of this one.

    Args:
        checkout: folder with the package ``frozenseg``.
        name: of the checkout, in messages.

    Attributes:
        hardware: answer to ``open``: package, device, number of queries.

    Raises:
        FrozenSegError: there is no package in the folder.
    """

    def __init__(self, checkout: Path, name: str) -> None:
        self.name = name
        self.hardware: dict[str, Any] = {}
        if not (checkout / "frozenseg/__init__.py").is_file():
            raise FrozenSegError(f"There is no package frozenseg in {checkout}: name the root of a checkout.")
        path = os.pathsep.join([str(checkout.resolve()), str(ROOT / "tools")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            env={**os.environ, "PYTHONPATH": path},
            cwd=ROOT / "tools",  # `python -m` imports from the current folder first
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._model_memory = 0
        self._package = (checkout / "frozenseg").resolve()

    def open(self, **arguments: Any) -> None:
        """Build the model.

        Raises:
            FrozenSegError: the process has imported another package.
        """
        self.hardware = self.request("open", **arguments)
        if self.hardware["device"] == "cpu" and reset_peak(self._process.pid):
            self._model_memory = resident_bytes("VmRSS", self._process.pid)
        package = Path(self.hardware["package"]).resolve()
        if package != self._package:
            raise FrozenSegError(f"The process of {self.name} has imported {package}, expected {self._package}.")

    def run(self, case: Case, keep: Path | None = None) -> dict[str, Any]:
        """Run a case once; returns its seconds, those of its parts, and the memory of the model and at the peak, bytes.

        Args:
            case: the input.
            keep: file for the results; None to drop them.
        """
        self.request("prepare", case=list(case))
        measures = self.hardware["device"] == "cpu" and reset_peak(self._process.pid)
        answer = self.request("run", keep=str(keep or ""))
        peak = resident_bytes("VmHWM", self._process.pid) if measures else 0
        answer["memory"] = answer.pop("cuda_memory", [self._model_memory, peak])
        return answer

    def request(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            FrozenSegError: the process has ended.
        """
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise FrozenSegError(f"The process of {self.name} has no pipes.")
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"request": name, **arguments}) + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise FrozenSegError(
                f"The process of the checkout {self.name!r} has ended with code {process.wait()} at the request "
                f"{name!r}: its error is printed above; without one, the memory was too small."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()


@contextlib.contextmanager
def checkout_processes(checkouts: dict[str, Path]) -> Iterator[list[CheckoutProcess]]:
    """Start a process for each checkout, by its name, and end them after the block."""
    with contextlib.ExitStack() as stack:
        processes = []
        for name, folder in checkouts.items():
            process = CheckoutProcess(folder, name)
            stack.callback(process.close)
            processes.append(process)
        yield processes
