"""Evaluation loop."""

import logging
import threading

import pytest
import torch
from torch import nn

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.evaluator import DatasetEvaluator, DatasetEvaluators, inference_on_dataset


class Mean(DatasetEvaluator):
    """Averages one number of the output."""

    def __init__(self, task, metric):
        self.task, self.metric = task, metric
        super().__init__()

    def reset(self):
        self.values = []

    def describe(self, record, output):
        return output["value"] * record["weight"]

    def add(self, contribution):
        self.values.append(contribution)

    def evaluate(self):
        mean = sum(self.values) / len(self.values)
        self.per_class = {self.metric: {"all": mean}}
        return {self.task: {self.metric: mean}}


class Other(Mean):
    """Another metric."""


class Doubler(nn.Module):
    """Doubles a number; notes how it was called."""

    def forward(self, batch):
        self.called = (self.training, torch.is_grad_enabled())
        return [{"value": 2 * element["number"]} for element in batch]


def batches(*numbers):
    return [[{"image_id": number, "number": number, "weight": 10}] for number in numbers]


def test_results_are_merged_and_the_model_is_left_as_it_was(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("frozenseg"), "propagate", True)
    caplog.set_level("INFO", logger="frozenseg")
    model = Doubler().train()
    evaluators = DatasetEvaluators([Mean("a", "x"), Other("b", "y")])
    evaluators.process([{"weight": 1}], [{"value": 1e9}])  # of an earlier run, to be forgotten
    results, seconds = inference_on_dataset(model, batches(1, 2, 3), evaluators)
    assert results == {"a": {"x": 40}, "b": {"y": 40}}
    assert evaluators.per_class == {"x": {"all": 40}, "y": {"all": 40}}
    assert model.called == (False, False)
    assert model.training
    assert min(seconds.data, seconds.model, seconds.metric) > 0
    assert "Evaluated 3 images in" in caplog.text
    assert all(f"{part} 0." in caplog.text for part in ("data", "model", "metric"))


def test_eval_mode_stays_and_training_comes_back_after_an_error():
    model = Doubler().eval()
    inference_on_dataset(model, batches(1), Mean("a", "x"))
    assert not model.training
    model.train()
    with pytest.raises(KeyError):
        inference_on_dataset(model, [[{"image_id": 1}]], Mean("a", "x"))
    assert model.training


def test_images_are_scored_while_the_model_computes_the_next_one():
    second = threading.Event()

    class Second(Doubler):
        def forward(self, batch):
            if batch[0]["number"] == 2:
                second.set()
            return super().forward(batch)

    class Waiting(Mean):
        def add(self, contribution):
            assert second.wait(60)
            super().add(contribution)

    results, seconds = inference_on_dataset(Second(), batches(1, 2), Waiting("a", "x"))
    assert results == {"a": {"x": 30}}
    assert seconds.metric > 0


def test_an_error_of_a_metric_ends_the_evaluation():
    class Failing(Mean):
        def describe(self, record, output):
            raise DataError(f"no score for {record['image_id']}")

    with pytest.raises(DataError, match="no score for 1"):
        inference_on_dataset(Doubler(), batches(1, 2, 3), Failing("a", "x"))


def test_a_loader_without_length_is_enough():
    assert inference_on_dataset(Doubler(), iter(batches(1, 3)), Mean("a", "x"))[0] == {"a": {"x": 40}}


def test_an_empty_share_is_fine_an_empty_data_set_is_not(monkeypatch):
    with pytest.raises(DataError, match="no image to evaluate"):
        inference_on_dataset(Doubler(), [], Mean("a", "x"))
    monkeypatch.setattr(distributed, "gather", lambda count: [count, 5])
    monkeypatch.setattr(Mean, "evaluate", lambda self: {"a": {"x": len(self.values)}})
    assert inference_on_dataset(Doubler(), [], Mean("a", "x"))[0] == {"a": {"x": 0}}


def test_one_output_for_each_image():
    class Forgetful(nn.Module):
        def forward(self, batch):
            return []

    with pytest.raises(DataError, match=r"returned 0 outputs for 1 images \(7\)"):
        inference_on_dataset(Forgetful(), batches(7), Mean("a", "x"))
