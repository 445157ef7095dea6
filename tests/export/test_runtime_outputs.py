"""NumPy's post-processing gives the outputs of PyTorch's, for random class scores and masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from frozenseg.export.runtime import postprocess
from frozenseg.export.runtime_classes import CallClasses
from frozenseg.modeling.postprocess.hidden_classes import HiddenClasses
from frozenseg.modeling.postprocess.instance import DISTINCT_OBJECTS, InstanceRule
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.structures.image_list import ImageSize

QUERIES, CLASSES = 12, 5  # the last two are negatives
ISTHING = (True, False, True, False, False)
PADDED, TRUE, TARGET = ImageSize(64, 96), ImageSize(57, 70), ImageSize(83, 51)


class Settings:
    """Stand-in for the inference settings, with the fields that ``HiddenClasses`` reads."""

    negatives, background, negative_weight, min_evidence = 2, (1,), 0.3, 0.05


def random_outputs(seed: int) -> tuple[Tensor, Tensor]:
    """Return log-probabilities (Q, C + 1), and smooth mask logits (Q, 16, 24); one mask is empty."""
    generator = torch.Generator().manual_seed(seed)
    logits = (3 * torch.randn(QUERIES, CLASSES + 1, generator=generator)).log_softmax(dim=-1)
    coarse = 4 * torch.randn(1, QUERIES, 4, 6, generator=generator)
    masks = torch.nn.functional.interpolate(coarse, size=(16, 24), mode="bilinear")[0]
    masks[0] = -1
    masks[2] = masks[1] + 0.01  # a double
    return logits, masks


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", [DISTINCT_OBJECTS, InstanceRule(clean=True), replace(DISTINCT_OBJECTS, min_score=0.3)])
def test_outputs_are_those_of_pytorch(seed: int, rule: InstanceRule) -> None:
    logits, masks = random_outputs(seed)
    processor = Postprocessor(labels=True, detections=9, instance_rule=rule, overlap_threshold=0.5)
    hidden = HiddenClasses.of_image(logits, masks, Settings())  # type: ignore[arg-type]
    expected = hidden.removed_from(
        processor(
            hidden.merged(logits),
            masks,
            hidden.merged_flags(ISTHING),
            true_size=TRUE,
            target_size=TARGET,
            padded_size=PADDED,
        )
    )
    rules = {"score_threshold": 0.0, "overlap_threshold": 0.5, "detections": 9, "one_class": rule.one_class}
    actual = postprocess(
        {"class_probabilities": logits.exp().numpy(), "masks": masks.numpy()},
        CallClasses([], [], list(ISTHING[:3]), [1], 0.3, 0.05),
        (PADDED, TRUE, TARGET),
        {**rules, "mask_nms": rule.mask_nms, "min_score": rule.min_score},
    )
    panoptic, segments = expected["panoptic_seg"]
    assert np.array_equal(actual.panoptic, panoptic.numpy())
    assert [{**each, "score": 0} for each in actual.segments] == [{**each, "score": 0} for each in segments]
    assert [each["score"] for each in actual.segments] == pytest.approx([each["score"] for each in segments], rel=1e-5)
    assert np.array_equal(actual.semantic, expected["sem_seg"].numpy())
    instances = expected["instances"]
    assert actual.instances.classes.tolist() == instances.pred_classes.tolist()
    assert np.array_equal(actual.instances.masks, instances.pred_masks.numpy())
    assert np.array_equal(actual.instances.boxes, instances.pred_boxes.numpy())
    assert actual.instances.scores == pytest.approx(instances.scores.numpy(), rel=1e-5)


def test_void_everywhere_gives_no_segment() -> None:
    probabilities = np.full((QUERIES, 4), 1e-6, dtype=np.float32)
    probabilities[:, -1] = 1 - 3e-6
    outputs = {"class_probabilities": probabilities, "masks": np.ones((QUERIES, 4, 6), dtype=np.float32)}
    rules = {"score_threshold": 0.0, "overlap_threshold": 0.8, "detections": 9, "one_class": True}
    rules |= {"mask_nms": 0.8, "min_score": 0.0}
    classes = CallClasses([], [], [True] * 3, [], 1.0, 0.1)
    actual = postprocess(outputs, classes, ((16, 24), (16, 24), (16, 24)), rules)
    assert not actual.panoptic.any()
    assert actual.segments == []
    assert (actual.semantic == -1).all()  # every class is absent
    assert len(actual.instances.scores) == 0
