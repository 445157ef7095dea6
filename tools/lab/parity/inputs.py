"""Inputs of the goldens, generated from seeds: smooth images, blob masks, labels and random numbers."""

import ast
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frozenseg.errors import DataError

Array = NDArray[Any]
TORCH_RAND = torch.rand  # the original function, while StatelessRand replaces it


def make_image(seed: int, height: int, width: int, cell: int = 24) -> Tensor:
    """Return an image of smooth noise, (3, height, width) uint8, with blobs of ``cell`` and of 6 pixels."""
    generator = torch.Generator().manual_seed(seed)
    coarse, fine = (
        torch.rand(3, height // size + 2, width // size + 2, generator=generator).double().numpy() for size in (cell, 6)
    )
    image = 0.75 * _enlarge(coarse, height, width) + 0.25 * _enlarge(fine, height, width)
    image = (image - 0.5) * 1.6 + 0.5  # so that all values in 0-255 occur
    return torch.from_numpy(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))


def make_blob_masks(seed: int, n: int, h: int, w: int, cell: int | None = None) -> Tensor:
    """Return n masks of random blobs, (n, h, w) bool, each with 5 to 30 % of the pixels."""
    cell = cell or max(8, min(h, w) // 4)
    generator = torch.Generator().manual_seed(seed)
    outside = 0.70 + 0.25 * torch.rand(n, generator=generator).double().numpy()
    masks = np.zeros((n, h, w), dtype=bool)
    for mask, share in zip(masks, outside, strict=True):
        noise = torch.rand(1, h // cell + 2, w // cell + 2, generator=generator).double().numpy()
        field = _enlarge(noise, h, w)[0]
        mask[:] = field > np.quantile(field, share)
    return torch.from_numpy(masks)


def make_labels(seed: int, n: int, num_classes: int) -> Tensor:
    """Return n labels, (n,) int64."""
    return torch.randint(0, num_classes, (n,), generator=torch.Generator().manual_seed(seed))


def randn(seed: int, *shape: int) -> Tensor:
    """Return normal float32 numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rand(seed: int, *shape: int) -> Tensor:
    """Return uniform float32 numbers."""
    return TORCH_RAND(*shape, generator=torch.Generator().manual_seed(seed))


class StatelessRand:
    """Replacement of ``torch.rand`` without state: the same shape always gives the same numbers.

    Args:
        seed: of every draw.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(
        self, *size: Any, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return uniform float32 numbers; the arguments are those of ``torch.rand``, and the generator is ignored."""
        del generator
        shape = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
        return rand(self.seed, *shape).to(device=device)


@contextmanager
def stateless_rand(seed: int) -> Iterator[None]:
    """Replace ``torch.rand`` by :class:`StatelessRand`."""
    torch.rand = StatelessRand(seed)  # type: ignore[assignment]  # a callable object instead of the function
    try:
        yield
    finally:
        torch.rand = TORCH_RAND


RECIPES: dict[str, Callable[..., Tensor]] = {
    "make_image": make_image,
    "make_blob_masks": make_blob_masks,
    "make_labels": make_labels,
    "randn": randn,
    "rand": rand,
}


def evaluate_recipe(recipe: str) -> Tensor:
    """Return the tensor of a recipe such as ``"recipe.make_image(111, 192, 256)"``.

    Raises:
        DataError: The text is not a call of a known recipe with literal arguments.
    """
    try:
        call = ast.parse(recipe, mode="eval").body
        if not isinstance(call, ast.Call):
            raise TypeError("not a call")
        name = ast.unparse(call.func).rpartition(".")[2]
        arguments = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return RECIPES[name](*arguments, **named)
    except (SyntaxError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{recipe!r} is not a recipe: expected a call of {', '.join(RECIPES)} with numbers.") from error


def check_crc(case: str, image: Tensor, crc32: int) -> None:
    """Check that an image (3, h, w) uint8 has the checksum of the reference's image.

    Raises:
        DataError: The checksum differs.
    """
    if zlib.crc32(image.numpy().tobytes()) != crc32:
        raise DataError(f"{case}: an image has another checksum than that of the reference: copy the golden again.")


def _enlarge(grids: Array, height: int, width: int) -> Array:
    """Resize grids (c, h, w) float64 bilinearly, with half-pixel centres and repeated edges."""

    def neighbours(size: int, grid: int) -> tuple[Array, Array, Array]:
        position = np.clip((np.arange(size) + 0.5) * grid / size - 0.5, 0, grid - 1)
        first = np.floor(position).astype(np.int64)
        return first, np.minimum(first + 1, grid - 1), position - first

    top, bottom, down = neighbours(height, grids.shape[1])
    left, right, across = neighbours(width, grids.shape[2])
    rows = grids[:, top] * (1 - down)[:, None] + grids[:, bottom] * down[:, None]
    return rows[:, :, left] * (1 - across) + rows[:, :, right] * across
