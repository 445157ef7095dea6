"""The project's own source, parsed once for the tests beside this file."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.tiny import ROOT

Function = ast.FunctionDef | ast.AsyncFunctionDef
TOP_LEVEL, WITHIN, FOR_TYPES = "top level", "within a function", "for types"


@dataclass(frozen=True)
class Source:
    """One file.

    Attributes:
        path: relative to the project's folder.
        text: all of it.
        tree: the parsed module.
    """

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Dotted name, such as ``frozenseg.data.loader``."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def folder(self) -> str:
        """First name below the package: ``data``, or ``errors`` for ``frozenseg/errors.py``; empty for the top."""
        return (*self.module.split("."), "")[1]

    def imports(self) -> Iterator[tuple[str, str]]:
        """Yield every absolute module name that is imported, with its place.

        The place is the top level, within a function, or for types: under ``if TYPE_CHECKING``, which never runs.
        """
        places = dict.fromkeys(_nodes_within(functions(self.tree)), WITHIN)
        places |= dict.fromkeys(_nodes_within(_type_checking_blocks(self.tree)), FOR_TYPES)
        for node in ast.walk(self.tree):
            place = places.get(node, TOP_LEVEL)
            if isinstance(node, ast.Import):
                yield from ((alias.name, place) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: relative import"
                # `from frozenseg import distributed` names a module too
                joined = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "frozenseg" else []
                yield from ((name, place) for name in joined or [str(node.module)])

    def imported_names(self) -> Iterator[str]:
        """Yield every dotted name that is imported, with the names of ``from … import`` joined on."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return all Python files under some of the project's folders."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return tuple(Source(path.relative_to(ROOT), text, ast.parse(text)) for path, text in zip(paths, texts, strict=True))


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield all functions and methods, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _type_checking_blocks(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from node.body


def _nodes_within(outer: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return (inner for node in outer for inner in ast.walk(node))


def public(tree: ast.Module) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield the public functions, classes and methods, each with its name inside the module."""
    for node in _public_definitions(tree.body):
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{method.name}", method) for method in _public_definitions(node.body))


def _public_definitions(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        is_overload = "overload" in map(ast.unparse, node.decorator_list)  # the implementation has the docstring
        if not (is_overload or node.name.startswith("_")):
            yield node


def body_lines(function: Function) -> int:
    """Count the lines of a function from its first statement on; the docstring is not one."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return max(int(body[-1].end_lineno or 0) - body[0].lineno + 1, 0) if body else 0


def parameters(function: Function) -> list[ast.arg]:
    """Return what a caller gives: all parameters but ``self`` and ``cls``."""
    given = function.args
    own = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument for argument in own if argument.arg not in ("self", "cls")]
