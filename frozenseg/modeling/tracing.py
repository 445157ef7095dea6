"""Detection of tracing, in which operators are recorded as a graph."""

import torch


def is_traced() -> bool:
    """Return True if ``torch.compile``, ``torch.export`` or ``torch.jit.trace`` records the operators."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
