"""Every benchmark in miniature, from the raw download to its results: prepared, inspected, segmented, scored."""

import importlib
import math
from pathlib import Path

import pytest

from frozenseg.config import CfgNode, find_config, with_protocol
from frozenseg.data import MetadataCatalog, resolve, vocabulary_of
from frozenseg.data.checks.inspect import inspect_dataset
from frozenseg.data.prepare.converter import converters, get_converter
from frozenseg.data.prepare.runner import prepare
from frozenseg.engine.evaluation.published_scores import published_results
from frozenseg.engine.evaluation.runner import build_benchmarks, evaluate
from frozenseg.modeling.build import build_model
from frozenseg.vocabulary import templates
from tests.tiny import tiny_config

COCO = "openvocab_coco_2017_train_panoptic_with_sem_seg"
SMALL = ("INPUT.MIN_SIZE_TEST", 32, "INPUT.MAX_SIZE_TEST", 64, "DATALOADER.NUM_WORKERS", 0)
CITYSCAPES = ("openvocab_cityscapes_fine_panoptic_val", "cityscapes_fine_sem_seg_val")  # with all kinds of output
FIRST = {"panoptic_seg": "PQ", "sem_seg": "mIoU", "segm": "AP", "recall_seg": "Recall@IoU=0.50"}


def config_of(name: str, output: Path) -> CfgNode:
    """Return the config of a tiny model under the protocol of a benchmark, with small images."""
    run = "OUTPUT_DIR", str(output), "DATASETS.TRAIN", [COCO], "DATASETS.TEST", [name], "MODEL.DEVICE", "cpu"
    cfg = tiny_config("FCCLIP", *run, *SMALL, "MODEL.MASK_FORMER.TEST.RECALL_ON", name in CITYSCAPES)
    return with_protocol(cfg, find_config(f"eval/{MetadataCatalog.get(name).protocol}"))


@pytest.mark.parametrize("converter", converters().values(), ids=converters())
def test_from_the_download_to_the_results(converter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    monkeypatch.setattr("frozenseg.modeling.clip.text_classifier.TEMPLATES", templates.TEMPLATES[:1])  # fewer prompts
    importlib.import_module(f"tests.miniatures.{converter.name}").make(tmp_path)
    prepare(converter, tmp_path)
    for name in converter.datasets:
        report, sheet = inspect_dataset(name, tmp_path / "sheets")
        assert report.problems == []
        assert report.pixels.sum() > 0
        assert sheet.stat().st_size > 1000
    model = None
    for name in (name for name in converter.datasets if "val" in name):
        cfg = config_of(name, tmp_path / "output")
        model = model or build_model(cfg, vocabulary_of(COCO))
        benchmarks = build_benchmarks(cfg, resolve(COCO))
        results = evaluate(model, benchmarks, tmp_path / "output")[name]
        tasks = set(expected_tasks(cfg, name))
        assert set(results) == tasks
        for task in tasks:
            assert 0 <= results[task][FIRST[task]] <= 100 or math.isnan(results[task][FIRST[task]])
        published = [row for row in published_results() if row.benchmark == name]
        assert [row for row in published if row.metric not in results[row.task]] == []
        assert ("iIoU_sup" in results.get("sem_seg", {})) == (name in CITYSCAPES)


def expected_tasks(cfg: CfgNode, name: str) -> list[str]:
    """Return the tasks of the outputs that the protocol requests."""
    test = cfg.MODEL.MASK_FORMER.TEST
    switches = {"panoptic_seg": test.PANOPTIC_ON, "sem_seg": test.SEMANTIC_ON, "segm": test.INSTANCE_ON}
    switches["recall_seg"] = test.RECALL_ON
    return [task for task, on in switches.items() if on]


def test_several_benchmarks_in_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    monkeypatch.setattr("frozenseg.modeling.clip.text_classifier.TEMPLATES", templates.TEMPLATES[:1])
    names = ["bdd10k_40_panoptic_val", "openvocab_pascal21_sem_seg_val", "bdd10k_val_sem_seg"]
    for name in ("bdd100k", "pascal_voc"):
        importlib.import_module(f"tests.miniatures.{name}").make(tmp_path)
        prepare(get_converter(name), tmp_path)
    settings = ["OUTPUT_DIR", str(tmp_path / "output"), "DATASETS.TRAIN", [COCO], "DATASETS.TEST", names]
    cfg = tiny_config("FCCLIP", *settings, "DATASETS.SEEN_RULE", "published", "MODEL.DEVICE", "cpu", *SMALL)
    model = build_model(cfg, vocabulary_of(COCO))
    with caplog.at_level("INFO"):
        benchmarks = build_benchmarks(cfg, resolve(COCO))
        assert [sum(benchmark.seen) for benchmark in benchmarks] == [15, 21, 13]
        thresholds = [benchmark.cfg.MODEL.MASK_FORMER.TEST.OBJECT_MASK_THRESHOLD for benchmark in benchmarks]
        assert thresholds == [0.4, 0.0, 0.0]
        results = evaluate(model, benchmarks, tmp_path / "output", compare=True)
    assert {name: list(tasks) for name, tasks in results.items()} == {
        names[0]: ["panoptic_seg"],
        names[1]: ["sem_seg"],
        names[2]: ["sem_seg"],
    }
    assert "· FC-CLIP ConvNeXt-L, published (log)" in caplog.text
    assert "15 seen and 25 unseen" in caplog.text
