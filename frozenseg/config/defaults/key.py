"""Type of the entries of the key tables: name, default, role, bounds and meaning of a config key."""

from typing import Any, Literal, NamedTuple

from frozenseg.config.bounds import Bounds

Role = Literal["result", "training", "start", "cost", "output"]

ROLES: dict[Role, str] = {
    "result": "changes what a model with given weights predicts, or how its predictions are scored",
    "training": "changes what a training learns",
    "start": "selects the weights to start from; they are compared by their hash, not by this key",
    "cost": "changes time, memory and disk space only",
    "output": "selects what is evaluated, logged and written, and how often",
}


class Key(NamedTuple):
    """One config key.

    Attributes:
        name: dotted name.
        default: default value; its type is the type of the key.
        role: what a change of the value changes, see :data:`ROLES`.
        bounds: accepted values with their unit, see ``frozenseg/config/bounds.py``.
        meaning: meaning and unit in one line.
        engine_only: True if the key has no effect under the trainer of another library.
    """

    name: str
    default: Any
    role: Role
    bounds: Bounds
    meaning: str
    engine_only: bool = False
