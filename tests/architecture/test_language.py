"""Plain technical English: the glossary of CONTRIBUTING.md, held on docstrings, comments, messages, names and pages.

The table is read from CONTRIBUTING.md, so that people and this test see the same list.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.architecture.source import Source, sources
from tests.tiny import ROOT

CODE = (*sources("frozenseg", "tools"), *(source for source in sources("datasets") if source.path.name == "prepare.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "datasets/README.md"])
OPENINGS = re.compile(r"(What|How|Which|Who|Whose|Whether|Where|When|Why)\b")
CODE_SPANS = re.compile(r"``.*?``|`[^`\n]*`|https?://\S+", flags=re.DOTALL)
FENCES = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
ALLOWED = re.compile(r"ground[- ]truths?|draws? a picture", flags=re.IGNORECASE)


class Term(NamedTuple):
    """A row of the glossary."""

    say: str
    avoid: tuple[str, ...]
    text: bool  # held on docstrings, comments, messages and pages
    names: bool  # held on identifiers


def read_glossary() -> list[Term]:
    """Read the table under the heading "Glossary" of CONTRIBUTING.md."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("### Glossary")[2].partition("\n#")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [Term(say, tuple(avoid.split(", ")), "text" in held, "names" in held) for say, avoid, held, _ in rows[2:]]


GLOSSARY = read_glossary()
BANNED_TEXT = {word: term.say for term in GLOSSARY if term.text for word in term.avoid}
BANNED_NAMES = {word: term.say for term in GLOSSARY if term.names for word in term.avoid}
IN_TEXT = re.compile(rf"\b({'|'.join(map(re.escape, BANNED_TEXT))})\b", flags=re.IGNORECASE)


def prose(source: Source) -> Iterator[tuple[int, str]]:
    """Yield docstrings, comments and messages (literals with a space), each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
            yield token.start[0], token.string


def defined_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the names that a file defines: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def banned_in(text: str) -> list[str]:
    """Return the words of a text that the glossary replaces; code in backticks does not count."""
    plain = ALLOWED.sub("", CODE_SPANS.sub("", FENCES.sub("", text)))
    return sorted({match[1].lower() for match in IN_TEXT.finditer(" ".join(plain.split()))})


def test_the_glossary_is_read() -> None:
    assert BANNED_TEXT["picture"] == "image"
    assert "place" in BANNED_NAMES
    assert banned_in("The picture is `picture`; ground truth, ``told``.") == ["picture"]
    assert banned_in("It goes\n    on.") == ["goes on"]


@pytest.mark.parametrize("source", CODE, ids=lambda source: str(source.path))
def test_text_uses_the_terms_of_the_glossary(source: Source) -> None:
    bad = [f"{source.path}:{line} {word!r}: say {BANNED_TEXT[word]}"
           for line, text in prose(source) for word in banned_in(text)]  # fmt: skip
    assert bad == []


@pytest.mark.parametrize("source", CODE, ids=lambda source: str(source.path))
def test_names_use_the_terms_of_the_glossary(source: Source) -> None:
    banned = BANNED_NAMES.keys() - ({"words"} if source.folder == "toyworld" else set())  # its colour and shape words
    bad = [f"{source.path}:{line} {name}: say {BANNED_NAMES[name.strip('_')]}"
           for line, name in defined_names(source.tree) if name.strip("_") in banned]  # fmt: skip
    assert bad == []


@pytest.mark.parametrize("source", CODE, ids=lambda source: str(source.path))
def test_docstrings_open_with_a_noun_or_a_verb(source: Source) -> None:
    nodes = [node for node in ast.walk(source.tree)
             if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))]  # fmt: skip
    bad = [f"{source.path}:{getattr(node, 'lineno', 1)} {text.splitlines()[0]}"
           for node in nodes if (text := ast.get_docstring(node)) and OPENINGS.match(text)]  # fmt: skip
    assert bad == []
    # arguments of examples are no questions
    commands = re.compile(
        r"^ *(python tools/|frozenseg )(.*\\\n)*.*$", flags=re.MULTILINE
    )  # arguments of examples are no questions
    assert "?" not in commands.sub("", CODE_SPANS.sub("", ast.get_docstring(source.tree) or ""))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_the_terms_of_the_glossary(page: Path) -> None:
    text = page.read_text("utf-8")
    if page.name == "CONTRIBUTING.md":  # the glossary itself names them
        text = text.partition("### Glossary")[0] + text.partition("### Glossary")[2].partition("\n#")[2]
    assert {word: BANNED_TEXT[word] for word in banned_in(text)} == {}
