"""Equality of the results of one and of several processes, with every metric."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frozenseg import distributed
from frozenseg.config import find_config, with_protocol
from frozenseg.data import MetadataCatalog, resolve
from frozenseg.data.loader import EvalDataset
from frozenseg.data.prepare.converter import get_converter
from frozenseg.data.prepare.runner import prepare
from frozenseg.engine.evaluation.runner import requested_outputs
from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.evaluator import inference_on_dataset
from frozenseg.evaluation.report import results_table
from frozenseg.structures.instances import Instances
from frozenseg.structures.label_files import read_labels, read_segment_ids
from frozenseg.structures.masks import decode_segmentation
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import tiny_config

DATA = {
    "cityscapes": "openvocab_cityscapes_fine_panoptic_val",
    "lvis": "openvocab_lvis_v1_val",
    "ade20k": "openvocab_ade20k_panoptic_train",
}


class Shifted(nn.Module):
    """Stand-in for a model: predicts the ground truth, shifted by one pixel to the right."""

    def forward(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return all outputs for which there is ground truth."""
        return [self._predict(record) for record in batch]

    def _predict(self, record: dict[str, Any]) -> dict[str, Any]:
        if "pan_seg_file_name" not in record:
            size = record["height"], record["width"]
            objects = [
                (decode_segmentation(item["segmentation"], *size), item["category_id"])
                for item in record["annotations"]
            ]
            return {"instances": instances_of(objects, size)}
        ids = np.roll(read_segment_ids(record["pan_seg_file_name"]), 1, axis=1)
        labels = np.roll(read_labels(record["sem_seg_file_name"]), 1, axis=1)
        segments = [segment for segment in record["segments_info"] if (ids == segment["id"]).any()]
        ids[~np.isin(ids, [segment["id"] for segment in segments])] = 0
        objects = [(ids == segment["id"], segment["category_id"]) for segment in segments if segment["isthing"]]
        return {
            "panoptic_seg": (torch.from_numpy(ids), segments),
            "sem_seg": torch.from_numpy(np.where(labels == 255, 0, labels).astype(np.int64)),
            "instances": instances_of(objects, ids.shape),
            "recall_seg": torch.from_numpy(np.stack([ids == segment["id"] for segment in segments])),
        }


def instances_of(objects: list[tuple[np.ndarray, int]], size: Any) -> Instances:
    """Return masks with descending scores."""
    masks = np.array([np.roll(mask, 1, axis=1) for mask, _ in objects], dtype=bool).reshape(-1, *size)
    scores = torch.linspace(0.9, 0.3, len(objects))
    labels = torch.tensor([label for _, label in objects], dtype=torch.int64)
    return Instances(tuple(size), pred_masks=torch.from_numpy(masks), scores=scores, pred_classes=labels)


def evaluate_shifted(name: str, output: str) -> int:
    """Score the shifted ground truth in this process and its group."""
    cfg = tiny_config("FCCLIP", "OUTPUT_DIR", output, "DATASETS.TEST", [name], "DATALOADER.NUM_WORKERS", 0)
    metadata = MetadataCatalog.get(name)
    if metadata.protocol:
        cfg = with_protocol(cfg, find_config(f"eval/{metadata.protocol}"))
    output_kinds = {"instance"} if "lvis" in name else {"panoptic", "semantic", "instance", "recall"}
    evaluators = build_evaluators(metadata, output_kinds, [index % 2 == 0 for index in range(len(metadata.vocabulary))])
    results, _ = inference_on_dataset(
        Shifted(), EvalDataset.open(cfg, resolve(name), requested_outputs(cfg)).batches(), evaluators
    )
    path = Path(output) / f"rank{distributed.rank()}_of_{distributed.world_size()}.json"
    path.write_text(json.dumps([results, evaluators.per_class]))
    return 0


@pytest.mark.parametrize("converter", DATA)
def test_two_processes_have_the_results_of_one(converter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    importlib.import_module(f"tests.miniatures.{converter}").make(tmp_path)
    prepare(get_converter(converter), tmp_path)
    arguments = (DATA[converter], str(tmp_path))
    evaluate_shifted(*arguments)
    assert launch(evaluate_shifted, arguments, Processes(per_machine=2)) == 0
    single, first, second = (
        json.loads((tmp_path / name).read_text()) for name in ("rank0_of_1.json", "rank0_of_2.json", "rank1_of_2.json")
    )
    assert str(first) == str(second)
    for task, metrics in single[0].items():
        assert first[0][task] == pytest.approx(metrics, nan_ok=True, abs=1e-9), task
    assert any(1 < value < 99 for metrics in single[0].values() for value in metrics.values())
    assert first[1].keys() == single[1].keys()


def test_five_images_on_one_two_and_three_processes_make_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    export_split(tmp_path / "toyworld" / "val_seen", Recipe("val_seen", 0, 5, 64, 64), quiet=True)
    arguments = ("toyworld_val_seen", str(tmp_path))
    assert launch(evaluate_shifted, arguments, Processes()) == 0
    tables = set()
    for count in (1, 2, 3):
        if count > 1:
            assert launch(evaluate_shifted, arguments, Processes(per_machine=count)) == 0
        ranks = [(tmp_path / f"rank{rank}_of_{count}.json").read_text() for rank in range(count)]
        assert len(set(ranks)) == 1
        results, per_class = json.loads(ranks[0])
        tables |= {results_table({"toyworld_val_seen": results}) + str(per_class.keys())}
    assert len(tables) == 1
    assert any(1 < value < 99 for metrics in results.values() for value in metrics.values())
