"""FrozenSeg: open-vocabulary segmentation with frozen CLIP and frozen SAM.

Importing this package loads nothing heavy; each name below is loaded when it is first used. Type checkers see the
imports under ``TYPE_CHECKING``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frozenseg.config import get_cfg, load_config
    from frozenseg.data.catalog import register_dataset
    from frozenseg.engine.evaluation_run import evaluate_dataset
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.inference.result import Result
    from frozenseg.modeling.build import build_model
    from frozenseg.vocabulary import Vocabulary

__version__ = "0.2.0"

# public name → module that defines it, and its name in that module
_DEFINED_IN = {
    "Result": ("frozenseg.inference.result", "Result"),
    "Segmenter": ("frozenseg.inference.predictor", "Segmenter"),
    "Vocabulary": ("frozenseg.vocabulary", "Vocabulary"),
    "build_model": ("frozenseg.modeling.build", "build_model"),
    "evaluate_dataset": ("frozenseg.engine.evaluation_run", "evaluate_dataset"),
    "get_cfg": ("frozenseg.config", "get_cfg"),
    "load_config": ("frozenseg.config", "load_config"),
    "register_dataset": ("frozenseg.data.catalog", "register_dataset"),
}
__all__ = ["Result", "Segmenter", "Vocabulary", "__version__", "build_model", "evaluate_dataset", "get_cfg"]
__all__ += ["load_config", "register_dataset"]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it."""
    if name not in _DEFINED_IN:
        raise AttributeError(f"module 'frozenseg' has no attribute {name!r}; it has {', '.join(__all__)}.")
    module, attribute = _DEFINED_IN[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DEFINED_IN])
