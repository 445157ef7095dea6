"""The benchmarks' own evaluation packages: optional, imported here alone, and made to run with today's NumPy."""

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from frozenseg.errors import FrozenSegError


class CityscapesEvaluation(NamedTuple):
    """The modules of ``cityscapesscripts`` that score.

    Attributes:
        instance: ``cityscapesscripts.evaluation.evalInstanceLevelSemanticLabeling``.
        pixel: ``cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling``.
        labels: ``cityscapesscripts.helpers.labels``.
    """

    instance: ModuleType
    pixel: ModuleType
    labels: ModuleType


def import_lvis() -> ModuleType:
    """Return the package ``lvis``: it has ``LVIS``, ``LVISResults``, ``LVISEval``.

    It uses ``np.float``, which NumPy 1.24 took away. It logs errors only.

    Raises:
        FrozenSegError: it cannot be imported.
    """
    package = _import("lvis", "lvis")
    evaluation = _import("lvis.eval", "lvis")
    _give_numpy(evaluation, float=float)
    logging.getLogger("lvis").setLevel(logging.ERROR)  # it warns of every list of results
    return package


def has_cityscapes_evaluation() -> bool:
    """Say whether ``cityscapesscripts`` is installed."""
    return importlib.util.find_spec("cityscapesscripts") is not None


def import_cityscapes_evaluation() -> CityscapesEvaluation:
    """Return the scoring modules of ``cityscapesscripts``.

    They use ``np.in1d``, which NumPy 2.4 took away. On wrong input they end the program (SystemExit).

    Raises:
        FrozenSegError: they cannot be imported.
    """
    names = ("evaluation.evalInstanceLevelSemanticLabeling", "evaluation.evalPixelLevelSemanticLabeling")
    instance, pixel = (_import(f"cityscapesscripts.{name}", "cityscapesscripts") for name in names)
    for module in (instance, pixel):
        _give_numpy(module, in1d=_in1d)
    return CityscapesEvaluation(instance, pixel, _import("cityscapesscripts.helpers.labels", "cityscapesscripts"))


def _import(name: str, package: str) -> ModuleType:
    try:
        with _own_warnings_and_log():
            return importlib.import_module(name)
    except ImportError as error:
        raise FrozenSegError(
            f'The official package {package} cannot be imported ({error}): pip install "frozenseg[eval]".'
        ) from error


@contextmanager
def _own_warnings_and_log() -> Iterator[None]:
    """Keep away what concerns the package's authors only: warnings of old syntax, handlers of the root logger."""
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


def _give_numpy(module: ModuleType, **aliases: type | Callable[..., Any]) -> None:
    """Give ``module`` a NumPy of its own with these names, where NumPy lacks them; everybody else's stays as it is."""
    missing = {name: value for name, value in aliases.items() if name not in vars(np)}
    if missing:
        numpy = ModuleType("numpy", np.__doc__)
        vars(numpy).update({**vars(np), **missing})
        module.np = numpy  # type: ignore[attr-defined]


def _in1d(values: np.ndarray, among: Any, invert: bool = False) -> np.ndarray:
    """Say which of the values (any shape, flattened) are among others: (N,) bool."""
    return np.isin(np.ravel(values), among, invert=invert)
