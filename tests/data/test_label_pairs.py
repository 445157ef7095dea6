"""Images and label images that belong together."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data import DatasetCatalog, MetadataCatalog
from frozenseg.data.class_maps import AnnotationRules
from frozenseg.data.formats.label_pairs import pair_files
from frozenseg.data.segments import read_segments
from frozenseg.errors import DataError
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.prediction_files import build_prediction_writers
from frozenseg.evaluation.semantic_iou import SemanticIoU
from frozenseg.structures.label_files import read_labels


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def named(images: Path, labels: Path, ending: str = "") -> dict[str, tuple[str, str]]:
    pairs = pair_files(images, labels, ending).pairs
    return {name: (image.name, label.name) for name, (image, label) in pairs.items()}


@pytest.mark.parametrize("ending", ["_mask", "-mask", "_label", "_labels", "_gt", "_seg", "_labelIds"])
def test_endings_of_label_images(ending: str, tmp_path: Path) -> None:
    images, labels = folder(tmp_path / "i", "d/a.jpg", "d/b.JPG"), folder(tmp_path / "l", f"d/a{ending}.png", "d/c.png")
    assert named(images, labels) == {"d/a": ("a.jpg", f"a{ending}.png")}
    paired = pair_files(images, labels)
    assert (paired.ending, paired.unpaired_images, paired.unpaired_labels) == (ending, ["d/b"], ["d/c"])


def test_cityscapes_names(tmp_path: Path) -> None:
    images = folder(tmp_path / "i", "city/a_leftImg8bit.png")
    labels = folder(tmp_path / "l", *(f"city/a_gtFine_{kind}.png" for kind in ("labelIds", "labelTrainIds", "color")))
    with pytest.raises(DataError, match=r"several endings \(a_gtFine_labelIds\.png, a_gtFine_labelTrainIds\.png\)"):
        pair_files(images, labels)
    assert named(images, labels, "_gtFine_labelTrainIds") == {
        "city/a_leftImg8bit": ("a_leftImg8bit.png", "a_gtFine_labelTrainIds.png")
    }


def test_images_and_labels_in_one_folder(tmp_path: Path) -> None:
    both = folder(tmp_path / "jpg", "a.jpg", "a.png", "b.jpg", "b.png")
    assert named(both, both) == {"a": ("a.jpg", "a.png"), "b": ("b.jpg", "b.png")}
    png = folder(tmp_path / "png", "a.png", "a_mask.png")
    assert named(png, png) == {"a": ("a.png", "a_mask.png")}


def test_labels_inside_the_folder_of_the_images(tmp_path: Path) -> None:
    images = folder(tmp_path / "i", "a.png", "masks/a.png")
    paired = pair_files(images, images / "masks")
    assert (list(paired.pairs), paired.unpaired_images, paired.unpaired_labels) == (["a"], [], [])


def test_names_in_other_capitals_and_hidden_files(tmp_path: Path) -> None:
    images = folder(tmp_path / "i", "IMG_1.JPG", "._IMG_1.JPG", ".DS_Store", "Thumbs.db", ".ipynb_checkpoints/x.png")
    labels = folder(tmp_path / "l", "img_1.png", "._img_1.png", "__MACOSX/img_1.png", ".ipynb_checkpoints/x.png")
    assert named(images, labels) == {"IMG_1": ("IMG_1.JPG", "img_1.png")}


def test_two_files_of_one_name(tmp_path: Path) -> None:
    images, labels = folder(tmp_path / "i", "a.jpg", "a.png"), folder(tmp_path / "l", "a.png")
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png have the same name"):
        pair_files(images, labels)


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    for name in ("i", "l"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (2, 1)).save(tmp_path / "i/a.jpg")
    (tmp_path / "classes.txt").write_text("background\ncat\n", encoding="utf-8")
    return f"folder:{tmp_path}/i?labels={tmp_path}/l&classes={tmp_path}/classes.txt"


def test_binary_masks_are_mentioned(pets: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(tmp_path / "l/a_mask.png")
    with caplog.at_level(logging.WARNING):
        DatasetCatalog.get(pets)
        DatasetCatalog.get(pets)
    ending, binary = caplog.messages
    assert "label images that end with '_mask' are paired" in ending
    assert "no pixel has the class 'cat'. If 255 means 'cat', add &values=0,255" in binary
    caplog.clear()
    (tmp_path / "one.txt").write_text("cat\n", encoding="utf-8")
    one = pets.replace("classes.txt", "one.txt")
    DatasetCatalog.get(one)
    assert "so that 'cat' is 0. If 255 means 'cat', add &values=255&ignore=0 to" in caplog.messages[-1]
    [record] = DatasetCatalog.get(f"{one}&values=255&ignore=0")
    assert read_labels(record["sem_seg_file_name"], record["label_coding"]).tolist() == [[255, 0]]
    caplog.clear()
    record = DatasetCatalog.get(f"{pets}&values=0,255&ending=_mask")[0]
    assert record["label_coding"].values == (0, 255)
    assert not caplog.messages


def test_jpeg_labels_are_refused(pets: str, tmp_path: Path) -> None:
    Image.new("L", (2, 1)).save(tmp_path / "l/a.jpg")
    with pytest.raises(DataError, match="label images cannot be JPEG files, whose compression changes values"):
        DatasetCatalog.get(pets)


def test_gaps_reach_training_scoring_and_written_predictions(pets: str, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("0:background\n10:cat\n", encoding="utf-8")
    Image.fromarray(np.array([[10, 255]], dtype=np.uint8)).save(tmp_path / "l/a.png")
    metadata = MetadataCatalog.get(pets)
    [record] = DatasetCatalog.get(pets)
    ids, segments = read_segments({**record, "rules": AnnotationRules.from_metadata(metadata)}, (1, 2))
    assert (np.asarray(ids)[..., 0].tolist(), segments) == ([[2, 0]], [{"id": 2, "category_id": 1}])
    metric = SemanticIoU.from_metadata(metadata, [True, True])
    output = {"sem_seg": torch.tensor([[1, 0]])}
    metric.add(metric.describe(record, output))
    assert metric.evaluate()["sem_seg"]["mIoU"] == 100
    [writer] = build_prediction_writers(metadata, DatasetEvaluators([metric]), {"semantic"}, tmp_path / "out")
    writer.observe(record, output, {})
    assert read_labels(tmp_path / "out/semantic/a.png").tolist() == [[10, 0]]
