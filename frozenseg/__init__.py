"""FrozenSeg: open-vocabulary segmentation with frozen CLIP and frozen SAM.

Importing this package loads nothing heavy; the names below are loaded when they are first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Segmenter": "frozenseg.inference.predictor",
    "Vocabulary": "frozenseg.vocabulary",
    "build_model": "frozenseg.modeling.build",
    "get_cfg": "frozenseg.config",
}
__all__ = ["Segmenter", "Vocabulary", "__version__", "build_model", "get_cfg"]


def __getattr__(name: str) -> Any:
    """Load one of the public names from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'frozenseg' has no attribute {name!r}; it has {', '.join(__all__)}.")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
