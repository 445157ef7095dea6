"""Test time: ensemble and read-outs of our modules against the formulas, in float64."""

from typing import Any

import numpy as np
import pytest

from frozenseg.modeling.ensemble.geometric import EnsembleWeights, geometric_ensemble
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import instance_inference
from frozenseg.modeling.postprocess.panoptic import panoptic_inference
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.postprocess.restore_size import restore_size
from frozenseg.modeling.postprocess.semantic import semantic_inference
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.structures.instances import Instances
from tests.lab.parity.formulas import postprocessor
from tests.lab.parity.formulas.primitives import resize
from tests.lab.parity.formulas.torch_side import agree, float64, normal, tensor, tensors
from tests.tiny import tiny_config

SEEDS = (0, 1, 2)
ISTHING = (True, False, True, False, False)
AREA_EPSILON = 2e-6  # of an instance's score: ours adds 1e-6 to its area in pixels


def blobs(seed: int, queries: int = 20, size: tuple[int, int] = (13, 18)) -> np.ndarray:
    """Return smooth mask logits of both signs; the last one is empty."""
    masks = resize(4 * normal(seed, queries, 4, 5), size) - 1
    masks[-1] = -3.0
    return masks


def scores(seed: int, queries: int = 20) -> np.ndarray:
    logits = 3 * normal(seed, queries, len(ISTHING) + 1)
    logits[:2, -1] += 20  # void
    return logits


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.8), (0.0, 0.0), (1.0, 0.3)])
@pytest.mark.parametrize("on_valid_mask", [True, False])
def test_geometric_ensemble(alpha: float, beta: float, on_valid_mask: bool, seed: int) -> None:
    inside, outside = 3 * normal(seed, 2, 7, 6), 3 * normal(seed + 1, 2, 7, 6)
    seen = np.array([True, False, False, True, False])
    valid = normal(seed, 2, 7) > 0 if on_valid_mask else None
    with float64():
        inputs = tensors((inside, outside, seen))
        actual = geometric_ensemble(*inputs, EnsembleWeights(alpha, beta), None if valid is None else tensor(valid))
    agree(actual.semantic, postprocessor.geometric_ensemble(inside, outside, seen, alpha, beta, valid))


@pytest.mark.parametrize("seed", SEEDS)
def test_semantic(seed: int) -> None:
    logits, masks = scores(seed), blobs(seed)
    agree(semantic_inference(*tensors((logits, masks))), postprocessor.semantic(logits, masks))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("score", "overlap"), [(0.0, 0.8), (0.0, 0.0), (0.0, 0.3), (0.7, 0.4), (1.0, 0.0)])
def test_panoptic(seed: int, score: float, overlap: float) -> None:
    logits, masks = scores(seed), blobs(seed)
    ids, segments = panoptic_inference(MaskCandidates(*tensors((logits, masks))), ISTHING, score, overlap)
    expected, expected_segments = postprocessor.panoptic(logits, masks, ISTHING, score, overlap)
    same_segments(segments, expected_segments)
    assert (ids.numpy() == expected).all()


def same_segments(actual: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare all but the scores exactly; ours are sums of whole numbers, with six digits."""
    ours, theirs = (
        [{key: each[key] for key in each if key != "score"} for each in side] for side in (actual, expected)
    )
    assert ours == theirs
    assert [each["score"] for each in actual] == pytest.approx([each["score"] for each in expected], abs=1e-6)


def same_instances(actual: Instances, expected: postprocessor.Detections) -> None:
    """Compare as sets: by class, then by score."""
    mine = np.lexsort((actual.scores.numpy(), actual.pred_classes.numpy()))
    theirs = np.lexsort((expected.scores, expected.classes))
    assert (actual.pred_classes.numpy()[mine] == expected.classes[theirs]).all()
    assert np.allclose(actual.scores.numpy()[mine], expected.scores[theirs], rtol=AREA_EPSILON, atol=1e-12)
    full = expected.scores[theirs] > 0  # empty masks all score 0: any order
    assert (actual.pred_masks.numpy()[mine][full] == expected.masks[theirs][full]).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("isthing", [ISTHING, None])
@pytest.mark.parametrize("top", [9, 30, 100])
def test_instances(top: int, isthing: tuple[bool, ...] | None, seed: int) -> None:
    logits, masks = scores(seed), blobs(seed)
    actual = instance_inference(MaskCandidates(*tensors((logits, masks))), top, isthing)
    same_instances(actual, postprocessor.instances(logits, masks, top, isthing))


@pytest.mark.parametrize("wanted", [(13, 18), (20, 31), (6, 5)])
def test_padding_is_cut_before_the_size_is_restored(wanted: tuple[int, int]) -> None:
    maps = normal(3, 4, 16, 20)
    actual = restore_size(tensor(maps), ImageSize(13, 18), ImageSize(*wanted))
    agree(actual, postprocessor.restore_size(maps, (13, 18), wanted))


@pytest.mark.parametrize("instance", [True, False])
@pytest.mark.parametrize("panoptic", [True, False])
@pytest.mark.parametrize("recall", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_what_is_restored_masks_or_scores(asked: bool, recall: bool, panoptic: bool, instance: bool) -> None:
    """Masks before the read-outs when another one is on (or asked for), scores after it for semantic alone."""
    logits, masks, size, wanted = scores(5), blobs(5), (11, 17), (22, 30)
    keys = {"PANOPTIC_ON": panoptic, "INSTANCE_ON": instance, "RECALL_ON": recall}
    keys |= {"SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE": asked}
    options = [item for key, value in keys.items() for item in (f"MODEL.MASK_FORMER.TEST.{key}", value)]
    read = Postprocessor.from_config(tiny_config("FCCLIP", *options))
    sizes = {"true_size": ImageSize(*size), "target_size": ImageSize(*wanted)}
    actual = read(*tensors((logits, masks)), ISTHING, **sizes)["sem_seg"]
    if panoptic or instance or recall or asked:
        expected = postprocessor.semantic(logits, postprocessor.restore_size(masks, size, wanted))
    else:
        expected = postprocessor.restore_size(postprocessor.semantic(logits, masks), size, wanted)
    agree(actual, expected)


def test_batches_are_normalised_then_padded() -> None:
    images = [np.random.default_rng(side).integers(0, 256, (3, side, 40 - side)) for side in (10, 33)]
    mean, std = [120.0, 110.0, 100.0], [60.0, 50.0, 70.0]
    normed = [(one - tensor(np.array(mean))[:, None, None]) / tensor(np.array(std))[:, None, None]
              for one in tensors(images)]  # fmt: skip
    batch = ImageList.from_images(normed, 32)
    agree(batch.tensor, postprocessor.batch_of(images, mean, std, 32))
    assert batch.tensor.shape == (2, 3, 64, 32)


def test_mask_proposals_by_hand() -> None:
    """Class 0 is seen. Proposals: sure of class 1; surest of class 0; of void; of class 1, but not above a half."""
    p = np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.1, 0.49, 0.41]])
    masks = np.array([[[0.0, 100.0]], [[100.0, 100.0]], [[100.0, 100.0]], [[100.0, 100.0]]])
    before, seen = np.array([[[0.3, 0.6]], [[0.5, 0.25]]]), np.array([True, False])
    mixed = postprocessor.with_mask_proposals(before, np.log(p), masks, seen, 0.2)
    expected = np.array([[[0.3, 0.6]], [[0.8 * 0.5 + 0.2 * 0.8 * 0.5, 0.8 * 0.25 + 0.2 * 0.8]]])
    assert np.allclose(mixed, expected)
    assert (postprocessor.with_mask_proposals(before, np.log(p[:0]), masks[:0], seen, 0.2) == before).all()
