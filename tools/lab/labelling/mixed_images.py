"""Folder of images as users have them: several formats, modes, sizes and orientations, and some broken files."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from frozenseg.toyworld.export import Recipe, make_scene

SIZES = ((64, 64), (64, 96), (96, 64), (80, 112))  # height, width
KINDS = (
    "jpg", "png", "gif", "bmp", "webp", "tif", "grey.png", "alpha.png", "16bit.png", "turned.jpg",
    "cut.jpg", "text.png",
)  # fmt: skip
BROKEN = ("cut.jpg", "text.png")


def write_mixed_images(folder: Path, count: int) -> int:
    """Write scenes of ToyWorld in all kinds of files, in subfolders.

    Args:
        folder: of the images.
        count: number of files.

    Returns:
        Number of files that cannot be decoded.
    """
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    for number, kind in enumerate(kinds):
        recipe = Recipe("val_seen", 0, count, *SIZES[number % len(SIZES)])
        path = folder / f"{number % 3}" / f"{number:04d}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, kind, Image.fromarray(make_scene(recipe, number + 1).image))
    return sum(kind in BROKEN for kind in kinds)


def _write(path: Path, kind: str, scene: Image.Image) -> None:
    if kind == "text.png":
        path.write_text("no image", encoding="utf-8")
    elif kind == "grey.png":
        scene.convert("L").save(path)
    elif kind == "alpha.png":
        scene.convert("RGBA").save(path)
    elif kind == "16bit.png":
        Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257).save(path)
    elif kind == "turned.jpg":
        orientation = Image.Exif()
        orientation[ExifTags.Base.Orientation] = 6
        scene.save(path, exif=orientation)
    else:
        scene.save(path)
    if kind == "cut.jpg":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
