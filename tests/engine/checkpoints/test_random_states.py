"""Random generators: states saved, restored from a file, and preserved."""

import random
from pathlib import Path

import numpy as np
import torch

from frozenseg.engine.checkpoints.random_states import (
    draw_seed,
    preserved_random_states,
    random_states,
    restore_random_states,
    seed_everything,
)


def draws() -> tuple[float, float, float, float]:
    return random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()  # noqa: NPY002


def test_equal_seeds_draw_equally() -> None:
    seed_everything(5)
    first = draws()
    seed_everything(5)
    assert draws() == first
    seed_everything(6)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_states_survive_a_safe_file(tmp_path: Path) -> None:
    seed_everything(2**31 + 3)
    draws()  # leaves numpy with half of a pair of normal numbers
    torch.save(random_states(), tmp_path / "states.pth")
    expected = [draws(), draws()]
    restore_random_states(torch.load(tmp_path / "states.pth", weights_only=True))
    assert [draws(), draws()] == expected


def test_a_block_leaves_no_trace() -> None:
    seed_everything(0)
    expected = draws()
    seed_everything(0)
    with preserved_random_states():
        draws()
    assert draws() == expected


def test_drawn_seeds_differ() -> None:
    seed_everything(0)
    first = draw_seed()
    seed_everything(0)
    assert draw_seed() != first
