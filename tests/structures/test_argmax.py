"""The fast argmax is torch's, ties and infinities included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenseg.structures import argmax as module
from frozenseg.structures.argmax import best_class


@given(st.integers(1, 80), st.integers(0, 20), st.integers(1, 20), st.integers(0, 2**31), st.sampled_from([0, 2, 40]))
@settings(max_examples=100, deadline=None)
def test_it_is_the_argmax(classes, height, width, seed, steps):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand((classes, height, width), generator=generator)
    scores = (steps * scores).round() if steps else scores  # ties
    assert torch.equal(best_class(scores), scores.argmax(dim=0))


@pytest.mark.parametrize("noise", [0.0, 0.2, 2.0])
def test_regions_are_the_easy_case_and_noise_the_hard_one(noise, monkeypatch):
    monkeypatch.setattr(module, "STRIP", 128)
    generator = torch.Generator().manual_seed(0)
    scores = noise * torch.rand((60, 40, 50), generator=generator)
    for label, top in enumerate(range(0, 40, 7)):
        scores[9 * label + 3, top : top + 7] += 1
    assert torch.equal(best_class(scores), scores.argmax(dim=0))


def test_infinite_scores_count():
    scores = torch.full((60, 8, 16), -torch.inf)
    assert not best_class(scores).any()
    scores[7, 0] = scores[50, 0] = torch.inf
    scores[50, 1] = -1e30
    assert best_class(scores)[:, 0].tolist() == [7, 50, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("classes", [3, 60])
def test_not_a_number_has_no_class(classes):
    scores = torch.rand((classes, 9, 16), generator=torch.Generator().manual_seed(0))
    scores[classes - 1, 1, 0] = float("nan")
    labels = best_class(scores)
    assert labels[1, 0] == -1
    assert labels.flatten()[:16].tolist() == scores.argmax(dim=0).flatten()[:16].tolist()
