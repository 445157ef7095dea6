"""tools/measure_precision.py: a table of the stages that a lower precision changes."""

import pytest
import torch
from PIL import Image

from frozenseg.inference.result import Result
from frozenseg.vocabulary import Vocabulary
from tools.measure_precision import main, panoptic_labels, relative_difference, share_equal


def test_a_table_of_all_stages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--precisions", "bfloat16", "--scenes", "1", "--device", "cpu"]) == 0
    title, _, _, _, *rows = capsys.readouterr().out.strip().splitlines()
    assert title == "bfloat16 against float32, 1 images"
    values = {row.split("  ")[0]: float(row.split()[-1]) for row in rows}
    assert list(values)[:3] == ["CLIP's last feature map", "SAM embedding", "mask logits"]
    assert all(0 < values[name] < 0.1 for name in list(values)[:3])
    assert 0.99 < values["inside or outside of masks"] < 1
    assert 0.5 < values["panoptic labels"] <= 1


def test_an_image_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.png", "--device", "cpu"]) == 2
    assert "nowhere.png" in capsys.readouterr().err


def test_measures_by_hand() -> None:
    expected = torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert relative_difference(expected, expected + 0.1) == pytest.approx(0.1 / expected.std().item())
    assert share_equal(torch.tensor([1, 2, 3, 4]), torch.tensor([1, 2, 0, 0])) == 0.5


def test_labels_of_panoptic_segments() -> None:
    segments = [{"id": 1, "label_id": 2, "category_id": 2}, {"id": 7, "label_id": 0, "category_id": 0}]
    vocabulary = Vocabulary.parse("cat; dog; sky")
    ids = torch.tensor([[1, 7, 0]], dtype=torch.int32)
    result = Result(Image.new("RGB", (3, 1)), vocabulary, panoptic=(ids, segments))
    assert panoptic_labels(result).tolist() == [[2, 0, -1]]
