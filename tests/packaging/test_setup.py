"""Packaging: dependencies, extras, data files, configs in the wheel, the Makefile."""

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

tomllib = pytest.importorskip(
    "tomllib" if sys.version_info >= (3, 11) else "tomli", reason="pytest brings tomli itself"
)

REQUIRED = {
    "torch", "torchvision", "open_clip_torch", "segment-anything", "timm", "fvcore", "iopath", "pycocotools", "scipy",
    "numpy", "pillow", "PyYAML", "tqdm", "safetensors", "tabulate", "jinja2",
    "filelock",
}  # fmt: skip
IMPORTED_AS = {
    "open_clip_torch": "open_clip",
    "segment-anything": "segment_anything",
    "pillow": "PIL",
    "PyYAML": "yaml",
}
OF_EXTRAS = {
    "matplotlib": "plot",
    "tensorboard": "train",
    "cityscapesscripts": "eval",
    "lvis": "eval",
    "argcomplete": "completion",
    "submitit": "slurm",
    "wandb": "wandb",
    "gdown": "gdrive",
    "requests": "gdrive",
    "huggingface_hub": "hub",
    "supervision": "supervision",
    "onnx": "export",
    "onnx_ir": "export",
    "onnxscript": "export",
    "onnxruntime": "export",
    "tokenizers": "export",
    "av": "video",
    "cvat_sdk": "cvat",
    "fastapi": "serve",
    "fastapi_offline": "serve",
    "starlette": "serve",
    "pydantic": "serve",
    "anyio": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}
OF_TORCH = {"triton"}  # PyTorch for CUDA brings it; without it deformable attention takes another implementation
OF_SCRIPTS = {"lab"}  # modules of tools/, imported by its scripts
OF_TESTS = {"playwright"}  # an extra of dev, which tools/draw_page.py uses, too
TYPES_ONLY = {"typing_extensions"}  # imported under TYPE_CHECKING; mypy brings it


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the table [project] of pyproject.toml."""
    return read_pyproject()["project"]


@pytest.fixture(scope="module")
def packed() -> dict[str, Any]:
    """Run setup.py without installing anything; returns its arguments to ``setup``."""
    arguments: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **keywords: arguments.update(keywords))
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / "setup.py"))
    return arguments


def read_pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~!; \[]", requirement)[0] for requirement in requirements}


def test_the_required_packages_are_those_that_are_imported(project: dict[str, Any]) -> None:
    assert names(project["dependencies"]) == REQUIRED
    assert "torch>=2.6" in project["dependencies"]
    assert project["requires-python"] == ">=3.10"
    imported = {name.split(".")[0] for source in sources("frozenseg") for name, _ in source.imports()}
    unused = {IMPORTED_AS.get(name, name) for name in REQUIRED} - imported
    assert unused <= {"iopath", "jinja2"}  # fvcore reads files by iopath


def test_the_extras(project: dict[str, Any]) -> None:
    extras = {name: names(requirements) for name, requirements in project["optional-dependencies"].items()}
    assert set(extras) == {"dev", "eval", "plot", "train", "wandb", "slurm", "detectron2"} | {
        "completion", "video", "gdrive", "hub", "supervision", "cvat", "serve", "export",
    }  # fmt: skip
    assert extras["detectron2"] == set()  # it is not on PyPI
    assert extras["eval"] == {"cityscapesscripts", "lvis", "faster-coco-eval"}
    assert extras["dev"] >= {"pytest", "hypothesis", "ruff", "mypy", "codespell"}
    [everything] = [item for item in project["optional-dependencies"]["dev"] if item.startswith("frozenseg[")]
    assert everything == "frozenseg[completion,plot,train,eval,slurm,video,gdrive,hub,supervision,cvat,serve,export]"


def test_whatever_is_imported_is_required_or_an_extra() -> None:
    known = (
        {IMPORTED_AS.get(name, name) for name in REQUIRED}
        | set(OF_EXTRAS)
        | OF_TORCH
        | OF_SCRIPTS
        | OF_TESTS
        | TYPES_ONLY
        | {"frozenseg"}
    )
    foreign = {
        f"{source.path} imports {name}"
        for source in sources("frozenseg", "tools")
        for name, _ in source.imports()
        if name.split(".")[0] not in known | sys.stdlib_module_names
        and str(source.path) not in ("frozenseg/plugins/detectron2.py", "frozenseg/plugins/fiftyone_model.py")
    }
    assert foreign == set()


def test_all_packages_and_their_data_are_found(packed: dict[str, Any]) -> None:
    with_code = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "frozenseg").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert set(packed["packages"]) == with_code | {"frozenseg.configs"}
    patterns = read_pyproject()["tool"]["setuptools"]["package-data"]
    matched = {path for pattern in patterns["frozenseg"] for path in (ROOT / "frozenseg").glob(pattern)}
    assert matched == set(data_files(ROOT / "frozenseg"))
    folder = ROOT / packed["package_dir"]["frozenseg.configs"]
    matched = {path for pattern in patterns["frozenseg.configs"] for path in folder.glob(pattern)}
    assert matched == set(data_files(ROOT / "configs"))


def data_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are no code."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def test_one_version_everywhere(project: dict[str, Any]) -> None:
    assert "version" in project["dynamic"]
    assert read_pyproject()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "frozenseg.__version__"}
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == frozenseg.__version__


def test_the_licence_is_whole(project: dict[str, Any]) -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["license"] == "Apache-2.0"
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
