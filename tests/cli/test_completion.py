"""Completion in the shell: verbs, flags, choices and config names."""

import pytest

from frozenseg.cli import completion
from frozenseg.cli.verb_table import verb_summaries

argcomplete = pytest.importorskip("argcomplete")


def completions(*line: str) -> list[str]:
    *before, prefix = line
    finder = argcomplete.CompletionFinder(completion.completion_parser(), always_complete_options="long")
    return [text.rstrip() for text in finder._get_completions(["frozenseg", *before], prefix, "", None)]


def test_verbs() -> None:
    assert set(verb_summaries()) <= set(completions(""))
    assert completions("valid") == ["validate"]


def test_flags_of_a_verb() -> None:
    assert "--weights" in completions("train", "--we")
    assert completions("convert", "--to", "re") == ["released"]


def test_names_of_configs() -> None:
    assert completions("train", "--config", "toyworld/fc") == ["toyworld/fcclip_tiny"]


def test_the_shell_is_answered_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from frozenseg.cli import main

    calls: list[object] = []
    monkeypatch.setenv(completion.COMPLETION_VARIABLE, "1")
    monkeypatch.setattr(argcomplete, "autocomplete", calls.append)
    assert main.main(["--version"]) == 0
    assert len(calls) == 1
