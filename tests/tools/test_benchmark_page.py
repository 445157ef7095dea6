"""``tools/benchmark_page.py`` prints the time of every step."""

import re

import pytest
import torch

from frozenseg.structures.image_list import ImageSize
from lab.competing_queries import FewCompeting
from tools.benchmark_page import main

SMALL = ["--rounds", "1", "--clicks", "2", "--size", "64", "96"]


def test_every_step_has_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == [
        "image and first names", "one changed name", "other names", "first click", "click"]  # fmt: skip
    assert all(float(row[1]) > 0 for row in rows)
    assert rows[1][3].endswith("×")


def test_few_queries_compete() -> None:
    logits = torch.tensor([[3.0, 0.0, 0.0], [0.0, 5.0, 0.0], [4.0, 0.0, 0.0]])  # (Q, C + 1)
    masks = 20 * torch.eye(3)[:, None] - 10  # (Q, 1, 3)
    found = [len(labels_of(logits, masks, competing)) for competing in (3, 2, 1)]
    assert found == [3, 2, 1]
    assert labels_of(logits, masks, 1) == [1]


def labels_of(logits: torch.Tensor, masks: torch.Tensor, competing: int) -> list[int]:
    outputs = FewCompeting(semantic=False, panoptic=True, instance=False, masks_first=True, competing=competing)
    size = ImageSize(*masks.shape[1:])
    _, segments = outputs(logits, masks, (True, True), true_size=size, target_size=size)["panoptic_seg"]
    return [segment["category_id"] for segment in segments]


def test_few_queries_of_a_model_are_timed() -> None:
    assert main([*SMALL, "--competing", "2"]) == 0


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--weights", "toyworldd"]) == 2
    assert "toyworldd" in capsys.readouterr().err
