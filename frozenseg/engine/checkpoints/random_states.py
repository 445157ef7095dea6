"""Random generators of this process: seeds, and saved and restored states."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, numpy and torch (all devices) of this process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (for code that uses the global generator)
    torch.manual_seed(seed)


def draw_seed() -> int:
    """Return a seed from the operating system, below 2**31."""
    return random.SystemRandom().randrange(2**31)


def random_states() -> dict[str, Any]:
    """Return the states of all generators as tensors and plain values, which a safe reader can load."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": {
            "key": torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
            "pos": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Restore all generators to states that :func:`random_states` has returned."""
    random.setstate(states["python"])
    numpy_state = states["numpy"]
    np.random.set_state(  # noqa: NPY002
        {
            "bit_generator": "MT19937",
            "state": {"key": numpy_state["key"].numpy().astype(np.uint32), "pos": numpy_state["pos"]},
            "has_gauss": numpy_state["has_gauss"],
            "gauss": numpy_state["gauss"],
        }
    )
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


@contextmanager
def preserved_random_states() -> Iterator[None]:
    """Restore all generators at the end of the block, so that training continues as if it had not run."""
    states = random_states()
    try:
        yield
    finally:
        restore_random_states(states)
