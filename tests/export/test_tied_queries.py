"""Masks with a pixel within rounding of the threshold do not fail the check, other differences under them do."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pytest
from PIL import Image

from frozenseg.export.check import Reference, StageDifference, _compared_stages
from frozenseg.export.graphs import ImageInputs
from frozenseg.export.tied_queries import MOST_TIED, tied_queries
from frozenseg.vocabulary import Vocabulary

QUERIES = 20
FP32, FP16 = ({"int8": False, "precision": precision} for precision in ("fp32", "fp16"))


def masks(side: int) -> np.ndarray:
    return np.random.default_rng(0).normal(1, 0.1, (1, QUERIES, side, side)).astype(np.float32)


@pytest.mark.parametrize(("side", "tied"), [(8, True), (200, False)])
def test_a_pixel_matters_in_a_small_mask(side: int, tied: bool) -> None:
    expected = masks(side)
    expected[0, 3, 2, 5] = 1e-7
    actual = expected.copy()
    actual[0, 3, 2, 5] = -1e-7
    found = tied_queries(actual, expected, (side // 2, side // 2))
    assert found[0].nonzero()[0].tolist() == ([3] if tied else [])
    assert not tied_queries(expected, expected, (side // 2, side // 2)).any()


def stages(flipped: int = 0) -> dict[str, np.ndarray]:
    """Return stages in which the masks of the first queries have a tied pixel, which changes what is pooled."""
    random = np.random.default_rng(1)
    values = {
        "masks": masks(8),
        "dense": random.normal(size=(1, 4, 4, 4)),
        "clip_embeddings": random.normal(size=(1, QUERIES, 3)),
    }
    values["masks"][:, :, 0, 0] = 1e-7
    values["masks"][:, :flipped, 0, 0] = -1e-7
    values["clip_embeddings"][:, :flipped] += 0.5
    return values


def compared(actual: Mapping[str, np.ndarray], precision: Mapping[str, object] = FP32) -> dict[str, StageDifference]:
    image, vocabulary = Image.new("RGB", (8, 8)), Vocabulary((("cat",),), (True,))
    reference = Reference(image, vocabulary, cast(ImageInputs, None), stages(), {}, 1.0)
    return {row.stage: row for row in _compared_stages(lambda _: actual, precision, [reference])}


def test_queries_with_ties_are_counted_and_not_compared() -> None:
    rows = compared(stages(flipped=1))
    assert all(row.passed for row in rows.values())
    assert rows["queries with ties (share)"].maximum == pytest.approx(1 / QUERIES)
    assert not compared(stages(flipped=1), FP16)["clip_embeddings"].passed  # ties are those of rounding in fp32


def test_another_embedding_without_a_tie_differs() -> None:
    actual = stages()
    actual["clip_embeddings"][0, 5, 1] += 0.5
    assert [row.stage for row in compared(actual).values() if not row.passed] == ["clip_embeddings"]


def test_a_mask_with_a_tie_may_differ_by_a_little() -> None:
    for difference, differing in ((1e-3, []), (0.1, ["masks with ties"])):
        actual = stages(flipped=1)
        actual["masks"][0, 0, 3, 3] += difference
        assert [row.stage for row in compared(actual).values() if not row.passed] == differing
    actual = stages()
    actual["masks"][0, 0, 3, 3] += 1e-3
    assert [row.stage for row in compared(actual).values() if not row.passed] == ["masks"]


def test_many_ties_are_a_difference() -> None:
    rows = compared(stages(flipped=int(MOST_TIED * QUERIES) + 1))
    assert [row.stage for row in rows.values() if not row.passed] == ["queries with ties (share)"]
