"""Best class of each pixel, and best of many candidates: ties, infinities, invalid scores."""

import pytest
import torch

from frozenseg.structures.argmax import best_class, first_largest


@pytest.mark.parametrize("classes", [1, 3, 60])
@pytest.mark.parametrize("steps", [2, 40])
def test_the_first_of_equal_scores_is_taken(classes, steps):
    scores = (steps * torch.rand((classes, 9, 16), generator=torch.Generator().manual_seed(0))).round()
    first = [[column.tolist().index(column.max()) for column in row] for row in scores.permute(1, 2, 0)]
    assert best_class(scores).tolist() == first


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


def test_an_empty_map_has_no_labels():
    assert best_class(torch.zeros(3, 0, 5)).shape == (0, 5)


@pytest.mark.parametrize("candidates", [1, 63, 64, 65, 80, 97])
@pytest.mark.parametrize("steps", [2, 400])
def test_the_first_of_the_largest_values_is_taken(candidates, steps):
    generator = torch.Generator().manual_seed(0)
    values = (steps * torch.rand((candidates, 9, 16), generator=generator)).round()
    first = [[column.tolist().index(column.max()) for column in row] for row in values.permute(1, 2, 0)]
    assert first_largest(values).tolist() == first
    values[candidates // 2, 1, 0] = float("nan")
    assert first_largest(values)[1, 0] == candidates // 2
