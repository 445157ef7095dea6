"""Loaders: the same batches for any number of workers, exact resume, early and clear errors."""

import logging
import os
import shutil
import signal
from collections.abc import Collection
from itertools import islice
from pathlib import Path

import pytest
import torch

from frozenseg import distributed
from frozenseg.data import resolve
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.loader import (
    CheckedLoader,
    EvalDataset,
    LoadResult,
    MappedDataset,
    PackedRecords,
    TrainDataset,
    drop_without_instances,
)
from frozenseg.data.prepare.converter import get_converter
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import ConfigError, DataError
from tests.miniatures import cityscapes

BROKEN = "000000000002.jpg"


def build_train_loader(cfg, start_iteration: int = 0) -> CheckedLoader:
    return TrainDataset.open(cfg, [resolve(name) for name in cfg.DATASETS.TRAIN]).batches(start_iteration)


def build_test_loader(cfg, name: str, outputs: Collection[str] = ("panoptic", "semantic")) -> CheckedLoader:
    return EvalDataset.open(cfg, resolve(name), outputs).batches()


def fingerprints(loader, count: int) -> list[tuple]:
    return [
        (sample["image_id"], sample["image"].sum().item(), sample["instances"].gt_masks.sum().item())
        for batch in islice(loader, count)
        for sample in batch
    ]


@pytest.fixture
def damaged(toy_root, tmp_path, monkeypatch) -> Path:
    """ToyWorld with one image that cannot be decoded in each split."""
    shutil.copytree(toy_root / "toyworld", tmp_path / "toyworld")
    for split in ("train", "val_seen"):
        (tmp_path / "toyworld" / split / "images" / BROKEN).write_bytes(b"broken")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path


def test_training_batches(toy, cfg):
    batches = list(islice(build_train_loader(cfg), 4))
    assert [len(batch) for batch in batches] == [2] * 4
    sample = batches[0][0]
    assert sample["image"].shape == (3, 64, 64)
    assert len(sample["instances"]) == len(sample["segments_info"])
    assert {sample["image_id"] for batch in batches[:3] for sample in batch} == {1, 2, 3, 4, 5, 6}


def test_a_image_s_seed_follows_from_its_position_in_the_stream(toy, cfg):
    seeds = [sample["seed"] for batch in islice(build_train_loader(cfg), 6) for sample in batch]
    assert len(set(seeds)) == 12  # two passes over six images
    again = [sample["seed"] for batch in islice(build_train_loader(cfg, start_iteration=4), 2) for sample in batch]
    assert again == seeds[8:]
    assert "seed" not in next(iter(build_test_loader(cfg, "toyworld_val_seen")))[0]


def test_augmentation_differs_from_pass_to_pass(toy, cfg):
    prints = fingerprints(build_train_loader(cfg), 6)  # two passes over six images
    assert len(set(prints)) == 12


@pytest.mark.parametrize("grouped", [True, False])
def test_resumed_loader_continues_the_unbroken_one(toy, cfg, grouped):
    cfg.DATALOADER.ASPECT_RATIO_GROUPING = grouped
    whole = fingerprints(build_train_loader(cfg), 7)
    assert fingerprints(build_train_loader(cfg, start_iteration=4), 3) == whole[8:]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # forking, Python ≥ 3.12
def test_workers_change_nothing(toy, cfg):
    alone = fingerprints(build_train_loader(cfg), 3)
    cfg.DATALOADER.NUM_WORKERS = 2
    assert fingerprints(build_train_loader(cfg), 3) == alone


@pytest.mark.parametrize("grouped", [True, False])
def test_processes_share_the_batch(toy, cfg, grouped, monkeypatch):
    cfg.DATALOADER.ASPECT_RATIO_GROUPING = grouped
    whole = fingerprints(build_train_loader(cfg), 3)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        assert fingerprints(build_train_loader(cfg), 3) == whole[rank::2]


def test_batch_that_cannot_be_shared(toy, cfg, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    with pytest.raises(
        ConfigError, match="IMS_PER_BATCH is 2, which 4 processes cannot share equally: choose a multiple of 4"
    ):
        build_train_loader(cfg)


@pytest.mark.parametrize("at_once", [-1, 3, 8])
def test_parts_that_leave_a_rest_are_refused(at_once):
    with pytest.raises(
        ConfigError,
        match=rf"IMAGES_AT_ONCE is {at_once}, but each process has 4 images .* one of 1, 2, 4, or 0 for all",
    ):
        BatchPlan(8, processes=2, at_once=at_once)


def test_a_plan_says_how_the_images_come_together():
    plan = BatchPlan(16, processes=2, at_once=4)
    assert (plan.share, plan.parts) == (8, 2)
    assert str(plan) == "16 = processes 2 × images at once 4 × 2"
    assert BatchPlan(6, processes=3).parts == 1


def test_seed_minus_one_draws_one(toy, cfg):
    cfg.SEED = -1
    first, second = (fingerprints(build_train_loader(cfg), 3) for _ in range(2))
    assert first != second


def test_test_loader(toy, cfg):
    loader = build_test_loader(cfg, "toyworld_val_unseen")
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert [batch[0]["image_id"] for batch in batches] == [1, 2, 3]
    assert batches[0][0]["image"].shape == (3, 32, 48)
    assert (batches[0][0]["height"], batches[0][0]["width"]) == (64, 96)


def test_test_images_are_divided_among_processes(toy, cfg, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert [batch[0]["image_id"] for batch in build_test_loader(cfg, "toyworld_val_seen")] == [3]


def test_no_training_set(cfg):
    cfg.DATASETS.TRAIN = []
    with pytest.raises(ConfigError, match=r"DATASETS\.TRAIN is empty"):
        build_train_loader(cfg)


def test_missing_data_set_is_reported_before_the_run(cfg, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    with pytest.raises(
        DataError, match=r"panoptic\.json does not exist; make it .* `frozenseg prepare toyworld --root"
    ):
        build_train_loader(cfg)


def test_missing_files_are_reported_before_the_run(damaged, cfg):
    cfg.DATASETS.SKIP_BAD = True
    shutil.rmtree(damaged / "toyworld" / "val_seen" / "semantic")
    with pytest.raises(DataError, match="sem_seg_file_name of image 1"):
        build_test_loader(cfg, "toyworld_val_seen")
    with pytest.raises(DataError, match="sem_seg_file_name of image 1"):
        build_test_loader(cfg, "toyworld_val_seen", ["panoptic", "recall"])
    build_test_loader(cfg, "toyworld_val_seen", ["panoptic"])  # files that are not read may be missing
    (damaged / "toyworld/val_seen/instances.json").unlink()
    build_test_loader(cfg, "toyworld_val_seen", ["panoptic"])
    with pytest.raises(DataError, match=r"file of instance annotations .*instances\.json does not exist"):
        build_test_loader(cfg, "toyworld_val_seen", ["panoptic", "instance"])


def test_cityscapes_pixels_need_the_instance_ids_too(cfg, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    cityscapes.make(tmp_path)
    prepare(get_converter("cityscapes"), tmp_path)
    next(tmp_path.rglob("frankfurt_*_instanceIds.png")).unlink()
    with pytest.raises(DataError, match="instance_file_name of image frankfurt_000000_000294"):
        build_test_loader(cfg, "cityscapes_fine_sem_seg_val")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_bad_image_stops_with_one_sentence(damaged, cfg, workers):
    cfg.DATALOADER.NUM_WORKERS = workers
    with pytest.raises(DataError, match=rf"^The image \S+{BROKEN} cannot be decoded [^\n]*$"):
        list(build_test_loader(cfg, "toyworld_val_seen"))
    with pytest.raises(DataError, match=BROKEN):
        list(islice(build_train_loader(cfg), 3))


def test_opening_draws_nothing(toy, cfg, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    build_test_loader(cfg, "toyworld_val_seen")
    build_train_loader(cfg)
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_test_image_is_left_out_and_named(damaged, cfg, caplog):
    cfg.DATASETS.SKIP_BAD = True
    with caplog.at_level(logging.WARNING, "frozenseg"):
        batches = list(build_test_loader(cfg, "toyworld_val_seen"))
    assert [[sample["image_id"] for sample in batch] for batch in batches] == [[1], [3]]
    assert caplog.text.count(BROKEN) == 1


def test_bad_training_image_is_replaced_by_the_next(damaged, cfg, caplog):
    cfg.DATASETS.SKIP_BAD = True
    with caplog.at_level(logging.WARNING, "frozenseg"):
        batches = list(islice(build_train_loader(cfg), 3))
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert sorted(sample["image_id"] for batch in batches for sample in batch) == [1, 3, 3, 4, 5, 6]
    assert BROKEN in caplog.text


def test_bad_images_are_counted(damaged, cfg):
    cfg.DATASETS.SKIP_BAD = True
    (damaged / "toyworld/train/panoptic/000000000004.png").write_bytes(b"no image")
    loader = build_train_loader(cfg)
    list(islice(loader, 3))
    assert loader.num_skipped == 2  # an image and an annotation


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_dead_worker_is_one_sentence(toy, cfg, monkeypatch):
    cfg.DATALOADER.NUM_WORKERS = 1
    monkeypatch.setattr(MappedDataset, "__getitem__", lambda self, key: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(
        DataError, match=r"has died \(DataLoader worker .*\)\. .* killed it .*NUM_WORKERS below 1, or to 0"
    ):
        next(iter(build_train_loader(cfg)))


def test_a_bug_in_a_worker_stays_what_it_is(toy, cfg, monkeypatch):
    def fail(self, key):
        raise RuntimeError("a bug")

    monkeypatch.setattr(MappedDataset, "__getitem__", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        next(iter(build_train_loader(cfg)))


def test_only_bad_images_stop_training(damaged, cfg):
    cfg.DATASETS.SKIP_BAD = True
    for path in (damaged / "toyworld" / "train" / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be decoded"):
        next(iter(build_train_loader(cfg)))


def test_filter_looks_at_instance_annotations_only():
    crowd, single = {"annotations": [{"iscrowd": 1}]}, {"annotations": [{"iscrowd": 1}, {"iscrowd": 0}]}
    empty, panoptic = {"annotations": []}, {"segments_info": []}
    assert drop_without_instances([crowd, single, empty, panoptic]) == [single, panoptic]


def test_packed_records_are_copies():
    records = [{"image_id": number, "nested": {"value": [number]}} for number in range(3)]
    packed = PackedRecords(records)
    packed[1]["nested"]["value"].append(9)
    assert list(packed) == records
    assert len(packed) == 3


def test_images_are_ready_for_a_model(toy, cfg):
    image = next(iter(build_test_loader(cfg, "toyworld_val_seen")))[0]["image"]
    assert image.dtype == torch.uint8
    assert image.is_contiguous()


def test_images_are_pinned_for_the_copy_to_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self + 1)  # needs a GPU
    pinned = LoadResult({"image": torch.zeros(2), "height": 3}).pin_memory().sample
    assert pinned is not None
    assert (pinned["image"].tolist(), pinned["height"]) == ([1.0, 1.0], 3)
    assert LoadResult(None, ("unreadable",), fatal=True).pin_memory() == LoadResult(None, ("unreadable",), fatal=True)
