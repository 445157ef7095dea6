"""Formats of labelling tools and trainers: read back by the rules of their specifications, or by supervision."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from frozenseg.inference.formats.labelme import Labelme
from frozenseg.inference.formats.output_format import FormatOptions
from tests.inference.formats.results import (
    CLASSES,
    HEIGHT,
    NAMES,
    VOCABULARY,
    WIDTH,
    output_image,
    small_result,
    write_all,
)

EXACT = FormatOptions(tolerance=0)
EXACT_POLYGONS = FormatOptions(tolerance=0, polygons=True)


def filled(points: list[tuple[float, float]]) -> np.ndarray:
    """Fill a polygon along the edges of pixels by the even-odd rule: a pixel counts if its centre is inside."""
    scale = 4
    large = Image.new("1", (WIDTH * scale, HEIGHT * scale))
    ImageDraw.Draw(large).polygon([(scale * x - 0.5, scale * y - 0.5) for x, y in points], fill=1)
    return np.asarray(large)[scale // 2 :: scale, scale // 2 :: scale]


def test_yolo_lines_are_classes_and_shares_of_the_size(tmp_path: Path) -> None:
    folder, config = write_all(["yolo-seg"], tmp_path, options=EXACT)
    assert yaml.safe_load(config.read_text())["names"] == dict(enumerate(VOCABULARY.names))
    lines = (folder / "sub" / "b.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "0", "1"]
    numbers = np.array(lines[0].split()[1:], dtype=float).reshape(-1, 2)
    assert ((numbers >= 0) & (numbers <= 1)).all()
    assert (filled((numbers * [WIDTH, HEIGHT]).tolist()) == small_result(1).masks_of("instance")[0]).all()


def test_supervision_reads_yolo_files(tmp_path: Path) -> None:
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    folder, config = write_all(["yolo-seg"], tmp_path, options=EXACT)
    for name in NAMES[:2]:  # it reads flat folders
        (tmp_path / "images").mkdir(exist_ok=True)
        stem = name.rpartition(".")[0]
        small_result().image.save(tmp_path / "images" / f"{stem.replace('/', '_')}.jpg")
        (folder / f"{stem.replace('/', '_')}.txt").write_bytes((folder / f"{stem}.txt").read_bytes())
    data = supervision.DetectionDataset.from_yolo(str(tmp_path / "images"), str(folder), str(config), force_masks=True)
    assert data.classes == list(VOCABULARY.names)
    for path, _, detections in data:
        result = small_result(0 if path.endswith("a.jpg") else 1)
        assert detections.class_id.tolist() == [0, 0, 1]
        masks = result.masks_of("instance")
        both = (detections.mask & masks).sum(axis=(1, 2)) / (detections.mask | masks).sum(axis=(1, 2))
        assert both[0] > 0.6  # it rounds corners to pixels, and fills their edges
    assert len(data) == 2


def test_labelme_files_have_polygons_in_groups(tmp_path: Path) -> None:
    [folder] = write_all(["labelme"], tmp_path, options=EXACT)
    content = json.loads((folder / "a.json").read_text())
    assert (content["imagePath"], content["imageWidth"], content["imageHeight"]) == ("a.jpg", WIDTH, HEIGHT)
    result = small_result()
    for segment, mask in zip(result.segments, result.masks_of("panoptic"), strict=True):
        shapes = [shape for shape in content["shapes"] if shape["group_id"] == segment.id]
        assert {shape["label"] for shape in shapes} == {segment.name}
        assert {shape["description"] for shape in shapes} == {f"score {segment.score:.4f}"}
        assert (np.logical_xor.reduce([filled(shape["points"]) for shape in shapes]) == mask).all()
    assert len(content["shapes"]) == 6  # two parts of a cat, and of the grass


def test_labelme_files_refer_to_the_image(tmp_path: Path) -> None:
    image = output_image("sub/b.jpg", tmp_path / "in" / "sub" / "b.jpg")
    Labelme(tmp_path / "out", CLASSES).write(image, small_result())
    content = json.loads((tmp_path / "out" / "labelme" / "sub" / "b.json").read_text())
    assert content["imagePath"] == "../../../in/sub/b.jpg"


@pytest.mark.parametrize("options", [EXACT, EXACT_POLYGONS], ids=["masks", "polygons"])
def test_cvat_reads_the_masks(options: FormatOptions, tmp_path: Path) -> None:
    [path] = write_all(["cvat-xml"], tmp_path, options=options)
    root = ElementTree.parse(path).getroot()
    assert [each.findtext("name") for each in root.iter("label")] == list(VOCABULARY.names)
    images = root.findall("image")
    assert [image.get("name") for image in images] == list(NAMES)
    for number, image in enumerate(images):
        result = small_result(number)
        masks = dict(zip(result.segments, result.masks_of("panoptic"), strict=True))
        for segment, mask in masks.items():
            shapes = [shape for shape in image if shape.findtext("attribute") == f"{segment.score:.4f}"]
            assert {shape.get("label") for shape in shapes} == {segment.name}
            assert (np.logical_xor.reduce([_pixels(shape) for shape in shapes]) == mask).all()


def _pixels(shape: ElementTree.Element) -> np.ndarray:
    if shape.tag == "polygon":
        return filled([tuple(map(float, point.split(","))) for point in shape.attrib["points"].split(";")])
    left, top, width, height = (int(shape.attrib[name]) for name in ("left", "top", "width", "height"))
    lengths = [int(number) for number in shape.attrib["rle"].split(",")]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    flat = np.pad(flat, (0, width * height - len(flat)))
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top : top + height, left : left + width] = flat.reshape(height, width)
    return mask


def test_datumaro_reads_cvat_files(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro", reason="datumaro is not installed")
    write_all(["cvat-xml"], tmp_path, options=EXACT_POLYGONS)
    data = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    assert len(data) == 3
    assert {each.id for each in data} == {name.rpartition(".")[0] for name in NAMES}


def test_arrays_are_read_without_pickle(tmp_path: Path) -> None:
    [folder] = write_all(["npz"], tmp_path)
    with np.load(folder / "sub" / "b.npz", allow_pickle=False) as arrays:
        assert arrays["class_names"].tolist() == list(VOCABULARY.names)
        assert (arrays["panoptic"] == small_result(1).require("panoptic")[0].numpy()).all()
        assert arrays["segment_scores"].tolist() == pytest.approx([0.9, 0.25, 0.75, 0.5])
        assert (arrays["instance_masks"] == small_result(1).masks_of("instance")).all()
        assert arrays["semantic"].shape == (HEIGHT, WIDTH)


def test_lines_have_segments_with_run_lengths(tmp_path: Path) -> None:
    [path] = write_all(["jsonl"], tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["file_name"] for line in lines] == list(NAMES)
    assert [line["image_id"] for line in lines] == [1, 2, 3]
    assert [segment["category_id"] for segment in lines[0]["segments"]] == [1, 2, 3, 1]
