"""COCO formats: read back by pycocotools and by our loaders, and scored against themselves."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.inference.formats.output_format import FormatOptions, OutputClasses
from frozenseg.inference.formats.registry import build_formats
from frozenseg.structures.label_files import read_segment_ids
from tests.inference.formats.results import HEIGHT, NAMES, VOCABULARY, WIDTH, output_image, small_result, write_all

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in pycocotools


def save_images(folder: Path) -> None:
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        small_result().image.save(folder / name)


def test_panoptic_files_score_100_against_themselves(tmp_path: Path) -> None:
    [path] = write_all(["coco-panoptic"], tmp_path)
    scores = score_panoptic_files(path, tmp_path / "panoptic", path, tmp_path / "panoptic", 1, quiet=True)
    assert scores.results["panoptic_seg"]["PQ"] == 100
    assert scores.notes == []


def test_our_loader_reads_panoptic_files(tmp_path: Path) -> None:
    [path] = write_all(["coco-panoptic"], tmp_path)
    save_images(tmp_path / "images")
    name = f"coco-panoptic:{path}?images={tmp_path / 'images'}"
    records, metadata = DatasetCatalog.get(name), MetadataCatalog.get(name)
    assert metadata.vocabulary.names == VOCABULARY.names
    assert metadata.vocabulary.isthing == VOCABULARY.isthing
    assert [Path(record["file_name"]).relative_to(tmp_path / "images").as_posix() for record in records] == list(NAMES)
    assert [each["category_id"] for each in records[0]["segments_info"]] == [0, 1, 2, 0]
    ids = read_segment_ids(records[2]["pan_seg_file_name"])
    assert (ids == small_result(2).require("panoptic")[0].numpy()).all()


def test_segments_have_all_fields(tmp_path: Path) -> None:
    [path] = write_all(["coco-panoptic"], tmp_path)
    content = json.loads(path.read_text())
    assert content["images"][1] == {"id": 2, "file_name": "sub/b.jpg", "width": WIDTH, "height": HEIGHT}
    [cat, dog, grass, other] = content["annotations"][0]["segments_info"]
    expected = {"id": 2, "category_id": 2, "label_id": 1, "name": "dog <&>", "score": 0.25, "area": 1, "iscrowd": 0}
    assert dog == expected | {"bbox": [15, 10, 1, 1], "isthing": True}
    assert (cat["bbox"], cat["area"]) == ([1, 1, 6, 5], 28)
    assert not grass["isthing"]
    assert other["category_id"] == cat["category_id"] == 1
    assert content["categories"][0]["synonyms"] == ["kitten"]


@pytest.mark.parametrize("polygons", [False, True])
def test_pycocotools_reads_instances_and_scores_100(polygons: bool, tmp_path: Path) -> None:
    [path] = write_all(["coco-instances"], tmp_path, options=FormatOptions(polygons=polygons, tolerance=0))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
        assert isinstance(coco.dataset["annotations"][0]["segmentation"], list if polygons else dict)
        evaluation = COCOeval(coco, coco.loadRes(coco.dataset["annotations"]), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == 1
    for annotation in coco.dataset["annotations"]:
        masks = small_result(annotation["image_id"] - 1).masks_of("instance")
        assert (coco.annToMask(annotation) == masks[(annotation["id"] - 1) % 3]).all()
    assert [each["score"] for each in coco.imgToAnns[1]] == [0.9, 0.5, 0.125]


def test_our_loader_reads_instances(tmp_path: Path) -> None:
    [path] = write_all(["coco-instances"], tmp_path)
    save_images(tmp_path / "images")
    records = DatasetCatalog.get(f"coco-instances:{path}?images={tmp_path / 'images'}")
    assert [[each["category_id"] for each in record["annotations"]] for record in records] == [[0, 0, 1]] * 3


@pytest.mark.parametrize("name", ["coco-panoptic", "coco-instances", "cvat-xml", "jsonl", "html", "review"])
def test_files_do_not_depend_on_the_order_of_the_work(name: str, tmp_path: Path) -> None:
    write_all([name], tmp_path / "a")
    write_all([name], tmp_path / "b", order=(2, 0, 1))
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert files
    for file in files:
        content = (tmp_path / "b" / file).read_bytes()
        assert (tmp_path / "a" / file).read_bytes() == content.replace(b'data-key="b"', b'data-key="a"')


def test_a_record_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    [path] = write_all(["coco-panoptic"], tmp_path)
    before = path.read_bytes()
    [each] = build_formats(["coco-panoptic"], tmp_path, OutputClasses(VOCABULARY))
    with pytest.raises(KeyError):
        each.finish([{"file_name": "a.jpg"}])
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["panoptic", "panoptic.json"]


def test_label_maps_are_read_by_our_loader(tmp_path: Path) -> None:
    maps, classes = write_all(["png"], tmp_path)
    save_images(tmp_path / "images")
    records = DatasetCatalog.get(f"folder:{tmp_path / 'images'}?labels={maps}&classes={classes}")
    assert len(records) == 3
    metadata = MetadataCatalog.get(f"folder:{tmp_path / 'images'}?labels={maps}&classes={classes}")
    assert metadata.vocabulary.classes == VOCABULARY.classes
    assert metadata.vocabulary.isthing == VOCABULARY.isthing
    with Image.open(maps / "a.png") as drawn:
        drawn.load()
    assert drawn.mode == "P"
    values = np.array([255, 1, 2, 3, 0, 0, 0, 1])[small_result().require("panoptic")[0].numpy()]
    assert (np.asarray(drawn) == values).all()
    assert tuple(np.asarray(drawn.convert("RGB"))[2, 2]) == OutputClasses(VOCABULARY).colours[0]


def test_large_class_ids_make_16_bit_label_maps(tmp_path: Path) -> None:
    classes = OutputClasses(VOCABULARY, ids=(1, 255, 4000))
    [each] = build_formats(["png"], tmp_path, classes)
    each.write(output_image("a.jpg"), small_result())
    with Image.open(tmp_path / "label_maps" / "a.png") as drawn:
        pixels = np.asarray(drawn)
    assert sorted(np.unique(pixels).tolist()) == [1, 255, 4000, 65535]
