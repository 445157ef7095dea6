"""Who may import whom: lower levels know nothing of higher ones, and neighbours nothing of each other.

The table is the one of CONTRIBUTING.md. A new folder of the package must be given its level here.
"""

import re

import pytest

from tests.architecture.source import Source, sources
from tests.tiny import ROOT

FOUNDATION = (
    "errors log atomic parallel registry distributed device config cache safe_pickle output_paths file_hash downloads "
    "freed_memory"
)
LEVELS = (
    tuple(FOUNDATION.split()),
    ("vocabulary",),
    ("structures", "toyworld"),
    ("visualization",),
    ("modeling", "data", "evaluation"),
    ("engine", "inference"),
    ("plugins", "serving", "export"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
PACKAGE = [source for source in sources("frozenseg") if source.module != "frozenseg"]
# foundations know each other; they are small enough to be read together
FOUNDATIONS = set(LEVELS[0])
VERSION = "__version__"  # in frozenseg/__init__.py, which imports nothing
WITHOUT_TORCH = ("errors", "log", "atomic", "parallel", "registry", "config", "vocabulary", "toyworld", "output_paths")
BANNED_NAMES = {"utils", "util", "misc", "common", "helpers", "helper"}


def own_imports(source: Source) -> set[str]:
    """Return the folders of this package that a file imports from."""
    names = [name.split(".") for name, _ in source.imports()]
    return {parts[1] for parts in names if parts[0] == "frozenseg" and len(parts) > 1} - {source.folder, VERSION}


def test_every_folder_has_a_level() -> None:
    assert {source.folder for source in PACKAGE} <= set(LEVEL)


@pytest.mark.parametrize("folder", LEVEL)
def test_imports_go_down(folder: str) -> None:
    found = [
        f"{source.path} imports frozenseg.{name}"
        for source in PACKAGE
        if source.folder == folder
        for name in own_imports(source)
        if LEVEL[name] >= LEVEL[folder] and not {folder, name} <= FOUNDATIONS
    ]
    assert found == []


def test_the_top_of_the_package_and_the_tools_are_imported_by_nobody() -> None:
    found = [
        f"{source.path} imports {name}"
        for source in sources("frozenseg", "tools")
        for name, _ in source.imports()
        if name.split(".")[0] in ("tools", "tests", "datasets", "configs") or name == "frozenseg"
    ]
    assert found == []


def test_the_lab_is_imported_by_scripts_and_tests_only() -> None:
    names = {source.path: {name for name, _ in source.imports()} for source in sources("frozenseg", "tools", "tests")}
    top_level = {path: {name.split(".")[0] for name in imported} for path, imported in names.items()}
    assert [path for path, imported in top_level.items() if path.parts[0] == "frozenseg" and "lab" in imported] == []
    assert [path for path, imported in names.items() if any(name.startswith("tools.lab") for name in imported)] == []


def test_all_scripts_share_one_start() -> None:
    scripts = [path for path in (ROOT / "tools").glob("*.py") if path.stem != "__init__"]
    texts = {path.name: path.read_text(encoding="utf-8") for path in scripts}
    assert {name for name, text in texts.items() if "from frozenseg.cli.command_line import" not in text} == set()
    assert {
        name for name, text in texts.items() if "ArgumentParser(" in text or "except FrozenSegError" in text
    } == set()


def test_detectron2_is_met_in_one_file() -> None:
    met = {str(source.path) for source in sources("frozenseg", "tools") for name, _ in source.imports()
           if name.split(".")[0] == "detectron2"}  # fmt: skip
    assert met <= {"frozenseg/plugins/detectron2.py"}


def test_words_and_settings_need_no_torch() -> None:
    found = [
        f"{source.path} imports {name}"
        for source in PACKAGE
        if source.folder in WITHOUT_TORCH
        for name, _ in source.imports()
        if name.split(".")[0] in ("torch", "torchvision", "open_clip", "timm", "segment_anything")
    ]
    assert found == []


def test_the_model_reads_neither_environment_nor_command_line() -> None:
    for source in PACKAGE:
        if source.folder in ("modeling", "evaluation", "structures", "vocabulary"):
            assert "argparse" not in {name for name, _ in source.imports()}, source.path
            assert not re.search(r"\bos\.(environ|getenv)\b", source.text), source.path


def test_data_reads_neither_the_model_s_keys_nor_the_output_folder() -> None:
    found = [str(source.path) for source in PACKAGE
             if source.folder == "data" and re.search(r"\bcfg\.MODEL\b|\bOUTPUT_DIR\b", source.text)]  # fmt: skip
    assert found == []


WEIGHTS_READERS = {"checkpoint_file.py", "pretrained.py", "weights.py"}


def test_the_model_opens_no_file_but_weights() -> None:
    opens = re.compile(r"\bopen\(|\.(read|write)_(text|bytes)\(|\b(load_file|safe_open|(torch|np)\.(load|save))\(")
    readers = {str(source.path) for source in PACKAGE if source.folder == "modeling" and opens.search(source.text)}
    assert {path for path in readers if path.rsplit("/", 1)[-1] not in WEIGHTS_READERS} == set()


def test_names_say_what_a_file_holds() -> None:
    paths = [path.relative_to(ROOT) for folder in ("frozenseg", "tools") for path in (ROOT / folder).rglob("*")]
    assert [str(path) for path in paths if path.stem in BANNED_NAMES] == []


def file_imports() -> dict[str, set[str]]:
    """Return, for each module of the package, the modules that it imports (also within functions)."""
    modules = {source.module for source in sources("frozenseg")}
    graph: dict[str, set[str]] = {}
    for source in sources("frozenseg"):
        names = {name for name in source.imported_names() if name.startswith("frozenseg")}
        graph[source.module] = {known for name in names if (known := nearest(name, modules))} - {source.module}
    return graph


def nearest(name: str, modules: set[str]) -> str:
    """Return the module that a dotted name is, or is defined in."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return "" if name == "frozenseg" else name


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the modules that remain after all modules without imports among the rest are removed repeatedly."""
    left = {name: set(imports) for name, imports in graph.items()}
    while free := {name for name, imports in left.items() if not imports & left.keys()}:
        left = {name: imports for name, imports in left.items() if name not in free}
    return sorted([name, *sorted(imports & left.keys())] for name, imports in left.items())


def test_no_files_import_each_other_in_a_cycle() -> None:
    assert cycles(file_imports()) == []


def test_a_cycle_is_noticed() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["a", "b"], ["b", "c"], ["c", "b"], ["d", "a"]]


# they import what a folder holds, a public name, or an optional package: names as data, not a way around an import
SCANNERS = {"frozenseg", "frozenseg.registry", "frozenseg.data.catalog", "frozenseg.data.prepare.converter"}
SCANNERS |= {"frozenseg.evaluation.official_packages", "frozenseg.cli.verb_table"}
SCANNERS |= {"frozenseg.inference.formats.registry"}


def test_no_module_of_the_package_is_imported_by_a_string() -> None:
    by_string = re.compile(r"""(import_module|__import__)\(f?["']frozenseg""")
    assert [source.module for source in sources("frozenseg") if by_string.search(source.text)] == []
    users = {source.module for source in sources("frozenseg") if re.search(r"import_module\((?!f?[\"'])", source.text)}
    assert users <= SCANNERS
