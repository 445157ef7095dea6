"""Batches are loaded one ahead, in order; errors are raised when the batch is due."""

import threading
from collections.abc import Iterator

import pytest

from frozenseg.data.read_ahead import read_ahead


def test_the_order_is_kept_and_one_batch_is_loaded_ahead() -> None:
    loaded: list[int] = []
    third = threading.Event()

    def load() -> Iterator[int]:
        for number in range(5):
            loaded.append(number)
            if number == 2:
                third.set()
            yield number

    batches = read_ahead(load())
    assert [next(batches), next(batches)] == [0, 1]
    assert third.wait(60)  # while batch 1 is used
    assert loaded == [0, 1, 2]
    assert [*batches] == [2, 3, 4]
    assert list(read_ahead([])) == []
    assert list(read_ahead([None, None])) == [None, None]


def test_an_error_is_raised_when_its_batch_is_due() -> None:
    def load() -> Iterator[int]:
        yield 1
        raise ValueError("no image")

    batches = read_ahead(load())
    assert next(batches) == 1
    with pytest.raises(ValueError, match="no image"):
        next(batches)
