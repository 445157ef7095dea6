"""Inputs made from seeds, and recipes in words."""

import pytest
import torch

from frozenseg.errors import DataError
from lab.parity.inputs import (
    check_crc,
    evaluate_recipe,
    make_blob_masks,
    make_image,
    make_labels,
    rand,
    randn,
    stateless_rand,
)
from tests.lab.parity.test_fill import REFERENCE, load


def test_a_picture_is_smooth_and_uses_all_grey_levels() -> None:
    image = make_image(3, 40, 60).int()
    assert image.shape == (3, 40, 60)
    assert (image.min(), image.max()) == (0, 255)
    assert (image[:, :, 1:] - image[:, :, :-1]).abs().float().mean() < 12


def test_blobs_cover_the_share_that_was_drawn() -> None:
    outside = 0.70 + 0.25 * torch.rand(4, generator=torch.Generator().manual_seed(7))
    covered = make_blob_masks(7, 4, 50, 60).float().mean(dim=(1, 2))
    assert torch.allclose(covered, 1 - outside, atol=1e-3)


def test_the_same_shape_draws_the_same_numbers() -> None:
    with stateless_rand(5):
        first, second, other = torch.rand(2, 3), torch.rand((2, 3), device="cpu"), torch.rand(3)
    assert torch.equal(first, second)
    assert torch.equal(first, rand(5, 2, 3))
    assert other.shape == (3,)
    assert not torch.equal(torch.rand(2, 3), first)  # the real one is back


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("recipe.make_labels(3, 5, 12)", make_labels(3, 5, 12)),
        ("randn(4, 2, 3)", randn(4, 2, 3)),
        ("recipe.make_image(1, 12, 18, cell=6)", make_image(1, 12, 18, cell=6)),
    ],
)
def test_recipes(recipe: str, expected: torch.Tensor) -> None:
    assert torch.equal(evaluate_recipe(recipe), expected)


@pytest.mark.parametrize(
    "recipe", ["zeros [0,H,W]", "recipe.make_cake(1)", "__import__('os').getcwd()", "randn(open('x'))", "1 + 1"]
)
def test_what_is_no_recipe(recipe: str) -> None:
    with pytest.raises(DataError, match="is not a recipe: expected a call of make_image"):
        evaluate_recipe(recipe)


def test_another_picture_is_refused() -> None:
    with pytest.raises(DataError, match="case: an image has another checksum"):
        check_crc("case", make_image(1, 12, 18), 0)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the goldens in ../shared/parity are not here")
def test_the_recipes_are_the_reference_s() -> None:
    reference = load(REFERENCE / "recipe.py")
    assert torch.equal(reference.make_image(9, 50, 70), make_image(9, 50, 70))
    assert torch.equal(reference.make_blob_masks(9, 5, 50, 70), make_blob_masks(9, 5, 50, 70))
    assert torch.equal(reference.make_labels(9, 5, 7), make_labels(9, 5, 7))
    assert torch.equal(reference.StatelessRand(2)(3, 4), rand(2, 3, 4))
