"""Official evaluation packages of benchmarks: optional, imported here only, and patched for current NumPy versions."""

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import numpy as np

from frozenseg.errors import FrozenSegError

INSTANCE_DIVISOR = 1000  # Cityscapes: instance id // 1000 is the label id; smaller ids are label ids of groups or stuff


class CityscapesEvaluation(NamedTuple):
    """Evaluation modules of ``cityscapesscripts``.

    Attributes:
        instance: ``cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling``.
        pixel: ``cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling``.
        labels: ``cityscapesscripts.helpers.labels``.
    """

    instance: ModuleType
    pixel: ModuleType
    labels: ModuleType


def import_lvis() -> ModuleType:
    """Import the package ``lvis`` with ``LVIS``, ``LVISResults`` and ``LVISEval``.

    It uses ``np.float``, which NumPy 1.24 removed. Only its errors are logged.

    Raises:
        FrozenSegError: the package cannot be imported.
    """
    package = _import("lvis", "lvis")
    evaluation = _import("lvis.eval", "lvis")
    _patch_numpy(evaluation, float=float)
    logging.getLogger("lvis").setLevel(logging.ERROR)  # it logs a warning for every list of results
    return package


def has_cityscapes_evaluation() -> bool:
    """Return True if ``cityscapesscripts`` is installed."""
    return importlib.util.find_spec("cityscapesscripts") is not None


def import_cityscapes_evaluation() -> CityscapesEvaluation:
    """Import the evaluation modules of ``cityscapesscripts``.

    They use ``np.in1d``, which NumPy 2.4 removed. On invalid input they raise SystemExit.

    Raises:
        FrozenSegError: the package cannot be imported.
    """
    names = ("evaluation.evalInstanceLevelSemanticLabeling", "evaluation.evalPixelLevelSemanticLabeling")
    instance, pixel = (_import(f"cityscapesscripts.{name}", "cityscapesscripts") for name in names)
    for module in (instance, pixel):
        _patch_numpy(module, in1d=_in1d)
    return CityscapesEvaluation(instance, pixel, _import("cityscapesscripts.helpers.labels", "cityscapesscripts"))


def _import(name: str, package: str) -> ModuleType:
    try:
        with _isolated_warnings_and_log():
            return importlib.import_module(name)
    except ImportError as error:
        raise FrozenSegError(
            f'The official package {package} cannot be imported ({error}): pip install "frozenseg[eval]".'
        ) from error


@contextmanager
def _isolated_warnings_and_log() -> Iterator[None]:
    """Ignore warnings about the package's syntax, and undo its changes of the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with warnings.catch_warnings():
            for category in (SyntaxWarning, DeprecationWarning, PendingDeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _patch_numpy(module: ModuleType, **aliases: object) -> None:
    """Replace ``np`` of a module by a copy with the names that NumPy lacks; NumPy itself is not changed."""
    missing = {name: value for name, value in aliases.items() if name not in vars(np)}
    if missing:
        numpy = ModuleType("numpy", np.__doc__)
        vars(numpy).update({**vars(np), **missing})
        module.np = numpy  # type: ignore[attr-defined]


def _in1d(values: np.ndarray, among: np.ndarray | Sequence[int], invert: bool = False) -> np.ndarray:
    """Return (N,) bool, True for values (any shape, flattened) that are among others."""
    return np.isin(np.ravel(values), among, invert=invert)
