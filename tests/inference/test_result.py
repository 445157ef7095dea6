"""Results as data: segments, masks, and the structures of neighbouring projects."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.segments import Segment
from tests.inference.formats.results import HEIGHT, VOCABULARY, WIDTH, small_result


def test_segments_are_named_tuples_with_area_and_box() -> None:
    result = small_result()
    assert result.segments[0] == Segment(1, 0, 0, "cat", 0.9, 28, (1, 1, 6, 5), True)
    assert result.segments[1] == Segment(2, 1, 1, "dog <&>", 0.25, 1, (15, 10, 1, 1), True)
    assert [(each.id, each.isthing) for each in result.segments] == [(1, True), (2, True), (3, False), (7, True)]
    assert result.masks_of("panoptic")[3].sum() == 8
    instances = replace(result, panoptic=None)
    assert [(each.id, each.name, each.score) for each in instances.segments][2] == (3, "dog <&>", 0.125)
    assert instances.segments[0].bbox == (1, 1, 6, 5)


def test_masks_of_a_class_are_the_union_of_its_segments() -> None:
    result = small_result()
    ids = result.require("panoptic")[0].numpy()
    for name in ("cat", "kitten"):
        assert (result.mask_of(name) == np.isin(ids, (1, 7))).all()
    only_semantic = replace(result, panoptic=None, instances=None)
    assert (only_semantic.mask_of("cat") == np.isin(ids, (1, 7))).all()
    assert (replace(result, panoptic=None).mask_of("cat") == np.isin(ids, (1, 7))).all()
    assert not replace(result, panoptic=(torch.zeros(HEIGHT, WIDTH, dtype=torch.int32), [])).mask_of("cat").any()
    with pytest.raises(DataError, match="No class is called 'cart'. Did you mean 'cat'"):
        result.mask_of("cart")


def test_weak_and_small_segments_lose_their_pixels() -> None:
    kept = small_result().keep(min_score=0.5, min_area=9)
    assert [segment.id for segment in kept.segments] == [1, 3]
    assert set(kept.require("panoptic")[0].unique().tolist()) == {0, 1, 3}
    assert kept.require("instance").scores.tolist() == pytest.approx([0.9])


def test_outputs_that_were_not_requested_are_named() -> None:
    result = replace(small_result(), panoptic=None, instances=None)
    assert result.kinds == ("semantic",)
    with pytest.raises(ConfigError, match=r"has semantic, but not panoptic: pass outputs=\('panoptic',\)"):
        _ = result.segments
    with pytest.raises(ConfigError, match="no segments: read panoptic or instance"):
        result.segments_of("semantic")


def test_the_text_form_counts_what_there_is() -> None:
    text = "Result(12×16, 4 segments (2 × cat, dog <&>, grass), 3 instances, 3 semantic classes)"
    assert repr(small_result()) == text
    assert repr(replace(small_result(), panoptic=None, instances=None)) == "Result(12×16, 3 semantic classes)"


def test_notebooks_show_a_drawing() -> None:
    with Image.open(io.BytesIO(small_result()._repr_png_() or b"")) as drawing:
        assert drawing.format == "PNG"
    assert replace(small_result(), panoptic=None, instances=None, semantic=None)._repr_png_() is None


def test_drawings_have_a_style() -> None:
    result = small_result()
    assert result.draw(legend=False, max_size=160).size == (160, 120)
    bare = np.asarray(result.draw("semantic", opacity=0, legend=False, max_size=16))
    assert bare.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ConfigError, match="opacity is 2"):
        result.draw(opacity=2)


def test_coco_has_images_annotations_and_categories() -> None:
    content = small_result().to_coco(image_id=5, file_name="a.jpg")
    assert content["images"] == [{"id": 5, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}]
    assert [each["category_id"] for each in content["annotations"]] == [1, 2, 3, 1]
    assert {each["image_id"] for each in content["annotations"]} == {5}
    assert [each["name"] for each in content["categories"]] == list(VOCABULARY.names)
    assert [each["score"] for each in small_result().to_coco("instance")["annotations"]] == [0.9, 0.5, 0.125]


def test_supervision_reads_all_three_forms() -> None:
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    result = small_result()
    detections = result.to_supervision()
    assert detections.class_id.tolist() == [0, 1, 2, 0]
    assert detections.data["class_name"].tolist() == ["cat", "dog <&>", "grass", "cat"]
    assert detections.xyxy[0].tolist() == [1, 1, 7, 6]
    of_detectron2 = supervision.Detections.from_detectron2(result.to_detectron2())
    assert of_detectron2.confidence.tolist() == pytest.approx([0.9, 0.5, 0.125])
    assert (of_detectron2.mask == result.masks_of("instance")).all()
    names = dict(enumerate(VOCABULARY.names))
    of_transformers = supervision.Detections.from_transformers(result.to_transformers(), id2label=names)
    assert of_transformers.class_id.tolist() == [0, 1, 2, 0]
    assert of_transformers.confidence.tolist() == pytest.approx([0.9, 0.25, 0.75, 0.5])
    assert (of_transformers.mask == result.masks_of("panoptic")).all()


def test_without_supervision_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ConfigError, match=r"pip install 'frozenseg\[supervision\]'"):
        small_result().to_supervision()


def test_images_of_masks_are_black_and_white() -> None:
    masks = small_result().to_pil()
    assert [(each.label, each.score) for each in masks][:2] == [("cat", 0.9), ("dog <&>", 0.25)]
    assert masks[0].mask.mode == "L"
    assert (np.asarray(masks[0].mask) == 255 * small_result().masks_of("panoptic")[0]).all()


def test_arrays_have_no_objects() -> None:
    arrays = small_result().to_numpy()
    assert all(array.dtype != object for array in arrays.values())
    assert arrays["segment_boxes"].tolist()[0] == [1, 1, 6, 5]
    assert set(replace(small_result(), panoptic=None, instances=None).to_numpy()) == {"class_names", "semantic"}
