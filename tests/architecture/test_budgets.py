"""Limits that keep the code readable: how long, how many, how well described."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import Function, Source, body_lines, functions, parameters, public, sources
from tests.tiny import ROOT

FILE, FILE_MEDIAN = 400, 150
BODY, BODY_P90, FORWARD = 50, 35, 40
PARAMETERS = 8
TESTS_TO_SOURCE = 0.6
# complexity over 10, commented-out code, print, blind except, changeable defaults
RUFF_RULES = "C901,ERA,T20,BLE,E722,S110,S112,B006"

PACKAGE = sources("frozenseg")
CODE = sources("frozenseg", "tools")
TESTS = sources("tests")


def lines(source: Source) -> int:
    return source.text.count("\n")


def every_function(files: tuple[Source, ...]) -> Iterator[tuple[str, Function]]:
    """Yield all functions, each with where it stands."""
    for source in files:
        for function in functions(source.tree):
            yield f"{source.path}:{function.lineno} {function.name}", function


def test_files_are_short() -> None:
    assert {str(source.path): lines(source) for source in (*CODE, *TESTS) if lines(source) > FILE} == {}
    assert statistics.median(lines(source) for source in CODE) <= FILE_MEDIAN


def test_functions_are_short() -> None:
    length = {place: body_lines(function) for place, function in every_function(CODE)}
    limit = {place: FORWARD if place.endswith(" forward") else BODY for place in length}
    assert {place: count for place, count in length.items() if count > limit[place]} == {}
    assert statistics.quantiles(length.values(), n=10)[-1] <= BODY_P90


def test_functions_take_few_parameters() -> None:
    assert [place for place, function in every_function(CODE) if len(parameters(function)) > PARAMETERS] == []


def test_every_parameter_and_result_is_annotated() -> None:
    bare = []
    for place, function in every_function(CODE):
        bare += [f"{place}({argument.arg})" for argument in parameters(function) if argument.annotation is None]
        bare += [f"{place} ->"] if function.returns is None else []
    assert bare == []


def test_every_public_name_is_described() -> None:
    bare = [str(source.path) for source in CODE if not ast.get_docstring(source.tree)]
    for source in CODE:
        bare += [f"{source.path}:{node.lineno} {name}" for name, node in public(source.tree)
                 if not ast.get_docstring(node)]  # fmt: skip
    assert bare == []


@pytest.mark.parametrize("source", PACKAGE, ids=lambda source: str(source.path))
def test_arguments_in_a_docstring_exist(source: Source) -> None:
    for name, node in public(source.tree):
        described = described_arguments(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef):
            constructor = [item for item in functions(node) if item.name == "__init__"]
            known = {argument.arg for function in constructor for argument in parameters(function)}
            known |= {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
            known |= set() if constructor or not node.bases else described  # the constructor is a parent's
        else:
            known = {argument.arg for argument in parameters(node)}
        assert described <= known, name


def described_arguments(docstring: str) -> set[str]:
    """Return the names under ``Args:``."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", docstring, flags=re.MULTILINE)
    return set(re.findall(r"^    \*{0,2}(\w+)(?: \(.*?\))?:", section[1], flags=re.MULTILINE)) if section else set()


def test_ruff_finds_no_tangle_and_no_leftovers() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select", RUFF_RULES, "--output-format", "concise", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    files = [source for source in (*CODE, *TESTS) if source.path.name != "test_budgets.py"]
    assert [str(source.path) for source in files if marks.search(source.text)] == []


def test_there_is_enough_of_tests() -> None:
    assert sum(map(lines, TESTS)) >= TESTS_TO_SOURCE * sum(map(lines, CODE))
