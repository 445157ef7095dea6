"""Execution of one function on many tasks, in this process or in a pool of processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

TaskResult = TypeVar("TaskResult")
QUEUED = 8  # tasks submitted ahead for each process


def run_tasks(
    function: Callable[..., TaskResult], tasks: Sequence[tuple[Any, ...]], workers: int = 1
) -> Iterator[tuple[int, TaskResult]]:
    """Call a function with the arguments of each task.

    Args:
        function: module-level function, so that it can be pickled.
        tasks: positional arguments of each call; they must be picklable.
        workers: number of processes; 1 runs the tasks in this process.

    Yields:
        Index of a task and its result, in order of completion. An exception of the function is raised here and cancels
        the remaining tasks.
    """
    if workers <= 1 or len(tasks) < 2:
        for index, arguments in enumerate(tasks):
            yield index, function(*arguments)
        return
    # spawned, not forked: safe with threads, and the same on every system
    with ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context("spawn")) as pool:
        waiting = iter(enumerate(tasks))
        running: dict[Future[TaskResult], int] = {}
        try:
            while True:
                for index, arguments in waiting:
                    running[pool.submit(function, *arguments)] = index
                    if len(running) >= QUEUED * workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)
