"""Detection of tracing, in which operators are recorded as a graph, and what Python must do differently for it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def is_traced() -> bool:
    """Return True if ``torch.compile``, ``torch.export`` or ``torch.jit.trace`` records the operators."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]


def is_exported() -> bool:
    """Return True if ``torch.export`` records the operators, for a file that runs without this package."""
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


def autocast(device_type: str, dtype: torch.dtype, *, enabled: bool) -> AbstractContextManager[Any]:
    """Return ``torch.autocast``; for an exported graph nothing if it is off, as no autocast surrounds the graph.

    Args:
        device_type: such as ``cpu``.
        dtype: of matrix products.
        enabled: False to compute in float32 under an autocast outside.
    """
    if is_exported() and not enabled:
        return nullcontext()
    return torch.autocast(device_type, dtype, enabled=enabled)


def same_size(a: int, b: int) -> bool:
    """Return True if two sizes are equal; in an exported graph, if they are for all sizes of its inputs.

    A plain comparison would fix the sizes of the graph to those of the example.
    """
    if not (isinstance(a, torch.SymInt) or isinstance(b, torch.SymInt)) or torch.compiler.is_dynamo_compiling():
        return a == b
    from torch.fx.experimental.symbolic_shapes import statically_known_true  # slow to import

    return statically_known_true(a == b)
