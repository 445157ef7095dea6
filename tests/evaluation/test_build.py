"""Metadata and requested outputs select the metrics."""

import pytest

from frozenseg.errors import DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.registry import EVALUATOR
from frozenseg.structures.output_kinds import OUTPUT_KINDS

ALL = set(OUTPUT_KINDS)
SEEN = [True, True, True]


def chosen(evaluators):
    return [type(evaluator).__name__ for evaluator in evaluators.evaluators]


def test_outputs_and_evaluator_type_select(metadata):
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


def test_a_metric_without_ground_truth_is_skipped_and_logged(metadata, caplog):
    caplog.set_level("INFO", logger="frozenseg")
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["PanopticQuality", "SemanticIoU", "MaskRecall"]
    assert "InstanceAP is skipped for little_world: no instance annotations (json_file)." in caplog.text


def test_label_images_may_be_missing_too(metadata, caplog):
    caplog.set_level("INFO", logger="frozenseg")
    metadata.sem_seg_root = None
    assert chosen(build_evaluators(metadata, ALL, SEEN)) == ["PanopticQuality"]
    assert "SemanticIoU is skipped for little_world: no label images." in caplog.text


def test_mistakes_are_answered(metadata):
    with pytest.raises(DataError, match="Unknown output kind 'boxes'"):
        build_evaluators(metadata, {"boxes"}, SEEN)
    with pytest.raises(DataError, match=r"No metric of little_world \(coco_panoptic_seg\) can be computed .* instance"):
        build_evaluators(metadata, {"instance"}, SEEN)
    metadata.evaluator_type = "coco_panoptic"
    with pytest.raises(DataError, match="Unknown evaluator_type 'coco_panoptic' .* Did you mean 'coco_panoptic_seg'"):
        build_evaluators(metadata, ALL, SEEN)


@pytest.mark.parametrize("name", EVALUATOR.names())
def test_every_registered_metric_has_an_output_and_data_sets(name):
    evaluator = EVALUATOR.look_up(name)
    assert evaluator.output_kind in OUTPUT_KINDS
    assert evaluator.evaluator_types
