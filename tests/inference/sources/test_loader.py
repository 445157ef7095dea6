"""Background loading: order, errors, and how far it runs ahead."""

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.sources.image_list import image_list
from frozenseg.inference.sources.loader import batches_of, load_batches
from frozenseg.inference.sources.source_image import PendingImage


def pending(number: int, decoded: list[int]) -> PendingImage:
    def decode() -> Image.Image:
        decoded.append(number)
        if number == 3:
            raise DataError("image 3 is broken")
        return Image.new("RGB", (number + 1, 1))

    return PendingImage(str(number), str(number), decode)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_images_are_in_order_and_broken_ones_have_a_reason(workers: int) -> None:
    batches = list(load_batches(batches_of((pending(n, []) for n in range(7)), 3), workers))
    assert [[image.name for image in batch] for batch in batches] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [image.size[0] for batch in batches for image in batch] == [1, 2, 3, 0, 5, 6, 7]
    assert (batches[1][0].image, batches[1][0].error) == (None, "image 3 is broken")


@pytest.mark.parametrize(("workers", "most"), [(0, 2), (2, 6)])
def test_at_most_two_batches_are_decoded_in_advance(workers: int, most: int) -> None:
    taken, decoded = [], []

    def images() -> Iterator[PendingImage]:
        for number in range(10, 40):
            taken.append(number)
            yield pending(number, decoded)

    for count, batch in enumerate(load_batches(batches_of(images(), 2), workers), start=1):
        assert len(taken) <= 2 * (count - 1) + most
        assert len(batch) == 2
    assert len(decoded) == 30


def test_threads_end_if_the_images_are_not_used_up() -> None:
    before = threading.active_count()
    batches = load_batches(batches_of((pending(n, []) for n in range(20)), 2), 2)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    before = list(warnings.filters)
    images = image_list([tmp_path / "a.png"]).parts * 40
    for batch in load_batches(batches_of(images, 8), workers=8):
        assert all(image.size == (64, 64) for image in batch)
    assert warnings.filters == before
