"""Many like tasks, done in this process or in several."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

WAITING = 8  # tasks handed out ahead for each process


def outcomes(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], workers: int = 1
) -> Iterator[tuple[int, Any]]:
    """Call a function with each task's arguments.

    Args:
        function: of a module, so that other processes find it.
        tasks: arguments that pickle.
        workers: processes; 1 works in this one.

    Yields:
        Place of a task and its result, as they come. An exception of the function is raised here, and ends the rest.
    """
    if workers <= 1 or len(tasks) < 2:
        for place, arguments in enumerate(tasks):
            yield place, function(*arguments)
        return
    # spawned, not forked: safe with threads, and the same on every system
    with ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context("spawn")) as pool:
        waiting = iter(enumerate(tasks))
        running: dict[Future, int] = {}
        try:
            while True:
                for place, arguments in waiting:
                    running[pool.submit(function, *arguments)] = place
                    if len(running) >= WAITING * workers:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)
