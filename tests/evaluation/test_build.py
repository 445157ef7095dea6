"""Metadata and read-outs choose the metrics."""

import pytest

from frozenseg.errors import DataError
from frozenseg.evaluation.build import OUTPUT_KINDS, build_evaluators
from frozenseg.registry import EVALUATOR

ALL = set(OUTPUT_KINDS)
SEEN = [True, True, True]


def chosen(evaluators):
    return [type(evaluator).__name__ for evaluator in evaluators.evaluators]


def test_read_outs_and_type_choose(metadata):
    metadata.json_file = "instances.json"
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == [
        "PanopticQuality",
        "SemanticIoU",
        "InstanceAP",
        "MaskRecall",
    ]
    assert chosen(build_evaluators(metadata, {"semantic"}, SEEN)) == ["SemanticIoU"]
    metadata.evaluator_type = "sem_seg"
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["SemanticIoU", "MaskRecall"]
    assert chosen(build_evaluators(metadata, {"recall"}, SEEN)) == ["MaskRecall"]
    metadata.evaluator_type = "cityscapes_sem_seg"
    metadata.stuff_dataset_id_to_contiguous_id = {7: 0, 8: 1, 11: 2}
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["CityscapesIoU", "SemanticIoU", "MaskRecall"]


def test_a_metric_without_ground_truth_is_left_out_and_told(metadata, caplog):
    caplog.set_level("INFO", logger="frozenseg")
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["PanopticQuality", "SemanticIoU", "MaskRecall"]
    assert "InstanceAP is left out for little_world: no instance annotations (json_file)." in caplog.text


def test_label_pictures_may_be_missing_too(metadata, caplog):
    caplog.set_level("INFO", logger="frozenseg")
    metadata.sem_seg_root = None
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["PanopticQuality"]
    assert "SemanticIoU is left out for little_world: no label pictures." in caplog.text


def test_mistakes_are_answered(metadata):
    with pytest.raises(DataError, match="Unknown output kind 'boxes'"):
        build_evaluators(metadata, {"boxes"}, SEEN)
    with pytest.raises(DataError, match=r"Nothing of little_world \(coco_panoptic_seg\) can be scored .* instance"):
        build_evaluators(metadata, {"instance"}, SEEN)
    metadata.evaluator_type = "coco_panoptic"
    with pytest.raises(DataError, match="Unknown evaluator_type 'coco_panoptic' .* Did you mean 'coco_panoptic_seg'"):
        build_evaluators(metadata, ALL, SEEN)


@pytest.mark.parametrize("name", EVALUATOR.names())
def test_every_registered_metric_says_what_it_scores(name):
    evaluator = EVALUATOR.look_up(name)
    assert evaluator.output_kind in OUTPUT_KINDS
    assert evaluator.evaluator_types
