"""One part in a golden of components: its arguments in words, its outputs, and what of it was compared."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lab.parity.compare import Array, Comparer, Row
from lab.parity.goldens import Golden
from lab.parity.inputs import rand, randn


class Part:
    """A part of a golden.

    Args:
        golden: the case.
        name: of the part.
    """

    def __init__(self, golden: Golden, name: str) -> None:
        self.name = name
        self.parts: Mapping[str, Any] = golden.about["components"]
        self.about: Mapping[str, Any] = self.parts[name]
        self.seed_base: int = golden.about["seed_base"]
        self.compare = Comparer(golden.name)
        self.arrays = {
            key.removeprefix(f"{name}/"): value
            for key, value in golden.arrays.items()
            if key.startswith(f"{name}/") and not key.endswith("/stats")
        }
        self.compared: set[str] = set()
        self.not_in_the_model: set[str] = set()  # what the reference's part can do and its models never ask for

    def close(self, output: str, actual: Tensor, ties: int = 0) -> Row:
        """Compare continuous values with an output, of which the golden keeps every k-th element."""
        step = self.about["outputs"][output]["stride"]
        return self.compare.close(f"{self.name}/{output}", actual, self.array(output), step=step, ties=ties)

    def equal(self, output: str, actual: Tensor) -> Row:
        """Compare discrete values with an output."""
        differences = int((actual.numpy().reshape(-1) != self.array(output).reshape(-1)).sum())
        return self.compare.equal(f"{self.name}/{output}", differences)

    def array(self, output: str) -> Array:
        """Return an output of the reference, and remember that it was looked at."""
        self.compared.add(output)
        return self.arrays[output]

    def cases(self) -> dict[str, str]:
        """Return the arguments in words of each variant, by its name."""
        return {key.removeprefix("args_"): text for key, text in self.about.items() if key.startswith("args_")}

    def left(self) -> list[str]:
        """Return the outputs that nothing was compared with."""
        return sorted(self.arrays.keys() - self.compared - self.not_in_the_model)


def draws(text: str, kind: str = "randn") -> list[Tensor]:
    """Return the tensors that a text such as ``"x=randn(1200,2,16), y=randn(1201,3)"`` names.

    Args:
        text: arguments in words.
        kind: ``randn`` or ``rand``.
    """
    draw = {"randn": randn, "rand": rand}[kind]
    calls = re.findall(rf"\b{kind}\(([\d,]+)\)", text)
    return [draw(*(int(number) for number in call.split(","))) for call in calls]


def named_draws(text: str) -> dict[str, Tensor]:
    """Return the normal tensors of a text by the names before their ``=``."""
    found = re.findall(r"([\w\[\]]+)=(randn\([\d,]+\))", text)
    return {name: draws(call)[0] for name, call in found}


def value(text: str, name: str) -> Any:
    """Return the number, list or tuple after ``name=``."""
    literal = re.search(rf"{name}=(\[.*?\]|\(\(.*?\)\)|\([\d, ]+\)|[-\d.]+)", text)
    return ast.literal_eval(literal[1])
