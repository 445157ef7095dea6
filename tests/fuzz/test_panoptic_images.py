"""Panoptic PNGs: any ids, other modes and sizes, damage; training targets do not depend on the numbers of the ids."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.structures.panoptic import id_to_rgb
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged
from tests.fuzz.use_of_files import first_batch, inspect, use_all

IDS = st.one_of(st.sampled_from((1, 7, 255, 256, 300, 65535, 65536, 2**24 - 2, 2**24 - 1)), st.integers(1, 2**24 - 1))
DAMAGE = ("none", "none", "none", "mode", "size", "bytes", "unlisted", "missing")


@st.composite
def panoptic_image_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw two ids of segments and the bytes of the first PNG; ``damage`` names how they differ."""
    ids = draw(st.lists(IDS, min_size=2, max_size=2, unique=True))
    damage = draw(st.sampled_from(DAMAGE))
    image = Image.fromarray(id_to_rgb(numbered(1, ids)))
    if damage == "mode":
        image = image.convert(draw(st.sampled_from(("L", "P", "RGBA", "1", "LA"))))
    elif damage == "size":
        image = image.resize((exports.HEIGHT, exports.WIDTH), Image.Resampling.NEAREST)
    elif damage == "unlisted":
        image.putpixel((0, 0), (1, 2, 3))
    buffer = io.BytesIO()
    image.save(buffer, "png")
    data = buffer.getvalue()
    return {"ids": ids, "damage": damage, "data": draw(damaged(data)) if damage == "bytes" else data}


def numbered(image: int, ids: list[int]) -> np.ndarray:
    """Return the segment ids of an image of ``exports.panoptic`` with two other numbers."""
    first, second = exports.MASKS[2 * image - 2], exports.MASKS[2 * image - 1]
    return np.where(second, ids[1], np.where(first, ids[0], 0))


def write(folder: Path, ids: list[int]) -> tuple[Path, Path]:
    """Write JSON and PNGs with two numbers of segments; returns both paths."""
    masks = folder / "masks"
    masks.mkdir(parents=True)
    content = exports.panoptic()
    for number, entry in enumerate(content["annotations"], start=1):
        exports.write_ids(masks / f"{number}.png", numbered(number, ids))
        for index, segment in enumerate(entry["segments_info"]):
            segment |= {"id": ids[index], "area": int((numbered(number, ids) == ids[index]).sum())}
    return exports.write_json(folder / "panoptic.json", content), masks


@fuzz("panoptic images", panoptic_image_cases(), examples=40)
def test_panoptic_images(case: dict[str, Any], folder: Path) -> None:
    images = exports.write_images(folder)
    files, usual = write(folder / "drawn", case["ids"]), write(folder / "usual", [1, 2])
    (files[1] / "1.png").write_bytes(case["data"])
    if case["damage"] == "missing":
        (files[1] / "1.png").unlink()
    name, other = (f"coco-panoptic:{json}?images={images}&masks={masks}" for json, masks in (files, usual))

    def score() -> None:
        quality = score_panoptic_files(*files, *files, workers=1, quiet=True).results["panoptic_seg"]["PQ"]
        assert case["damage"] != "none" or quality == 100

    if case["damage"] == "none":
        score()
        inspect(name, folder)
        for actual, expected in zip(first_batch(name), first_batch(other), strict=True):
            assert torch.equal(actual["instances"].gt_masks, expected["instances"].gt_masks)
            assert torch.equal(actual["image"], expected["image"])
    else:
        use_all(lambda: first_batch(name), lambda: inspect(name, folder), score)
