"""PASCAL VOC 2012 as downloaded: palette PNGs, JPEGs and lists of names."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 32, 16
AEROPLANE, PERSON, MONITOR, BOUNDARY = 1, 15, 20, 255
NAMES = {"train": ("2007_000032", "2007_000039"), "val": ("2007_000033", "2007_000042")}


def make(root: Path) -> None:
    """Write the miniature under ``root/VOCdevkit/VOC2012``."""
    home = root / "VOCdevkit/VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"):
        (home / folder).mkdir(parents=True)
    for split, names in NAMES.items():
        (home / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(home / f"JPEGImages/{name}.jpg")
            save_with_palette(home / f"SegmentationClass/{name}.png", labels_of())
    everything = [name for names in NAMES.values() for name in names]
    (home / "ImageSets/Segmentation/trainval.txt").write_text("\n".join(everything) + "\n")
    Image.new("RGB", (WIDTH, HEIGHT)).save(home / "JPEGImages/2007_000027.jpg")  # without labels, like most images


def labels_of() -> np.ndarray:
    """Return the labels of every image: background, three objects, one of them with a boundary."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[3:9, 3:13] = BOUNDARY
    labels[4:8, 4:12] = AEROPLANE
    labels[10:16, 0:4], labels[10:16, 28:32] = PERSON, MONITOR
    return labels


def save_with_palette(path: Path, labels: np.ndarray) -> None:
    """Save labels in the format of VOC, as palette indices."""
    image = Image.fromarray(labels)
    image.putpalette([value for index in range(256) for value in voc_colour(index)])
    image.save(path)


def voc_colour(index: int) -> tuple[int, int, int]:
    """Return the palette colour of an index: its bits are distributed over the channels, the highest first."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]
