"""Comparison of two results of the segmenter."""

import torch

from frozenseg.inference.result import Result


def assert_same_result(result: Result, expected: Result) -> None:
    """Compare all outputs to the bit."""
    assert result.vocabulary == expected.vocabulary
    assert torch.equal(result.semantic, expected.semantic)
    assert torch.equal(result.panoptic[0], expected.panoptic[0])
    assert result.panoptic[1] == expected.panoptic[1]
    assert torch.equal(result.instances.scores, expected.instances.scores)
    assert torch.equal(result.instances.pred_masks, expected.instances.pred_masks)
