"""Timed segmentation and training of tiny models: the parts cover the run, and the results are those of the model."""

import time

import pytest
import torch

from frozenseg.vocabulary import Vocabulary
from lab.model_timing.case import Case
from lab.model_timing.part_clock import PartClock
from lab.model_timing.parts import BACKWARD, CLIP, DEFORMABLE, OPTIMIZER, OUTPUTS, SAM, WHOLE, with_sums
from lab.model_timing.workload import Segmentation, Training, random_text_embeddings
from tests.tiny import NARROW, ROOT

CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")
EIGHT_HEADS = ("MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", "8")  # the rule of the weights needs them
OPTIONS = [str(option) for option in (*NARROW, *EIGHT_HEADS, "MODEL.DEVICE", "cpu")]
CASE = Case(height=64, width=96, classes=5, batch=2, output_height=32, output_width=48)


@pytest.fixture(scope="module")
def segmentation() -> Segmentation:
    workload = Segmentation(CONFIG, OPTIONS, classes=3, scores=False)
    workload.prepare(CASE)
    return workload


def test_parts_cover_the_run(segmentation: Segmentation) -> None:
    seconds = segmentation.run(keep=False)
    parts = segmentation.clock.seconds()
    assert {CLIP, SAM, DEFORMABLE, OUTPUTS} < set(parts)
    assert min(parts.values()) > 0
    sums = with_sums(parts, seconds)
    assert 0 < sums["rest"] < sums["forward"] < sums[WHOLE] == seconds
    assert segmentation.results == {}


def test_kept_results_are_those_of_the_model(segmentation: Segmentation) -> None:
    segmentation.run(keep=True)
    results = segmentation.results
    assert results["class scores"].shape == (2, 6, 5 + 1)
    assert results["mask logits"].shape == (2, 6, 16, 24)
    with torch.no_grad():
        again = segmentation.model(segmentation.batch)
    assert torch.equal(results["semantic of image 1"], again[1]["sem_seg"])
    assert results["semantic of image 1"].shape == (32, 48)


def test_scores_instead_of_labels() -> None:
    workload = Segmentation(CONFIG, OPTIONS, classes=3, scores=True)
    workload.prepare(CASE._replace(batch=1))
    workload.run(keep=True)
    assert workload.results["semantic of image 0"].shape == (5, 32, 48)


@pytest.mark.parametrize("at_once", [0, 1])
def test_a_training_step_by_part(at_once: int) -> None:
    workload = Training(CONFIG, [*OPTIONS, "SOLVER.IMAGES_AT_ONCE", str(at_once)], classes=5, scores=False)
    workload.prepare(CASE._replace(height=96, masks=2))
    before = workload.model.sem_seg_head.predictor.query_feat.weight.clone()
    seconds = workload.run(keep=True)
    parts = with_sums(workload.clock.seconds(), seconds)
    assert {CLIP, SAM, "losses", BACKWARD, "gradient clipping", OPTIMIZER} < set(parts)
    assert parts["rest"] < 0.5 * seconds  # the backward pass of every part of the batch is counted
    assert workload.results["gradient norm"] > 0
    assert {"loss_ce", "loss_mask", "loss_dice"} < set(workload.results)
    assert not torch.equal(before, workload.model.sem_seg_head.predictor.query_feat.weight)


def test_text_embeddings_differ_between_classes_and_end_with_void() -> None:
    void = torch.tensor([[3.0, 4.0]])
    text = random_text_embeddings(Vocabulary.from_strings(["cat,kitten", "dog"]), void)
    assert torch.allclose(text.embeddings.norm(dim=1), torch.ones(4))
    assert torch.allclose(text.embeddings[-1], torch.tensor([0.6, 0.8]))
    assert len(text.embeddings.unique(dim=0)) == 4
    assert text.class_index.tolist() == [0, 0, 1, 2]


def test_processor_time_does_not_count_waiting() -> None:
    clock = PartClock(torch.device("cpu"))
    assert clock.whole(lambda: time.sleep(0.02))[1] >= 0.02
    clock.count_processor_time()
    assert clock.whole(lambda: time.sleep(0.02))[1] < 0.02
