"""One component in a golden of components: its arguments, its recorded outputs, and which of them were compared."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from frozenseg.errors import DataError
from lab.parity.compare import Array, Comparer, Row
from lab.parity.goldens import Golden
from lab.parity.inputs import rand, randn


class Component:
    """A component in a golden.

    Args:
        golden: the case.
        name: of the component.
    """

    def __init__(self, golden: Golden, name: str) -> None:
        self.name = name
        self.components: Mapping[str, Any] = golden.metadata["components"]
        self.metadata: Mapping[str, Any] = self.components[name]
        self.seed_base: int = golden.metadata["seed_base"]
        self.compare = Comparer(golden.name)
        self.arrays = {
            key.removeprefix(f"{name}/"): value
            for key, value in golden.arrays.items()
            if key.startswith(f"{name}/") and not key.endswith("/stats")
        }
        self.compared: set[str] = set()
        self.skipped: set[str] = set()  # outputs of variants that no model uses

    def close(self, output: str, actual: Tensor, ties: int = 0) -> Row:
        """Compare continuous values with an output, of which the golden has every k-th element."""
        step = self.metadata["outputs"][output]["stride"]
        return self.compare.close(f"{self.name}/{output}", actual, self.array(output), step=step, ties=ties)

    def equal(self, output: str, actual: Tensor) -> Row:
        """Compare discrete values with an output."""
        differences = int((actual.numpy().reshape(-1) != self.array(output).reshape(-1)).sum())
        return self.compare.equal(f"{self.name}/{output}", differences)

    def array(self, output: str) -> Array:
        """Return an output of the reference and record that it was compared."""
        self.compared.add(output)
        return self.arrays[output]

    def cases(self) -> dict[str, str]:
        """Return the textual arguments of each variant by its name."""
        return {key.removeprefix("args_"): text for key, text in self.metadata.items() if key.startswith("args_")}

    def not_compared(self) -> list[str]:
        """Return the names of the outputs that were neither compared nor skipped."""
        return sorted(self.arrays.keys() - self.compared - self.skipped)


def draws(text: str, kind: str = "randn") -> list[Tensor]:
    """Return the tensors of a text such as ``"x=randn(1200,2,16), y=randn(1201,3)"``.

    Args:
        text: textual arguments.
        kind: ``randn`` or ``rand``.
    """
    draw = {"randn": randn, "rand": rand}[kind]
    calls = re.findall(rf"\b{kind}\(([\d,]+)\)", text)
    return [draw(*(int(number) for number in call.split(","))) for call in calls]


def named_draws(text: str) -> dict[str, Tensor]:
    """Return the ``randn`` tensors of a text by their argument names."""
    calls = re.findall(r"([\w\[\]]+)=(randn\([\d,]+\))", text)
    return {name: draws(call)[0] for name, call in calls}


def value(text: str, name: str) -> Any:
    """Return the value of an argument ``name=…``: a number, list or tuple."""
    return ast.literal_eval(find(rf"{name}=(\[.*?\]|\(\(.*?\)\)|\([\d, ]+\)|[-\d.]+)", text)[1])


def find(pattern: str, text: str) -> re.Match[str]:
    """Return the first match of a pattern in textual arguments.

    Raises:
        DataError: There is no match.
    """
    match = re.search(pattern, text)
    if match is None:
        raise DataError(f"The arguments {text!r} of the golden have no {pattern!r}.")
    return match
