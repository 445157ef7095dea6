"""The shared start of the scripts: help from the docstring, exit codes and messages."""

import argparse
from collections.abc import Callable

import pytest

from frozenseg.cli.command_line import bounded_number, docstring_parser, run_script
from frozenseg.config.bounds import between, whole
from frozenseg.errors import ConfigError


def test_help_shows_the_docstring_around_the_flags() -> None:
    parser = docstring_parser("Convert weights.\n\nExamples:\n    python tools/convert.py x\n")
    parser.add_argument("--output", help="file to write")
    text = parser.format_help()
    order = [
        text.index(part) for part in ("Convert weights.", "file to write", "Examples:\n    python tools/convert.py x")
    ]
    assert order == sorted(order)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_the_result_of_the_work_is_the_exit_code(returned: int | None, code: int) -> None:
    assert run_script(lambda: returned) == code


def raiser(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("No such key."), 2, "error: No such key.\n"),
        (KeyboardInterrupt(), 130, "resume with --resume\n"),
    ],
)
def test_errors_are_one_sentence_on_stderr(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_script(raiser(error), interrupted="resume with --resume") == code
    assert capsys.readouterr().err == message


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: 1 // 0)


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "nan", "many", ""])
def test_flags_with_numbers_outside_of_their_bounds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = docstring_parser("Count.")
    parser.add_argument("--count", type=bounded_number(whole(1, 10, "images")))
    assert [parser.parse_args(["--count", good]).count for good in ("1", "10")] == [1, 10]
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([f"--count={text}"])
    assert f"argument --count: '{text}', expected a whole number from 1 to 10 images" in capsys.readouterr().err


def test_flags_with_fractions() -> None:
    parse = bounded_number(between(0.5, 2))
    assert [parse("0.5"), parse("2")] == [0.5, 2.0]
    for text in ("0.49", "2.1", "nan", "inf", "one"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a number from 0.5 to 2"):
            parse(text)
