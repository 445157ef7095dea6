"""The published sizes, the tables, the numbers in a file, and wrong arguments."""

import json
from pathlib import Path
from typing import Any

import pytest

from frozenseg.engine.peak_memory import InferenceMemory
from tests.tiny import ROOT
from tools.analyze_model import main, parse_arguments

AS_RELEASED = ["MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS", "3"]
TINY = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")


def analyze(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json", str(tmp_path / "numbers.json")]) == 0
    return json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("config", "trainable"),
    [
        ("frozenseg/convnext_large", 26_497_153),
        ("frozenseg/r50x64", 27_792_001),
        ("fcclip/convnext_large", 20_721_601),
        ("fcclip/r50", 21_033_409),
        ("fcclip/r101", 20_901_313),
    ],
)
def test_published_sizes(config: str, trainable: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = analyze(tmp_path, "--config-file", str(ROOT / f"configs/{config}.yaml"), *AS_RELEASED)["parameters"]
    assert numbers["trainable"] == trainable == sum(box["trainable"] for box in numbers["boxes"].values())
    assert numbers["frozen"] - numbers["frozen_without_text"] == numbers["boxes"]["CLIP text"]["frozen"]
    assert f"{trainable:,}" in capsys.readouterr().out


def test_flops_of_several_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--size", "64x64", "128x64"]
    counted = analyze(tmp_path, "--config-file", TINY, "--flops", *sizes, "MODEL.SAM_WEIGHTS", "gone.pth")["flops"]
    assert [row["size"] for row in counted] == [[64, 64], [128, 64]]
    small, large = (row["by_box"] for row in counted)
    assert large["CLIP image"] == 2 * small["CLIP image"]
    assert large["SAM encoder"] > small["SAM encoder"] - 1  # its own size, whatever the picture's
    assert [row["total"] for row in counted] == [sum(row["by_box"].values()) for row in counted]
    printed = capsys.readouterr().out
    assert "GFLOPs at 128x64" in printed
    assert "grid_sampler_2d (deformable attention)" in printed
    assert "not counted" in printed


def test_memory_of_each_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def measured(config: Path, options: list[str], size: tuple[int, int], vocabulary: object) -> InferenceMemory:
        assert "random" in options
        assert len(vocabulary) == 7
        asked.append(size)
        return InferenceMemory("cpu", 300 * 2**20, 20 * 2**20)

    monkeypatch.setattr("frozenseg.engine.peak_memory.measure_inference_memory", measured)
    arguments = ["--config-file", TINY, "--memory", "--classes", "7", "--size", "64x64"]
    assert analyze(tmp_path, *arguments)["memory"] == [
        {"size": [64, 64], "device": "cpu", "model": 300 * 2**20, "above": 20 * 2**20}
    ]
    assert asked == [(64, 64)]
    assert "memory at 64x64 on cpu" in capsys.readouterr().out


def test_training_memory_is_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crop = ["INPUT.IMAGE_SIZE", "64", "SOLVER.IMS_PER_BATCH", "2", "MODEL.DEVICE", "cpu"]
    memory = analyze(tmp_path, "--config-file", TINY, "--training-memory", *crop)["training_memory"]
    assert memory["optimizer_states"] == 2 * memory["gradients"] < 2 * memory["weights"]
    assert memory["activations"] > 2 * 3 * 64 * 64 * 4
    assert "training memory at 64x64" in capsys.readouterr().out


def test_keys_may_follow_sizes() -> None:
    arguments = parse_arguments(["--config-file", TINY, "--size", "64x64", "32x32", *AS_RELEASED])
    assert (arguments.size, arguments.options) == (["64x64", "32x32"], AS_RELEASED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "640"], "--size '640' is not a size: give height x width"),
        (["--size", "0x32"], "--size '0x32' is not a size"),
        (["--classes", "0"], "--classes is 0: at least 1 class is needed"),
        (["MODEL.SAM_NAME", "vit_x"], "Unknown SAM 'vit_x'"),
        (["--json", "README.md/numbers.json"], "cannot be written"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config-file", TINY, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_help_says_that_weights_are_random(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    assert "all weights are random" in capsys.readouterr().out
