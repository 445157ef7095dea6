"""Benchmarks: vocabulary and settings of each, the shuffled control, missing files."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from frozenseg.config import CfgNode
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata
from frozenseg.engine.evaluation import runner as module
from frozenseg.engine.evaluation.runner import Benchmark, build_benchmarks, evaluate, flat_results
from frozenseg.errors import ConfigError, DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.evaluator import Seconds
from frozenseg.vocabulary import Vocabulary
from tests.engine.one_layer import OneLayer

VOCABULARY = Vocabulary.from_strings(["cat", "dog", "sky"], isthing=[True, True, False])
METADATA = Metadata(
    name="pets",
    json_file="missing.json",
    prepare_command="run prepare_pets",
    stuff_classes=["cat", "dog", "sky"],
    thing_dataset_id_to_contiguous_id={1: 0, 2: 1},
)
TRAINING = ResolvedDataset("zoo", Metadata(name="zoo"), Vocabulary.from_strings(["cat", "sky"]), list)


@pytest.fixture
def evaluator_arguments(monkeypatch: pytest.MonkeyPatch, cfg: CfgNode) -> list[tuple[Any, ...]]:
    """Stand-ins for data and evaluation; returns the arguments that evaluators are built from."""
    calls: list[tuple[Any, ...]] = []
    dataset = ResolvedDataset("pets", METADATA, VOCABULARY, list)
    monkeypatch.setattr(module, "resolve_for_run", lambda cfg, name: dataset)
    opened = lambda cfg, dataset, outputs: SimpleNamespace(opened=dataset.name)  # noqa: E731
    monkeypatch.setattr(module, "EvalDataset", SimpleNamespace(open=opened))
    monkeypatch.setattr(module, "check_samples", lambda opened, skip_bad: None)
    monkeypatch.setattr(module, "build_evaluators", lambda *arguments: calls.append(arguments) or "evaluators")
    cfg.DATASETS.TRAIN = ["zoo"]
    cfg.DATASETS.TEST = ["pets"]
    cfg.MODEL.MASK_FORMER.TEST.INSTANCE_ON = False
    return calls


def test_seen_classes_are_those_of_training(cfg: CfgNode, evaluator_arguments: list[tuple[Any, ...]]) -> None:
    (benchmark,) = build_benchmarks(cfg, TRAINING)
    opened: Any = SimpleNamespace(opened="pets")
    evaluators: Any = "evaluators"
    expected = Benchmark("pets", cfg, VOCABULARY, (True, False, True), opened, evaluators, METADATA, benchmark.classes)
    assert benchmark[:-1] == expected[:-1]
    assert benchmark.classes.subsets["S"].tolist() == [True, False, True]
    metadata, output_kinds, flags = evaluator_arguments[0]
    assert metadata.name == "pets"
    assert output_kinds == {"semantic", "panoptic"}
    assert flags == (True, False, True)


def test_the_control_changes_only_the_vocabulary(cfg: CfgNode, evaluator_arguments: list[tuple[Any, ...]]) -> None:
    cfg.TEST.SHUFFLE_CLASS_NAMES = True
    (benchmark,) = build_benchmarks(cfg, TRAINING)
    assert benchmark.vocabulary.names == ("sky", "cat", "dog")  # sky is the only stuff class
    assert benchmark.seen == (True, True, False)  # the flags follow the names
    assert evaluator_arguments[0][2] == (True, False, True)
    assert benchmark.classes.subsets["S"].tolist() == [True, False, True]


def test_missing_files_are_reported_first(cfg: CfgNode, evaluator_arguments: list[tuple[Any, ...]]) -> None:
    test = cfg.MODEL.MASK_FORMER.TEST
    test.INSTANCE_ON = True
    with pytest.raises(DataError, match="pets: the instance annotations missing.json do not exist; run prepare_pets"):
        build_benchmarks(cfg, TRAINING)
    test.PANOPTIC_ON = False
    with pytest.raises(ConfigError, match="pets has classes that are not things, .* set it to True for AP of things"):
        build_benchmarks(cfg, TRAINING)
    test.SEMANTIC_ON = test.INSTANCE_ON = False
    test.RECALL_ON = True
    build_benchmarks(cfg, TRAINING)
    assert evaluator_arguments[-1][1] == {"recall"}
    test.RECALL_ON = False
    with pytest.raises(ConfigError, match="Nothing to evaluate"):
        build_benchmarks(cfg, TRAINING)


def test_the_settings_of_the_model_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cfg: CfgNode) -> None:
    model, shown = OneLayer(), []
    before = model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings
    cfg.MODEL.MASK_FORMER.TEST.INSTANCE_ON = False
    cfg.MODEL.FROZEN_SEG.GEOMETRIC_ENSEMBLE_BETA = 0.5

    def inference(model: OneLayer, loader: str, evaluators: Any, *_: Any) -> tuple[Any, Seconds]:
        shown.append((model.vocabulary, model.seen, loader))
        shown.append((model.postprocessor.instance, model.ensemble_settings.weights.unseen))
        return {"sem_seg": {"mIoU": 12.5, "S_mIoU": float("nan")}}, Seconds()

    monkeypatch.setattr(module, "inference_on_dataset", inference)
    evaluators: Any = SimpleNamespace(
        evaluators=[], per_class={"IoU": {"cat": 25.0}}, ground_truth_kinds=(), reset=lambda: shown.append("reset")
    )
    flags = (True, True, False)
    dataset: Any = SimpleNamespace(batches=lambda read_ground_truth, done: "batches")
    classes = ClassTable.from_metadata(METADATA, flags)
    benchmark = Benchmark("pets", cfg, VOCABULARY, flags, dataset, evaluators, METADATA, classes)
    results = evaluate(model, [benchmark], tmp_path, weights="some.pth")
    assert shown == [(VOCABULARY, flags, "batches"), (False, 0.5), "reset"]
    assert (model.vocabulary, model.seen, model.postprocessor, model.ensemble_settings) == before
    assert flat_results(results)["pets/sem_seg/mIoU"] == 12.5
    written = json.loads((tmp_path / "inference" / "results.json").read_text())
    assert written["pets"]["sem_seg"] == {"mIoU": 12.5, "S_mIoU": None}
    assert written["pets"]["per_class"] == {"IoU": {"cat": 25.0}}
    about = written["pets"]["about"]
    assert about["weights"]["file"] == "some.pth"
    assert about["weights"]["frozen"] == {"frozen": "0123"}
    assert about["weights"]["precision"] == {}
    assert about["config"]["MODEL"]["FROZEN_SEG"]["GEOMETRIC_ENSEMBLE_BETA"] == 0.5
    assert about["vocabulary"] == {"cat": ["cat"], "dog": ["dog"], "sky": ["sky"]}
    assert about["seen"]["seen classes"] == 2
    assert about["seconds"] == {"data": 0.0, "model": 0.0, "metric": 0.0}
    assert (tmp_path / "inference" / "pets_per_class.csv").read_text().splitlines()[1] == "cat,thing,yes,25.0"
    assert (tmp_path / "inference" / "report.html").is_file()


def test_without_benchmarks_nothing_is_written(tmp_path: Path) -> None:
    assert evaluate(OneLayer(), [], tmp_path) == {}
    assert list(tmp_path.iterdir()) == []
