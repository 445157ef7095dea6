"""The timing of the SAM proposals: masks are compared and numbers are written, in seconds with a small SAM."""

import json

import numpy as np
import pytest

from lab.proposal_timing.comparison import matched_ious
from tools.benchmark_proposals import main

SMALL = ["--model", "vit_toy", "--size", "64", "96", "--points", "4"]


def test_masks_agree_and_times_are_written(tmp_path, capsys):
    assert main([*SMALL, "--bf16", "--output", str(tmp_path / "speed.json")]) == 0
    printed, written = capsys.readouterr().out, json.loads((tmp_path / "speed.json").read_text())
    exact, rounded = written["rows"]
    assert (exact["precision"], rounded["precision"]) == ("float32", "bfloat16")
    assert exact["masks_package"] == exact["masks_ours"] > 0
    assert (exact["equal"], exact["least_iou"]) == (1.0, pytest.approx(1.0, abs=1e-3))
    assert exact["ratio"] == pytest.approx(exact["package"] / exact["ours"])
    assert "vit_toy, 4×4 points, 64×96" in printed
    assert "least iou" in printed


def test_masks_without_a_match_have_iou_0():
    masks = np.zeros((2, 2, 4), dtype=bool)
    masks[0, 0], masks[1, 1, :2] = True, True
    assert matched_ious(masks, masks[::-1]).tolist() == [1.0, 1.0]
    assert sorted(matched_ious(masks, masks[1:])) == [0.0, 1.0]
    assert matched_ious(masks & False, masks[:1] & False).tolist() == [1.0, 0.0]
    assert matched_ious(masks, masks[:0]).tolist() == [0.0, 0.0]


def test_a_missing_weight_file_is_reported(capsys):
    assert main([*SMALL, "--weights", "nowhere.pth"]) == 2
    assert "nowhere.pth" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--points", "0"], ["--size", "8", "8"], ["--passing", "0"]])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(SystemExit):
        main(wrong)


def test_an_unknown_model_is_refused(capsys):
    assert main(["--model", "vit_x"]) == 2
    assert "Unknown SAM 'vit_x'" in capsys.readouterr().err
