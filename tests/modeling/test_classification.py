"""Class logits: cosine, capped scale, best synonym."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenseg.modeling.classification import class_logits, max_over_synonyms
from frozenseg.modeling.types import TextEmbeddings


def words(*counts: int) -> TextEmbeddings:
    rows = torch.eye(sum(counts))
    return TextEmbeddings(rows, torch.tensor([c for c, n in enumerate(counts) for _ in range(n)]), len(counts))


def test_best_synonym_wins_and_void_is_last() -> None:
    x = torch.tensor([[3.0, 4.0, 0.0, 0.0]])  # length 5; two synonyms, one single class, void
    logits = class_logits(x, words(2, 1, 1), torch.tensor(math.log(10.0)))
    assert torch.allclose(logits, torch.tensor([[8.0, 0.0, 0.0]]))


def test_scale_is_capped_at_100() -> None:
    logits = class_logits(torch.tensor([[1.0, 0.0]]), words(1, 1), torch.tensor(6.0))  # exp(6) = 403
    assert torch.allclose(logits, torch.tensor([[100.0, 0.0]]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 10_000))
def test_max_over_synonyms_equals_a_loop(counts: list[int], seed: int) -> None:
    logits = torch.randn(2, 3, sum(counts), generator=torch.Generator().manual_seed(seed))
    index = torch.tensor([c for c, n in enumerate(counts) for _ in range(n)])
    expected = torch.stack([part.amax(dim=-1) for part in logits.split(counts, dim=-1)], dim=-1)
    assert torch.equal(max_over_synonyms(logits, index, len(counts)), expected)
