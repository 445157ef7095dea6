"""Evaluation by Detectron2's trainer: the same keys and the same scores as in our engine."""

import warnings
from pathlib import Path

import pytest
import torch

from frozenseg.data.catalog import MetadataCatalog
from frozenseg.data.run_vocabulary import build_vocabulary, resolve_for_run
from frozenseg.engine.evaluation.runner import CONTROL_SEED, build_benchmarks, evaluate
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.plugins.detectron2_config import copy_frozenseg_keys

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")
    from detectron2.evaluation import DatasetEvaluator

pytestmark = pytest.mark.filterwarnings("ignore")  # Detectron2's own
SEEN, UNSEEN = "toyworld_val_seen", "toyworld_val_unseen"


class Watcher(DatasetEvaluator):
    """Keeps what the model is asked for while an evaluation runs."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.outputs = model, []

    def process(self, inputs, outputs) -> None:
        self.words, self.postprocessor = self.model.vocabulary, self.model.postprocessor
        self.outputs += outputs

    def evaluate(self) -> dict:
        return {"watched": {"images": len(self.outputs)}}


def with_keys(cfg, *opts):
    """Return a copy with other values."""
    changed = cfg.clone()
    changed.merge_from_list(list(opts))
    return changed


SEMANTIC_ONLY = ("MODEL.MASK_FORMER.TEST.PANOPTIC_ON", False, "MODEL.MASK_FORMER.TEST.INSTANCE_ON", False)
VIEWS = (*SEMANTIC_ONLY, "TEST.AUG.ENABLED", True, "TEST.AUG.MIN_SIZES", [32, 64])


@pytest.mark.parametrize("opts", [("TEST.SHUFFLE_CLASS_NAMES", True), VIEWS], ids=["control", "views"])
def test_keys_of_the_evaluation_act_as_in_our_engine(plugin, cfg, opts, tmp_path: Path) -> None:
    cfg = with_keys(cfg, *opts)
    model = plugin.FrozenSegTrainer.build_model(cfg)
    own = plugin.frozenseg_config(cfg)
    ours = evaluate(model, build_benchmarks(own, resolve_for_run(own, own.DATASETS.TRAIN[0])), tmp_path)
    theirs = plugin.FrozenSegTrainer.test(cfg, model)
    assert theirs.keys() == ours.keys()
    for name, tasks in ours.items():
        assert theirs[name].keys() == tasks.keys()
        for task in tasks:
            assert theirs[name][task] == pytest.approx(tasks[task], abs=1e-4, nan_ok=True)


def test_seen_classes_are_those_of_the_weights(plugin, cfg, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cfg = with_keys(cfg, "DATASETS.TEST", (UNSEEN,), "MODEL.WEIGHTS", str(tmp_path / "model.pth"))
    model = plugin.FrozenSegTrainer.build_model(cfg)
    torch.save(checkpoint_content(model, model.frozen_hashes(), ""), cfg.MODEL.WEIGHTS)
    expected = plugin.FrozenSegTrainer.test(cfg, model)
    other = with_keys(cfg, "DATASETS.TRAIN", (UNSEEN,))
    model = plugin._trained_model(other, resume=False)
    assert len(model.trained_on.vocabulary) == 20
    results = plugin.FrozenSegTrainer.test(other, model)
    assert "U_PQ" in results["panoptic_seg"]
    for task in expected:
        assert results[task] == pytest.approx(expected[task], abs=1e-4, nan_ok=True)
    assert any("those in the weights count as seen" in message for message in caplog.messages)


def test_the_control_asks_for_wrong_words(plugin, cfg) -> None:
    cfg = with_keys(cfg, "TEST.SHUFFLE_CLASS_NAMES", True, "DATASETS.TEST", (SEEN,))
    model = plugin.FrozenSegTrainer.build_model(cfg)
    right = build_vocabulary(plugin.frozenseg_config(cfg), SEEN)
    wrong = right.shuffled(CONTROL_SEED)
    assert model.vocabulary.classes == wrong.classes != right.classes
    model.set_vocabulary(right)
    watcher = Watcher(model)
    assert plugin.FrozenSegTrainer.test(cfg, model, watcher) == {"watched": {"images": 2}}  # one needs no list
    assert watcher.words.classes == wrong.classes
    assert model.vocabulary is right


def test_every_view_of_a_picture_is_looked_at(plugin, cfg) -> None:
    cfg = with_keys(cfg, *VIEWS, "DATASETS.TEST", (SEEN,))
    model, calls = plugin.FrozenSegTrainer.build_model(cfg), []
    model.register_forward_pre_hook(lambda module, inputs: calls.append(tuple(inputs[0][0]["image"].shape[1:])))
    plugin.FrozenSegTrainer.test(cfg, model, Watcher(model))
    assert sorted(calls) == sorted(2 * 2 * [(32, 32), (64, 64)])  # images, mirrored or not


def test_several_benchmarks_are_run_by_their_protocols(plugin, cfg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(MetadataCatalog.get(UNSEEN)), "protocol", "ade20k_semantic")
    model = plugin.FrozenSegTrainer.build_model(cfg)
    before = model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings, model.training
    watchers = [Watcher(model), Watcher(model)]
    results = plugin.FrozenSegTrainer.test(cfg, model, watchers)
    assert list(results) == [SEEN, UNSEEN]
    assert [watcher.postprocessor.panoptic for watcher in watchers] == [True, False]
    assert "panoptic_seg" not in watchers[1].outputs[0]
    assert (model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings, model.training) == before

    from_command_line = plugin.frozenseg_config(cfg).clone()
    from_command_line.defrost()
    from_command_line.merge_from_list(["MODEL.MASK_FORMER.TEST.PANOPTIC_ON", "True", "INPUT.MIN_SIZE_TEST", "64"])
    copy_frozenseg_keys(cfg, from_command_line)
    plugin.FrozenSegTrainer.test(cfg, model, watchers)
    assert watchers[1].postprocessor.panoptic


def test_the_model_keeps_its_words_when_an_evaluation_fails(plugin, cfg) -> None:
    class Failing(Watcher):
        def evaluate(self) -> dict:
            raise RuntimeError("the disk is full")

    model = plugin.FrozenSegTrainer.build_model(cfg)
    words = build_vocabulary(plugin.frozenseg_config(cfg), "toyworld_train")
    model.set_vocabulary(words)
    with pytest.raises(RuntimeError, match="the disk is full"):
        plugin.FrozenSegTrainer.test(cfg, model, [Failing(model), Failing(model)])
    assert model.vocabulary is words
    with pytest.raises(ValueError, match="shorter"):
        plugin.FrozenSegTrainer.test(cfg, model, [Watcher(model)])
