"""Preview: fixed images of an evaluation data set, drawn during training."""

import logging
from pathlib import Path

import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.engine.evaluation.preview import Preview
from frozenseg.engine.evaluation.runner import build_benchmarks
from frozenseg.modeling.build import build_model
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import tiny_config


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CfgNode:
    for split in ("train", "val_seen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, 5, 64, 64), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    options = ("DATASETS.TEST", ["toyworld_val_seen"], "INPUT.MIN_SIZE_TEST", 64, "OUTPUT_DIR", str(tmp_path / "run"))
    return tiny_config("FCCLIP", *options)


def test_drawing_predictions_keeps_the_model(toys: CfgNode, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    training = resolve_for_run(toys, "toyworld_train")
    vocabulary = training.vocabulary
    [benchmark] = build_benchmarks(toys, training)
    torch.manual_seed(0)
    model = build_model(toys, vocabulary).train()
    before = (model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings)
    draw = Preview(model, benchmark, count=3)
    (tmp_path / "toyworld/val_seen/images/000000000003.jpg").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING):
        first = draw()
    assert [
        message
        for message in caplog.messages
        if "Skipped in the preview: " in message and "000000000003.jpg" in message
    ]
    assert model.training
    assert before == (model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings)
    assert draw().tobytes() == first.tobytes()
    model.sem_seg_head.predictor.mask_embed.layers[2].bias.data += torch.linspace(-9, 9, 64)
    other = draw()
    assert other.size[0] == first.size[0]
    assert other.tobytes() != first.tobytes()
