"""Background reading: the next batch is loaded in a thread while the current one is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Loaded = TypeVar("Loaded")


def read_ahead(batches: Iterable[Loaded]) -> Iterator[Loaded]:
    """Yield batches in their order, and load one ahead.

    Args:
        batches: iterated in another thread; its errors are raised when its batch is due.
    """
    iterator, end = iter(batches), object()
    with ThreadPoolExecutor(1, "read ahead") as thread:
        loading = thread.submit(next, iterator, end)
        while (batch := loading.result()) is not end:
            loading = thread.submit(next, iterator, end)
            yield batch  # type: ignore[misc]  # only the end is no batch
