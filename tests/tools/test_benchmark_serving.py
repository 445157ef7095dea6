"""tools/benchmark_serving.py: a short run of both measurements, and the answers that count as wrong."""

import json
from typing import Any

import pytest

from frozenseg.inference.predictor import Segmenter
from lab.malformed_requests import KINDS, malformed_requests
from tests.serving.conftest import toyworld
from tools import benchmark_serving


def test_a_short_run_has_no_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    segmenter = toyworld()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda weights, device: segmenter)
    line = ["--clients", "2", "--requests", "6", "--size", "64", "--malformed", str(len(KINDS)), "--seed", "3"]
    assert benchmark_serving.main(line) == 0
    output = capsys.readouterr().out
    assert "statuses {200: 12}, answers 503 before them 0" in output
    assert "wrong answers 0; afterwards health 200, a good request 200" in output


def test_the_seed_chooses_the_requests() -> None:
    first, again, other = ([each.body for each in malformed_requests(4, seed)] for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert {each.kind for each in malformed_requests(len(KINDS), 5)} == {name for name, _ in KINDS}


@pytest.mark.parametrize(
    ("content", "is_good"),
    [
        (b'{"error": "The image is empty."}', True),
        (b'{"error": ""}', False),
        (b'{"error": "Two\\nlines"}', False),
        (b'{"error": "Traceback (most recent call last)"}', False),
        (b'{"detail": "no"}', False),
        (b"<html>", False),
        (b"[]", False),
        (json.dumps({"error": "x" * 601}).encode(), False),
    ],
)
def test_an_answer_has_one_sentence(content: bytes, is_good: bool) -> None:
    assert benchmark_serving._is_one_sentence(content) == is_good


def test_wrong_answers_are_counted_and_busy_ones_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [(503, {"Retry-After": "0"}, b""), (200, {}, b"{}")]
    monkeypatch.setattr(benchmark_serving, "send", lambda *arguments: answers.pop(0))
    sample = benchmark_serving._request("http://127.0.0.1", (b"", ""))
    assert (sample.status, sample.busy) == (200, 1)
    monkeypatch.setattr(benchmark_serving, "send", lambda *arguments: (500, {}, b""))
    assert benchmark_serving.measure_malformed("http://127.0.0.1", 3, 0) == 5
