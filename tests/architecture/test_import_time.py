"""``import frozenseg`` is quick, loads no torch and reads no file; no optional package is needed to import anything."""

import subprocess
import sys

import pytest

import frozenseg
from tests.architecture.source import TOP_LEVEL, sources
from tests.tiny import ROOT

SECONDS = 0.2
OPTIONAL = (
    "argcomplete",
    "matplotlib",
    "tensorboard",
    "wandb",
    "triton",
    "cityscapesscripts",
    "lvis",
    "detectron2",
    "av",
)
OPTIONAL += ("gdown", "requests", "huggingface_hub", "fastapi", "starlette", "uvicorn", "prometheus_client")
OPTIONAL += ("onnx", "onnx_ir", "onnxscript", "onnxruntime", "tokenizers")
KERNELS = "frozenseg.modeling.ops.deform_attn_kernels"  # Triton's decorators; imported by the operator when it runs
WITH_OPTIONAL = {"frozenseg.plugins.detectron2", "frozenseg.plugins.fiftyone_model", KERNELS}
MODULES = [source.module for source in sources("frozenseg") if source.module not in WITH_OPTIONAL]

OURS = tuple(f"{ROOT / folder}/" for folder in ("frozenseg", "configs", "datasets"))
TIMED = "import time; start = time.perf_counter(); import frozenseg; print(time.perf_counter() - start)"
LOADED = "import sys; from frozenseg import {}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
SLOW = {"torch", "torchvision", "numpy", "scipy", "PIL", "yaml", "fvcore", "open_clip", "timm", "jinja2", "tabulate"}
SLOW_WITH_TORCH = {"torchvision", "open_clip", "timm", "segment_anything", "scipy", "jinja2", "sympy"}
HELP = """
import sys
from frozenseg.cli.command_line import docstring_parser
from frozenseg.cli.verb_table import load_verb, verb_summaries

for name in verb_summaries():
    parser = docstring_parser(load_verb(name).__doc__, name)
    load_verb(name).add_arguments(parser)
    parser.format_help()
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
HELP_OF_SCRIPTS = """
import contextlib, glob, io, runpy, sys
sys.path[:0] = [".", "tools"]
for script in sorted(glob.glob("tools/[a-z]*.py")):
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        runpy.run_path(script, run_name="__main__")
    assert "show this help message" in text.getvalue(), script
    print(script, *sorted({name.split(".")[0] for name in sys.modules}))
"""
WATCHED = """
import os, sys
opened = []
def listen(event, arguments):
    if event == "open" and isinstance(arguments[0], str):  # a number is an open file, not a path
        opened.append(os.path.abspath(arguments[0]))
sys.addaudithook(listen)
import {modules}
code = (".py", ".pyc", ".pyi")
print(*[path for path in opened if path.startswith({roots!r}) and not path.endswith(code) and "pycache" not in path])
"""


def python(program: str) -> str:
    """Run a program in a fresh interpreter; returns what it printed."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_is_quick() -> None:
    assert min(float(python(TIMED)) for _ in range(3)) < SECONDS


@pytest.mark.parametrize("name", ["__version__", "Vocabulary", "get_cfg"])
def test_light_names_load_no_torch(name: str) -> None:
    assert "torch" not in python(LOADED.format(name)).split()


def test_the_help_of_every_verb_loads_nothing_slow() -> None:
    loaded = set(python(HELP).split())
    assert "frozenseg" in loaded
    assert loaded & SLOW == set()


def test_the_help_of_every_script_loads_nothing_slow() -> None:
    loaded = {line.split()[0]: set(line.split()) & SLOW for line in python(HELP_OF_SCRIPTS).splitlines()}
    assert "tools/train_net.py" in loaded
    assert next(((script, slow) for script, slow in loaded.items() if slow), None) is None


def test_the_segmenter_loads_packages_of_models_and_metrics_when_they_are_used() -> None:
    loaded = set(python(LOADED.format("Segmenter")).split())
    assert "torch" in loaded
    assert loaded & SLOW_WITH_TORCH == set()


def test_importing_reads_no_file_but_code() -> None:
    assert python(WATCHED.format(modules="frozenseg", roots=OURS)) == ""


def test_no_module_reads_a_file_but_code() -> None:
    assert python(WATCHED.format(modules=", ".join(MODULES), roots=OURS)) == ""


def test_optional_packages_are_imported_where_they_are_used() -> None:
    found = [
        f"{source.path} imports {name} at its {place}"
        for source in sources("frozenseg", "tools")
        for name, place in source.imports()
        if name.split(".")[0] in OPTIONAL
        and place == TOP_LEVEL
        and source.folder not in ("plugins", "serving")  # imported by one verb, which checks for their packages
        and source.module != KERNELS
    ]
    assert found == []


def test_all_public_names_can_be_had() -> None:
    assert all(getattr(frozenseg, name) is not None for name in frozenseg.__all__)
    assert set(frozenseg.__all__) <= set(dir(frozenseg))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Segmentor'; it has Result, Segmenter, Vocabulary"):
        _ = frozenseg.Segmentor
