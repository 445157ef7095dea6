"""A public name of the package is defined in one module, unless several modules implement one interface by it."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.architecture.source import Source, sources

# the interfaces: found by scanning a folder, the routes of an application, or Detectron2's classes under its names
INTERFACES = {"OUTPUT_FORMAT", "CONVERTER", "SPECS", "add_arguments", "run", "INTERRUPTED_HINT", "router"}
PLUGIN = "frozenseg.plugins"


def public_names(source: Source) -> Iterator[str]:
    """Yield the functions, classes and constants that a module defines for others."""
    for node in source.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_") and name != "logger")


def test_a_public_name_is_defined_once() -> None:
    homes: dict[str, set[str]] = defaultdict(set)  # overloads define a name several times in one module
    for source in sources("frozenseg"):
        if not source.module.startswith(PLUGIN):
            for name in public_names(source):
                homes[name].add(source.module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1 and name not in INTERFACES} == {}
