"""Background writes: order, limits, errors, and the end of the threads."""

import threading
from functools import partial

import pytest

from frozenseg.inference.background_writes import BackgroundWrites


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_all_works_are_done_and_counted(threads: int) -> None:
    done: list[int] = []
    with BackgroundWrites(threads, waiting=2) as writes:
        finished = sum(len(list(writes.submit(partial(done.append, number)))) for number in range(20))
        assert finished >= 18  # at most two are waiting
        finished += len(list(writes.rest()))
    assert (finished, sorted(done)) == (20, list(range(20)))
    assert not any(thread.name.startswith("frozenseg-writer") for thread in threading.enumerate())


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_is_raised_and_no_further_work_is_started(threads: int) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 3:
            raise OSError("the disk is full")
        done.append(number)

    def run() -> None:
        with BackgroundWrites(threads) as writes:
            for number in range(10):
                list(writes.submit(partial(work, number)))
            list(writes.rest())

    with pytest.raises(OSError, match="the disk is full"):
        run()
    assert done == [0, 1, 2]


def test_a_submission_waits_for_room() -> None:
    gate = threading.Event()
    with BackgroundWrites(1, waiting=1) as writes:
        assert list(writes.submit(gate.wait)) == []  # type: ignore[arg-type]  # the result is not used
        opener = threading.Timer(0.05, gate.set)
        opener.start()
        assert len(list(writes.submit(lambda: None))) >= 1
        opener.join()


@pytest.mark.parametrize(("error", "expected"), [(ValueError(), [0, 1, 2]), (KeyboardInterrupt(), [0])])
def test_waiting_works_are_done_after_an_error_elsewhere_but_not_after_an_interrupt(
    error: BaseException, expected: list[int]
) -> None:
    done: list[int] = []
    running, end = threading.Event(), threading.Event()

    def work(number: int) -> None:
        running.set()
        end.wait()
        done.append(number)

    def fail() -> None:
        with BackgroundWrites(1) as writes:
            for number in range(3):
                list(writes.submit(partial(work, number)))
            running.wait()
            threading.Timer(0.1, end.set).start()  # after the context is left
            raise error

    with pytest.raises(type(error)):
        fail()
    assert done == expected
