"""What is installed, and what it needs: setup.py, the extras, the package's data files, the Makefile."""

import ast
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import setuptools

import frozenseg
from tests.architecture.source import sources
from tests.tiny import ROOT

REQUIRED = {
    "torch", "torchvision", "open_clip_torch", "segment-anything", "timm", "fvcore", "iopath", "pycocotools", "scipy",
}  # fmt: skip
IMPORTED_AS = {"open_clip_torch": "open_clip", "segment-anything": "segment_anything"}
BROUGHT_ALONG = {"numpy", "PIL", "tqdm", "yaml", "safetensors", "tabulate"}  # by the required ones
OF_EXTRAS = {
    "matplotlib": "demo",
    "tensorboard": "train",
    "cityscapesscripts": "eval",
    "lvis": "eval",
    "submitit": "slurm",
}


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    """Run setup.py without installing anything; returns what it says."""
    said: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **given: said.update(given))
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / "setup.py"))
    return said


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~!; \[]", requirement)[0] for requirement in requirements}


def test_the_required_packages_are_the_nine_named_ones(metadata: dict[str, Any]) -> None:
    assert names(metadata["install_requires"]) == REQUIRED
    assert "torch>=2.6" in metadata["install_requires"]
    assert metadata["python_requires"] == ">=3.10"


def test_the_extras(metadata: dict[str, Any]) -> None:
    extras = {name: names(requirements) for name, requirements in metadata["extras_require"].items()}
    assert set(extras) == {"dev", "eval", "demo", "train", "slurm", "detectron2"}
    assert extras["detectron2"] == set()  # it is not on PyPI
    assert extras["eval"] == {"cityscapesscripts", "lvis", "faster-coco-eval"}
    assert extras["dev"] >= {"pytest", "hypothesis", "ruff", "mypy", "codespell"}
    assert extras["dev"] >= extras["demo"] | extras["train"] | extras["eval"] | extras["slurm"]


def test_whatever_is_imported_is_required_or_an_extra() -> None:
    known = {IMPORTED_AS.get(name, name) for name in REQUIRED} | BROUGHT_ALONG | set(OF_EXTRAS) | {"frozenseg"}
    foreign = {
        f"{source.path} imports {name}"
        for source in sources("frozenseg", "tools")
        for name, _ in source.imports()
        if name.split(".")[0] not in known | sys.stdlib_module_names
        and str(source.path) != "frozenseg/plugins/detectron2.py"
    }
    assert foreign == set()


def test_all_packages_and_their_data_are_found(metadata: dict[str, Any]) -> None:
    with_code = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "frozenseg").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert set(metadata["packages"]) == with_code
    packed = {path for pattern in metadata["package_data"]["frozenseg"] for path in (ROOT / "frozenseg").glob(pattern)}
    assert packed == set(data_files())


def data_files() -> Iterator[Path]:
    """Yield the files of the package that are no code."""
    for path in (ROOT / "frozenseg").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def test_one_version_everywhere(metadata: dict[str, Any]) -> None:
    assert metadata["version"] == frozenseg.__version__
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == frozenseg.__version__


def test_the_licence_is_whole(metadata: dict[str, Any]) -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert metadata["license"] == "Apache-2.0"
    assert "Apache License" in text.splitlines()[0]
    assert all(f"   {number}. " in text for number in range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text


def test_ci_runs_the_suite_and_make_has_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"quickstart", "test", "lint"} <= set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o100
    assert re.search(r"^set -euo pipefail$.*^make test$", script.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_oldest_python_can_parse_the_code() -> None:
    for source in sources("frozenseg", "tools", "tests"):
        ast.parse(source.text, filename=str(source.path), feature_version=(3, 10))
