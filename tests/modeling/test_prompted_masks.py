"""Prompts of a SAM: placement of images, agreement of masks with prompts, and answers of ToyWorld's SAM."""

import functools
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.sam.prompted_masks import EmbeddedPlacement, MaskPrompt, prompt_agreement, prompted_mask
from frozenseg.structures.image_list import ImageSize
from frozenseg.toyworld.export import Recipe, make_scene

SIDE = 128
PLAIN = EmbeddedPlacement(ImageSize(8, 8), ImageSize(8, 8), ImageSize(8, 8), 8)  # logits of 8×8 are the image


@functools.cache
def toy_sam() -> FrozenSAM:
    return build_sam("vit_toy", "toyworld").eval()


@functools.cache
def scene() -> tuple[np.ndarray, dict[str, np.ndarray], Tensor]:
    """Return an image of SAM's size, the mask of each class in it, and its embedding."""
    made = make_scene(Recipe("val_unseen", 1, 4, SIDE, SIDE), 4)
    mean, std = (torch.tensor(values)[:, None, None] for values in (FrozenSAM.PIXEL_MEAN, FrozenSAM.PIXEL_STD))
    pixels = torch.from_numpy(made.image.copy()).permute(2, 0, 1).float()
    embedding = toy_sam()(((pixels - mean) / std)[None])
    return made.image, {each.category.names[0]: made.ids == each.id for each in made.segments}, embedding


def square(top: int, bottom: int, left: int, right: int) -> Tensor:
    logits = torch.full((8, 8), -1.0)
    logits[top:bottom, left:right] = 1.0
    return logits


def test_an_image_that_is_embedded_as_the_package_does_is_placed_as_by_the_package() -> None:
    logits = torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0))
    by_package = Placement.of(60, 100, SIDE)
    inside = ImageSize(*by_package.inside)
    placement = EmbeddedPlacement(ImageSize(60, 100), inside, ImageSize(SIDE, SIDE), SIDE)
    torch.testing.assert_close(placement.at_image_size(logits), by_package.at_image_size(logits))
    points = np.array([[10.0, 20.0], [99.0, 3.0]])
    expected = ResizeLongestSide(SIDE).apply_coords(points, (60, 100))
    np.testing.assert_allclose(placement.to_input([tuple(point) for point in points]), expected, rtol=0.01)


def test_a_resized_and_padded_image_is_placed_exactly() -> None:
    placement = EmbeddedPlacement(ImageSize(50, 100), ImageSize(100, 200), ImageSize(128, 256), 64)
    assert placement.to_input([(100, 50), (50, 25)]).tolist() == [[50, 50], [25, 25]]  # 200/256 and 100/128 of 64
    mask = np.zeros((50, 100), dtype=bool)
    mask[:, 50:] = True
    low = placement.at_low_resolution(mask, (32, 32))  # the image is in 25×25 of the 32×32 pixels
    assert low[:24, 13:24].eq(1).all()
    assert low[26:].eq(0).all()
    assert low[:, :12].eq(0).all()
    back = placement.at_image_size(2 * low[None] - 1)[0] > 0
    assert (back.numpy() != mask).mean() < 0.05


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (MaskPrompt(((1.5, 1.5), (6.5, 6.5)), (True, True)), [0.5, 1.0]),
        (MaskPrompt(((1.5, 1.5), (6.5, 6.5)), (True, False)), [1.0, 0.5]),
        (MaskPrompt(box=(0, 0, 4, 8)), [0.5, 0.5]),
        (MaskPrompt(box=(0, 0, 4, 4)), [1.0, 0.25]),
        (MaskPrompt(((1.5, 1.5),), (True,), box=(0, 0, 4, 8)), [0.75, 0.75]),
        (MaskPrompt(brush=np.tri(8, dtype=bool)), [10 / 36, 1.0]),
    ],
)
def test_agreement_is_the_mean_over_the_parts_of_a_prompt(prompt: MaskPrompt, expected: list[float]) -> None:
    masks = torch.stack([square(0, 4, 0, 4), square(0, 8, 0, 8)])
    torch.testing.assert_close(prompt_agreement(masks, prompt, PLAIN), torch.tensor(expected))


def overlap(mask: np.ndarray, target: np.ndarray) -> float:
    return float((mask & target).sum() / (mask | target).sum())


def answer(**prompt: Any) -> np.ndarray:
    size = ImageSize(SIDE, SIDE)
    placement = EmbeddedPlacement(size, size, size, SIDE)
    result = prompted_mask(toy_sam(), scene()[2], MaskPrompt(**prompt), placement)
    assert result.quality > 0
    return (placement.at_image_size(result.logits[None])[0] > 0).numpy()


def centre(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = mask.nonzero()
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


def test_a_point_a_box_and_a_stroke_have_the_mask_of_their_object() -> None:
    circle = scene()[1]["green circle"]
    rows, columns = circle.nonzero()
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    stroke = np.zeros_like(circle)
    stroke[int(rows.mean()) - 2 : int(rows.mean()) + 2, int(columns.mean()) - 8 : int(columns.mean()) + 8] = True
    assert overlap(answer(points=(centre(circle),), positive=(True,)), circle) > 0.8
    assert overlap(answer(box=box), circle) > 0.8
    assert overlap(answer(brush=stroke), circle) > 0.8


def test_a_negative_point_is_outside_of_the_mask() -> None:
    circle, triangle = scene()[1]["green circle"], scene()[1]["yellow triangle"]
    points = (centre(circle), centre(triangle))
    x, y = map(int, points[1])
    mask = answer(points=points, positive=(True, False))
    assert not mask[y, x]
    assert overlap(mask, circle) > 0.8


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "marks no object"),
        ({"points": ((1.0, 1.0),), "positive": (False,)}, "marks no object"),
        ({"points": ((1.0, 1.0),), "positive": ()}, "1 points and 0 signs"),
        ({"points": ((1.0, 1.0),) * 65, "positive": (True,) * 65}, "at most 64"),
        ({"box": (3.0, 0.0, 3.0, 9.0)}, "has no area"),
        ({"brush": np.zeros((2, 2), dtype=bool)}, "has no pixel"),
    ],
)
def test_a_prompt_without_an_object_is_refused(prompt: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        MaskPrompt(**prompt)
