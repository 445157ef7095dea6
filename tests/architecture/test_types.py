"""The public names have their true types for a type checker, and in a running program."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import frozenseg
from tests.tiny import ROOT

# third-party packages are not followed, so that this takes seconds; the project's own types are
SETTINGS = """
[mypy]
strict = true
mypy_path = {root}
follow_imports = normal
ignore_missing_imports = true
cache_dir = {cache}
[mypy-torch.*,torchvision.*,numpy.*,PIL.*,scipy.*,timm.*,open_clip.*,pycocotools.*,segment_anything.*,fvcore.*,yacs.*]
follow_imports = skip
"""


def type_checked_names() -> dict[str, tuple[str, str]]:
    """Return what the imports under TYPE_CHECKING say: public name → (module, name there)."""
    [block] = [node for node in ast.parse((ROOT / "frozenseg/__init__.py").read_text("utf-8")).body
               if isinstance(node, ast.If)]  # fmt: skip
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_what_programs_get() -> None:
    seen = type_checked_names()
    assert set(seen) == set(frozenseg.__all__) - {"__version__"}
    for name, (module, attribute) in seen.items():
        assert getattr(frozenseg, name) is getattr(importlib.import_module(module), attribute), name


def test_a_type_checker_resolves_the_public_names(tmp_path: Path) -> None:
    program = "import frozenseg\n" + "".join(
        f"reveal_type(frozenseg.{name})\n" for name in sorted(set(frozenseg.__all__) - {"__version__"})
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(SETTINGS.format(root=ROOT, cache=tmp_path / "cache"), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    revealed = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(frozenseg.__all__) - 1, done.stdout + done.stderr
    assert [line for line in revealed if '"Any"' in line] == []
    text = "\n".join(revealed)
    assert "-> frozenseg.inference.predictor.Segmenter" in text
    assert "-> frozenseg.vocabulary.vocabulary.Vocabulary" in text
    assert "frozenseg.config.cfg_node.CfgNode" in text
