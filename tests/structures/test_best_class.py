"""The fast argmax is torch's, ties and NaN included."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenseg.structures import best_class as module
from frozenseg.structures.best_class import best_class


@given(st.integers(1, 80), st.integers(0, 7), st.integers(1, 7), st.integers(0, 2**31), st.booleans())
@settings(max_examples=60, deadline=None)
def test_it_is_the_argmax(classes, height, width, seed, ties):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand((classes, height, width), generator=generator)
    scores = (4 * scores).round() if ties else scores
    assert torch.equal(best_class(scores), scores.argmax(dim=0))


def test_strips_are_joined(monkeypatch):
    monkeypatch.setattr(module, "STRIP", 5)
    scores = torch.rand((60, 4, 7), generator=torch.Generator().manual_seed(0))
    assert torch.equal(best_class(scores), scores.argmax(dim=0))


@pytest.mark.parametrize("place", [0, 30, 59])
def test_not_a_number_counts_as_highest(place):
    scores = torch.rand((60, 2, 2), generator=torch.Generator().manual_seed(0))
    scores[place, 1, 0] = float("nan")
    labels = best_class(scores)
    assert torch.equal(labels, scores.argmax(dim=0))
    assert labels[1, 0] == place
