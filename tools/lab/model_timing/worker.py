"""Process that times one checkout: reads requests from standard input, one JSON object a line, and answers likewise.

The checkout is the one that ``PYTHONPATH`` begins with. Standard output carries the answers alone; everything that is
printed goes to standard error.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from lab.model_timing.case import Case
from lab.model_timing.workload import WORKLOADS

GEMM_SIZE = {"cpu": 2048, "cuda": 8192}
GEMM_REPEATS = 5


class Worker:
    """Handles the requests, each by the method of its name."""

    def __init__(self) -> None:
        self.workload: Any = None

    def open(self, kind: str, threads: int, processor_time: bool, **arguments: Any) -> dict[str, Any]:
        """Build the model."""
        if threads:
            torch.set_num_threads(threads)
        self.workload = WORKLOADS[kind](**arguments)
        device = self.workload.clock.device
        if processor_time:
            self.workload.clock.count_processor_time()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
        return {
            "package": str(Path(sys.modules["frozenseg"].__file__ or "").parent),
            "torch": torch.__version__,
            "device": device.type,
            "hardware": name,
            "queries": self.workload.cfg.MODEL.MASK_FORMER.NUM_OBJECT_QUERIES,
            "frozen_dtype": self.workload.cfg.MODEL.FROZEN_DTYPE,
        }

    def prepare(self, case: list[int]) -> dict[str, Any]:
        """Set the input of the following runs."""
        self.workload.prepare(Case(*case))
        return {}

    def run(self, keep: str = "") -> dict[str, Any]:
        """Run once; ``keep`` names a file for the results."""
        device = self.workload.clock.device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
        seconds = self.workload.run(bool(keep))
        if keep:
            torch.save(self.workload.results, keep)
            self.workload.results = {}
        answer = {"seconds": seconds, "parts": self.workload.clock.seconds()}
        if device.type == "cuda":
            answer["cuda_memory"] = [before, torch.cuda.max_memory_allocated(device)]
        return answer

    def gemm(self, dtype: str) -> dict[str, Any]:
        """Return the multiply-adds per second of the best of several matrix products."""
        clock = self.workload.clock
        size = GEMM_SIZE[clock.device.type]
        a, b = torch.randn(2, size, size, device=clock.device).to(getattr(torch, dtype))
        multiply = torch._int_mm if a.dtype == torch.int8 else torch.mm
        clock.whole(lambda: multiply(a, b))
        best = min(clock.whole(lambda: multiply(a, b))[1] for _ in range(GEMM_REPEATS))
        return {"rate": size**3 / best}


def serve() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        answer = getattr(worker, request.pop("request"))(**request)
        answers.write(json.dumps({**answer, "took": time.perf_counter() - started}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
