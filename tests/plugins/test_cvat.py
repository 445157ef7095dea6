"""CVAT's auto-annotation function, checked by cvat-sdk: its spec, its shapes, and their way into a task."""

import logging
import sys
from types import SimpleNamespace
from typing import Any

import cvat_sdk.auto_annotation as cvataa
import numpy as np
import pytest
from cvat_sdk.auto_annotation.driver import _AnnotationMapper
from cvat_sdk.masks import decode_mask
from PIL import Image

from frozenseg.errors import ConfigError
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.predictor import Segmenter
from frozenseg.plugins import cvat
from frozenseg.structures.polygons import polygons_rle
from frozenseg.toyworld.samples import sample_scene
from tests.serving.conftest import toyworld

CLASSES = "red circle,crimson circle; blue square; water"


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    return sample_scene(4, 128)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what ``cvat-cli --function-module frozenseg.plugins.cvat -p …`` loads."""
    segmenter = toyworld()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda weights, device: segmenter)
    return cvat.create(classes=CLASSES, stuff="water", weights="toyworld", tolerance=0)


def context(conf_threshold: float | None = None, conv_mask_to_poly: bool = False) -> Any:
    return SimpleNamespace(frame_name="a.png", conf_threshold=conf_threshold, conv_mask_to_poly=conv_mask_to_poly)


def in_task(function: Any, shapes: list[Any], conv_mask_to_poly: bool = False) -> list[Any]:
    """Return the shapes after CVAT's checks, with the label ids of a task."""
    of_task = [
        SimpleNamespace(name=name, id=100 + index, type="any", sublabels=[], attributes=[])
        for index, name in enumerate(("water", "red circle"))
    ]
    mapper = _AnnotationMapper(
        logging.getLogger("cvat"),
        function.spec.labels,
        of_task,
        allow_unmatched_labels=True,
        conv_mask_to_poly=conv_mask_to_poly,
    )
    _, in_dataset = mapper.validate_and_remap(shapes, 7)
    return list(in_dataset)


def test_the_spec_has_a_label_for_each_class(function: Any) -> None:
    assert isinstance(function.spec, cvataa.DetectionFunctionSpec)
    assert [(each.id, each.name, each.type) for each in function.spec.labels] == [
        (0, "red circle", "mask"),
        (1, "blue square", "mask"),
        (2, "water", "mask"),
    ]


def test_masks_are_those_of_the_segmenter(function: Any, scene: Image.Image) -> None:
    result = toyworld()(scene, CLASSES, stuff="water", outputs="panoptic")
    shapes = function.detect(context(), scene)
    masks = list(result.each_mask(largest_first=True))
    assert len(shapes) == len(masks) > 1
    for shape, (segment, mask) in zip(shapes, masks, strict=True):
        assert (shape.type.value, shape.label_id, shape.frame) == ("mask", segment.label_id, 0)
        assert (decode_mask(shape.points, image_width=128, image_height=128) == mask).all()
    assert {shape.label_id for shape in in_task(function, shapes)} == {100}  # the task has no blue square


def test_polygons_and_thresholds_are_those_that_cvat_requests(function: Any, scene: Image.Image) -> None:
    result = toyworld()(scene, CLASSES, stuff="water", outputs="panoptic")
    shapes = function.detect(context(conv_mask_to_poly=True), scene)
    polygons = {label: [each.points for each in shapes if each.label_id == label] for label in range(3)}
    for segment, mask in result.each_mask():
        if [each.label_id for each in result.segments].count(segment.label_id) == 1:
            assert (polygons_rle(polygons[segment.label_id], (128, 128)).mask() == mask).all()
            assert len(polygons[segment.label_id]) == len(mask_polygons(mask))
    assert all(each.type.value == "polygon" for each in in_task(function, shapes, conv_mask_to_poly=True))
    scores = sorted(each.score for each in result.segments)
    assert len(function.detect(context(conf_threshold=scores[-1]), scene)) == 1
    assert function.detect(context(conf_threshold=1.0), scene) == []
    assert function.detect(context(), Image.fromarray(np.zeros((4, 4, 3), np.uint8))) is not None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(ConfigError, match=r"pip install 'frozenseg\[cvat\]'"):
        cvat.create(classes=CLASSES)
