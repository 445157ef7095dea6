"""Outputs that cannot be written: every tool refuses them in one sentence, before models and data are loaded."""

import importlib
from pathlib import Path

import pytest

from frozenseg.modeling import build
from tests.tiny import ROOT

TINY = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
TRAIN = ["--config-file", TINY, "OUTPUT_DIR", "{out}"]
WEIGHTS = ["MODEL.WEIGHTS", TINY]  # a file that exists; it is not read
CASES: dict[str, tuple[str, list[str], str]] = {
    "train": ("tools.train_net", TRAIN, "OUTPUT_DIR"),
    "evaluate": ("tools.train_net", ["--eval-only", *TRAIN, *WEIGHTS], "OUTPUT_DIR"),
    "plain": ("tools.plain_train_net", TRAIN, "OUTPUT_DIR"),
    "draw": ("tools.draw_predictions", ["--config-file", TINY, "--output", "{out}", *WEIGHTS], "--output"),
    "demo": ("tools.demo", ["--output", "{out}"], "--output"),
    "convert": (
        "tools.convert_checkpoint",
        ["--config-file", TINY, "--input", "gone.pth", "--output", "{out}/slim.safetensors"],
        "--output",
    ),
    "masks": ("tools.cache_sam_masks", ["toyworld_val_seen", "--config-file", TINY, "--cache", "{out}"], "--cache"),
    "toyworld": ("tools.make_toyworld", ["--root", "{out}"], "--root"),
    "prepare": ("datasets.prepare", ["ade20k", "--root", "{out}"], "--root"),
    "validate": ("tools.validate_data", ["gone", "--output", "{out}"], "--output"),
    "analyze": ("tools.analyze_model", ["--config-file", TINY, "--json", "{out}/numbers.json"], "--json"),
    "score": (
        "tools.evaluate_predictions",
        ["--task", "instance", "--gt-json", "gone", "--pred-json", "gone", "--output", "{out}/scores.json"],
        "--output",
    ),
    "baselines": ("tools.toyworld_baselines", ["--output", "{out}"], "--output"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_in_the_way_is_named_before_the_work(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "build_model", lambda *_: pytest.fail("the model is built before the check"))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    module, arguments, name = CASES[case]
    (tmp_path / "taken").write_text("", encoding="utf-8")
    out = str(tmp_path / "taken/out")
    assert importlib.import_module(module).main([argument.format(out=out) for argument in arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"error: {name} {out}")
    assert f"cannot be written ({tmp_path / 'taken'} is a file): choose another" in error
