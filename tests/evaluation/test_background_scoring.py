"""Outputs are scored in order in another thread; errors are raised where the outputs are handed over."""

import threading
from collections.abc import Callable, Iterable

import pytest

from frozenseg.evaluation.background_scoring import BackgroundScoring


def run(score: Callable[[int], None], outputs: Iterable[int]) -> None:
    with BackgroundScoring(score) as scoring:
        for output in outputs:
            scoring.submit(output)


def test_outputs_are_scored_in_order_in_another_thread() -> None:
    scored: list[int] = []
    threads = set()

    def score(output: int) -> None:
        scored.append(output)
        threads.add(threading.get_ident())

    with BackgroundScoring(score) as scoring:
        for number in range(20):
            scoring.submit(number)
            assert len(scored) >= number  # at most one behind
    assert scored == list(range(20))
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert scoring.seconds > 0


def test_the_caller_continues_while_outputs_are_scored() -> None:
    continued = threading.Event()
    with BackgroundScoring(lambda: continued.wait(60)) as scoring:
        scoring.submit()
        continued.set()


@pytest.mark.parametrize("later", [0, 1])
def test_an_error_of_scoring_is_raised(later: int) -> None:
    def fail(number: int) -> None:
        raise ValueError(f"output {number}")

    with pytest.raises(ValueError, match="output 0"):
        run(fail, range(1 + later))


def test_an_error_of_the_block_takes_precedence_and_the_last_output_is_scored() -> None:
    scored: list[int] = []
    with pytest.raises(ZeroDivisionError):
        run(scored.append, (4 // index for index in (2, 1, 0)))
    assert scored == [2, 4]
