"""Official packages: patched for current NumPy without changing NumPy; warnings and log handlers are isolated."""

import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from frozenseg.errors import FrozenSegError
from frozenseg.evaluation.official_packages import import_cityscapes_evaluation, import_lvis

NOISY = """
import logging, warnings
warnings.warn("old", DeprecationWarning)
logging.basicConfig(level=logging.DEBUG)
pattern = "\\d"
"""
OLD = "import numpy as np\ndef number(): return np.float(1)\ndef add(): return np.add(1, 2)\n"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put another package lvis before the installed one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "lvis"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("lvis", "lvis.eval"):
        monkeypatch.setitem(sys.modules, name, None)  # so that what the test imports is taken out again
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "lvis"
    package.mkdir()
    (package / "__init__.py").write_text(NOISY, encoding="utf-8")
    (package / "eval.py").write_text(OLD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_lvis_gets_the_names_that_numpy_lacks_and_nobody_else_does(stand_in: Path) -> None:
    before = dict(vars(np))
    evaluation = import_lvis().eval
    assert (evaluation.number(), evaluation.add()) == (1.0, 3)
    assert vars(np) == before


def test_a_numpy_that_has_the_names_stays(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "float", int, raising=False)
    evaluation = import_lvis().eval
    assert evaluation.np is np


def test_warnings_and_log_handlers_of_the_import_are_kept_away(stand_in: Path) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()  # basicConfig acts only then
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            import_lvis()
        assert (root.handlers, root.level) == ([], level)
    finally:
        root.handlers[:] = handlers


def test_other_warnings_pass(stand_in: Path) -> None:
    (stand_in / "__init__.py").write_text("import warnings\nwarnings.warn('beware', UserWarning)\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="beware"):
        import_lvis()


def test_a_missing_package_is_answered_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lvis", "cityscapesscripts", "cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    with pytest.raises(FrozenSegError, match=r'package lvis cannot be imported .*: pip install "frozenseg\[eval\]"'):
        import_lvis()
    with pytest.raises(FrozenSegError, match=r'package cityscapesscripts .*: pip install "frozenseg\[eval\]"'):
        import_cityscapes_evaluation()


def test_the_installed_lvis_evaluates() -> None:
    package = import_lvis()
    assert {"LVIS", "LVISResults", "LVISEval"} <= set(vars(package))
    assert package.eval.np.float(2) == 2.0


def test_the_installed_cityscapes_scripts_count() -> None:
    modules = import_cityscapes_evaluation()
    image = np.array([[7, 8], [9, 7]])
    for module in (modules.instance, modules.pixel):
        assert module.np.in1d(image, [7]).tolist() == [True, False, False, True]
        assert module.np.in1d(image, [7], invert=True).tolist() == [False, True, True, False]
    assert modules.labels.name2label["car"].id == 26
