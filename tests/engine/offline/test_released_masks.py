"""Pickles of masks at image size: the low-resolution logits are restored, and no code is executed."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from frozenseg.engine.offline.released_masks import read_released_masks, to_proposals
from frozenseg.errors import DataError
from frozenseg.modeling.sam.automatic_masks.placement import Placement

SIDE = 128
SIZE = (72, 96)


def logits(size: tuple[int, int] = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two masks at low resolution and at image size."""
    low = 5 * torch.randn((2, 32, 32), generator=torch.Generator().manual_seed(0))
    return low, Placement.of(*size, SIDE).at_image_size(low)


def write(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize("size", [SIZE, (300, 200), (9, 7)])
def test_masks_at_image_size_are_restored(size: tuple[int, int]) -> None:
    _, full = logits(size)
    proposals = to_proposals(full, SIDE)
    assert proposals.logits.shape == (2, 32, 32)
    torch.testing.assert_close(proposals.placement.at_image_size(proposals.logits), full, atol=1e-4, rtol=1e-4)
    assert proposals.areas.tolist() == (full > 0).sum(dim=(1, 2)).tolist()


def test_low_resolution_is_restored() -> None:
    low, full = logits()
    restored = to_proposals(full, SIDE).logits[:, :23, :30]  # inside the image, which covers 24 of 32 rows
    torch.testing.assert_close(restored, low[:, :23, :30], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("pack", [lambda masks: masks, list, lambda masks: {"masks": masks}, torch.from_numpy])
def test_arrays_in_plain_containers_are_read(pack, tmp_path: Path) -> None:
    _, full = logits()
    proposals = read_released_masks(write(tmp_path / "a.pkl", pack(full.numpy())), SIZE, SIDE)
    torch.testing.assert_close(proposals.logits, to_proposals(full, SIDE).logits)
    assert proposals.predicted_ious.isnan().all()


class Runs:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Runs(), r"cannot be read: builtins\.print; expected arrays in plain containers"),
        ({"a": 1, "b": 2}, r"holds dict; expected logits \(masks, 72, 96\)"),
        ([], "holds list"),
        ([np.zeros(3), np.zeros(3)], "holds list"),
        (np.zeros((2, 9, 9)), r"holds an array \(2, 9, 9\) float64"),
        (np.zeros((2, 72, 96), dtype=bool), "holds an array .* bool; expected logits"),
    ],
)
def test_other_content_is_refused(content: object, message: str, tmp_path: Path, capsys) -> None:
    with pytest.raises(DataError, match=message):
        read_released_masks(write(tmp_path / "a.pkl", content), SIZE, SIDE)
    assert not capsys.readouterr().out


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*a\.pkl"):
        read_released_masks(tmp_path / "a.pkl", SIZE, SIDE)
    (tmp_path / "a.pkl").write_bytes(b"not a pickle")
    with pytest.raises(DataError, match=r"a\.pkl cannot be read"):
        read_released_masks(tmp_path / "a.pkl", SIZE, SIDE)
