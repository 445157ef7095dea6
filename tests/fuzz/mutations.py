"""Strategies that damage inputs: fields of JSON documents, bytes of files."""

import copy
import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

JsonPath = tuple[str | int, ...]
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 1.0, 1.5, -0.5, 1e300, math.nan, math.inf, -math.inf, 2**24 - 1, 2**31,
    2**53 + 1, 10**20, -(10**20), "", " ", "1", "a", "é", "true", "../a", "C:\\a.png", "/", "\x00", "x" * 300, [], {},
    [[]], [1], ["a"], [None], {"a": 1}, {"size": [1, 1], "counts": [1]}, [[1, 2, 3]], [[0, 0, 5, 0, 5, 5]],
)  # fmt: skip
STOP = 0.25  # probability that a container on the way down is the field to change


def odd_values() -> SearchStrategy[Any]:
    """Return a strategy of values that a field of a JSON document does not expect."""
    return st.one_of(
        st.sampled_from(ODD_VALUES),
        st.integers(-(2**40), 2**40),
        st.floats(),
        st.text(max_size=8),
        st.lists(st.integers(-5, 1000), max_size=8),
    ).map(copy.deepcopy)


@st.composite
def mutated(draw: DrawFn, document: Any, most: int = 3) -> Any:
    """Draw a copy of a JSON document with a few changed, removed or repeated fields.

    Args:
        draw: of hypothesis.
        document: the undamaged document.
        most: largest number of changes.
    """
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        path = draw(json_paths(changed))
        if not path:
            return draw(odd_values())
        parent = changed
        for step in path[:-1]:
            parent = parent[step]
        _change(draw, parent, path[-1])
    return changed


@st.composite
def json_paths(draw: DrawFn, document: Any) -> JsonPath:
    """Draw the path of a field, from the top of a document down."""
    path: list[str | int] = []
    value = document
    while isinstance(value, (dict, list)) and value:
        if path and draw(st.floats(0, 1)) < STOP:
            break
        step = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        path.append(step)
        value = value[step]
        if not path:
            break
    return tuple(path)


def _change(draw: DrawFn, parent: Any, key: Any) -> None:
    value = parent[key]
    action = draw(st.sampled_from(("replace", "remove", "repeat", "text", "wrap", "unwrap", "number", "rename")))
    if action == "remove":
        del parent[key]
    elif action == "repeat" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(value))
    elif action == "text":
        parent[key] = str(value)
    elif action == "wrap":
        parent[key] = [value]
    elif action == "unwrap" and isinstance(value, (list, dict)) and value:
        parent[key] = copy.deepcopy(next(iter(value.values() if isinstance(value, dict) else value)))
    elif action == "number" and type(value) in (int, float):
        parent[key] = draw(st.sampled_from((-value, value + 1, value - 1, float(value), value * 1000, value / 3)))
    elif action == "rename" and isinstance(parent, dict):
        parent[f"{key}s"] = parent.pop(key)
    else:
        parent[key] = draw(odd_values())


@st.composite
def damaged(draw: DrawFn, data: bytes) -> bytes:
    """Draw the bytes of a file with a few other bytes, cut off, or with bytes inserted."""
    content = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    action = draw(st.sampled_from(("keep", "keep", "cut", "insert", "zeros")))
    position = draw(st.integers(0, len(content) - 1))
    if action == "cut":
        del content[position:]
    elif action == "insert":
        content[position:position] = draw(st.binary(min_size=1, max_size=16))
    elif action == "zeros":
        end = draw(st.integers(position, min(len(content), position + 64)))
        content[position:end] = bytes(end - position)
    return bytes(content)
