"""Gallery: selection of images, bounded memory, JSON entries."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from frozenseg import distributed
from frozenseg.evaluation.gallery import Gallery, Layer
from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.structures.label_runs import Runs

METADATA = SimpleNamespace(ignore_label=255, first_label=1)


def evaluators(kind="segments"):
    """Metrics that use a contribution as the score."""
    return SimpleNamespace(image_score=lambda contribution: contribution, ground_truth_kinds=(kind,))


def show(gallery, scores):
    """Show images of 2 × 2 pixels: segment 7 of class 1 over void, predicted as segment 1 of class 2 all over."""
    truth = PanopticMap.from_segments(np.array([[7, 7], [0, 0]]), [{"id": 7, "category_id": 1, "area": 2}])
    predicted = torch.ones(2, 2, dtype=torch.int32), [{"id": 1, "category_id": 2}]
    for name, score in scores.items():
        record = {"image_id": name, "file_name": f"{name}.jpg", "ground_truth": {"segments": truth}}
        gallery.observe(record, {"panoptic_seg": predicted}, score)
    return gallery


def names(gallery):
    return tuple([shown.name for shown in end] for end in gallery.merged())


def test_the_best_and_the_worst_are_kept_and_ties_go_by_name():
    scores = {"d": 0.5, "c": 0.5, "a": 0.1, "b": 0.9, "e": 0.5, "nothing": math.nan}
    expected = (["b", "c"], ["a", "d"])
    assert names(show(Gallery(evaluators(), METADATA, count=2), scores)) == expected
    backwards = dict(reversed(scores.items()))
    gallery = show(Gallery(evaluators(), METADATA, count=2), backwards)
    assert names(gallery) == expected
    assert gallery.images == 6


def test_no_image_is_among_the_best_and_the_worst():
    assert names(show(Gallery(evaluators(), METADATA, count=2), {"a": 0.1, "b": 0.2, "c": 0.3})) == (["c", "b"], ["a"])
    assert names(Gallery(evaluators(), METADATA)) == ([], [])


def test_what_is_kept_is_what_was_seen():
    ([shown], _) = show(Gallery(evaluators(), METADATA), {"a": 0.25}).merged()
    assert (shown.name, shown.file_name, shown.score, shown.kind) == ("a", "a.jpg", 0.25, "segments")
    assert shown.ground_truth.ids.pixels().tolist() == [[7, 7], [0, 0]]
    assert shown.ground_truth.classes == {7: 1}
    assert shown.predicted.ids.pixels().tolist() == [[1, 1], [1, 1]]
    assert shown.predicted.classes == {1: 2}


def test_memory_is_bounded_and_predictions_are_looked_at_only_when_they_are_kept():
    gallery, noted = Gallery(evaluators(), METADATA, count=3), []
    gallery.on_added = noted.append
    show(gallery, {f"{index:04}": 0.5 for index in range(500)})
    assert [entry["image"] for entry in noted] == [f"{index:04}" for index in range(6)]
    show(gallery, {f"{index:04}": index / 500 for index in range(500, 1000)})
    assert len(gallery.entries()) == 9


def test_crowds_are_not_drawn():
    truth = PanopticMap.from_segments(
        np.array([[7, 8]]), [{"id": 7, "category_id": 1}, {"id": 8, "category_id": 1, "iscrowd": 1}]
    )
    gallery = Gallery(evaluators(), METADATA)
    output = {"panoptic_seg": (torch.zeros(1, 2, dtype=torch.int32), [])}
    gallery.observe({"image_id": 1, "file_name": "x", "ground_truth": {"segments": truth}}, output, 0.0)
    ([shown], _) = gallery.merged()
    assert shown.ground_truth.classes == {7: 1}


@pytest.mark.parametrize("scores", [False, True], ids=["labels", "scores"])
def test_label_images_are_read_by_the_rules_of_the_data_set(scores):
    gallery = Gallery(evaluators("labels"), METADATA)
    record = {"image_id": 1, "file_name": "x.jpg", "ground_truth": {"labels": Runs.of(np.array([[1, 2], [255, 2]]))}}
    labels = torch.tensor([[0, 1], [1, 1]])
    output = {"sem_seg": torch.nn.functional.one_hot(labels).permute(2, 0, 1).float() if scores else labels}
    gallery.observe(record, output, 0.5)
    ([shown], _) = gallery.merged()
    assert shown.kind == "labels"
    assert shown.ground_truth.classes == {1: 0, 2: 1}
    assert shown.predicted.classes == {0: 0, 1: 1}
    assert shown.predicted.ids.pixels().tolist() == labels.tolist()


def test_images_without_a_map_are_passed_over():
    gallery = Gallery(evaluators("instance_ids"), METADATA)
    gallery.observe({"image_id": 1, "file_name": "x.jpg"}, {"instances": []}, 0.5)
    assert gallery.entries() == []
    assert gallery.images == 1


def test_entries_come_back_from_json_once():
    gallery = show(Gallery(evaluators(), METADATA, count=2), {"a": 0.1, "b": 0.2, "c": 1 / 3})
    lines = [json.dumps(entry) for entry in gallery.entries()]
    again = Gallery(evaluators(), METADATA, count=2)
    again.restore(map(json.loads, [*lines, *lines]))
    assert names(again) == names(gallery)
    assert again.entries() == gallery.entries()


def test_a_layer_of_any_numbers_comes_back():
    ids = np.array([[0, 16_777_215, 16_777_215], [3, 3, 0]], dtype=np.int32)
    layer = Layer(Runs.of(ids), {16_777_215: 4, 3: 0})
    back = Layer.from_json(json.loads(json.dumps(layer.to_json())))
    assert back.ids.pixels().tolist() == ids.tolist()
    assert back.classes == layer.classes


def test_processes_are_merged(monkeypatch):
    first = show(Gallery(evaluators(), METADATA, count=2), {"a": 0.1, "c": 0.3, "e": 0.5})
    second = show(Gallery(evaluators(), METADATA, count=2), {"b": 0.2, "d": 0.5, "f": 0.6})
    monkeypatch.setattr(distributed, "gather", lambda mine: [mine, second._all()])
    assert names(first) == (["f", "d"], ["a", "b"])
