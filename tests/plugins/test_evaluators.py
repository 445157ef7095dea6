"""Detectron2's evaluators and ours: the same scores for the same outputs, right and wrong ones."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.catalog import MetadataCatalog
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.engine.evaluation.runner import build_benchmarks
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around
from frozenseg.toyworld.export import Recipe, export_split

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")
    from detectron2.evaluation import (
        COCOEvaluator,
        COCOPanopticEvaluator,
        DatasetEvaluators,
        SemSegEvaluator,
        inference_on_dataset,
    )

pytestmark = pytest.mark.filterwarnings("ignore")  # Detectron2's own
NAMES = ("toyworld_val_seen", "toyworld_val_unseen")
PERCENT = 1e-4


@pytest.fixture(scope="module")
def toy_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than elsewhere, so that the figures have something to differ in."""
    root = tmp_path_factory.mktemp("datasets")
    for split, count in {"train": 2, "val_seen": 8, "val_unseen": 8}.items():
        export_split(root / "toyworld" / split, Recipe(split, 0, count, 64, 64), quiet=True)
    return root


class Guesser(torch.nn.Module):
    """Knows the truth, moves every segment a little, and takes some for another class.

    Args:
        plugin: gives outputs Detectron2's form.
        name: of the data set.
    """

    def __init__(self, plugin: Any, name: str) -> None:
        super().__init__()
        self.plugin, self.metadata = plugin, MetadataCatalog.get(name)

    def forward(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return all outputs of our model, in Detectron2's form."""
        return [self.plugin._to_detectron2(self.guess(element)) for element in batch]

    def guess(self, element: dict[str, Any]) -> dict[str, Any]:
        """Return all outputs of our model."""
        rng = np.random.default_rng(len(element["segments_info"]))
        with Image.open(element["pan_seg_file_name"]) as file:
            colours = np.asarray(file.convert("RGB"), dtype=np.int64)
        truth = np.roll(colours @ [1, 256, 256**2], rng.integers(0, 3, size=2), axis=(0, 1))
        count, things = len(self.metadata.vocabulary), set(self.metadata.thing_contiguous_ids.values())
        ids, segments = torch.zeros(truth.shape, dtype=torch.int32), []
        scores = torch.zeros(count, *truth.shape)
        for number, segment in enumerate(element["segments_info"], start=1):
            label = segment["category_id"] if rng.random() < 0.8 else int(rng.integers(count))
            mask = torch.from_numpy(truth == segment["id"])
            ids[mask], scores[label, mask] = number, 1.0
            segments.append({"id": number, "isthing": label in things, "category_id": label})
        found = [segment for segment in segments if segment["isthing"]]
        masks = torch.stack([ids == segment["id"] for segment in found]) if found else torch.zeros(0, *truth.shape) > 0
        instances = Instances(
            truth.shape,
            pred_masks=masks,
            pred_boxes=boxes_around(masks),
            scores=torch.from_numpy(rng.random(len(found)).astype(np.float32)),
            pred_classes=torch.tensor([segment["category_id"] for segment in found], dtype=torch.int64),
        )
        return {"sem_seg": scores, "panoptic_seg": (ids, segments), "instances": instances}


@pytest.fixture(params=NAMES)
def scored(request: pytest.FixtureRequest, plugin, cfg, tmp_path: Path):
    """Return what Detectron2's and our evaluators say of the same outputs."""

    def score(theirs: list[Any]) -> tuple[Any, Any]:
        own = plugin.frozenseg_config(cfg).clone()
        own.defrost()
        own.DATASETS.TEST = [request.param]
        [benchmark] = build_benchmarks(own, resolve_for_run(own, own.DATASETS.TRAIN[0]))
        model = Guesser(plugin, request.param)
        results = []
        for evaluators in (DatasetEvaluators([make(request.param, tmp_path) for make in theirs]), benchmark.evaluators):
            results.append(inference_on_dataset(model, benchmark.dataset.batches(), evaluators))
        return tuple(results)

    return score


def test_panoptic_quality(scored) -> None:
    pytest.importorskip("panopticapi", reason="panopticapi is not installed; Detectron2's evaluator needs it")
    theirs, ours = scored([lambda name, folder: COCOPanopticEvaluator(name, str(folder))])
    expected = theirs["panoptic_seg"]
    assert 20 < expected["PQ"] < 90
    for metric in ("PQ", "SQ", "RQ", "PQ_th", "SQ_th", "RQ_th", "PQ_st", "SQ_st", "RQ_st"):
        assert ours["panoptic_seg"][metric] == pytest.approx(expected[metric], abs=PERCENT), metric


def test_mean_iou(scored) -> None:
    theirs, ours = scored([lambda name, folder: SemSegEvaluator(name, output_dir=str(folder))])
    expected = theirs["sem_seg"]
    assert 20 < expected["mIoU"] < 90
    for metric in ("mIoU", "fwIoU", "mACC", "pACC"):
        assert ours["sem_seg"][metric] == pytest.approx(expected[metric], abs=PERCENT), metric


def test_average_precision(scored) -> None:
    theirs, ours = scored([lambda name, folder: COCOEvaluator(name, tasks=("segm",), output_dir=str(folder))])
    expected = theirs["segm"]
    assert 5 < expected["AP"] < 90
    for metric in ("AP", "AP50", "AP75", "APs", "APm", "APl"):
        assert ours["segm"][metric] == pytest.approx(expected[metric], abs=PERCENT, nan_ok=True), metric
