"""Masks as pictures: a tint for every class, a line around every segment, and a legend of the words.

The overlay is torchvision's, the legend and the sheets are matplotlib's (the ``demo`` extra).
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf
from torchvision.utils import draw_segmentation_masks

from frozenseg.errors import ConfigError
from frozenseg.inference.palette import Colour, class_colour
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

OPACITY = 0.55
LINE = (255, 255, 255)
DPI = 120
LEGEND_ROWS = 14
SMALL = 320  # pictures with a shorter side are enlarged, so that lines stay thin and legends in proportion


def draw_panoptic(
    image: Image.Image, panoptic: tuple[Tensor, list[dict[str, Any]]], vocabulary: Vocabulary
) -> Image.Image:
    """Return the picture under its segments, with a legend.

    Args:
        image: (W, H) RGB.
        panoptic: (H, W) integer map of ids, and for each ``id`` its ``category_id``; other ids stay bare.
        vocabulary: names the categories.
    """
    ids, segments = panoptic
    masks = [ids == segment["id"] for segment in segments]
    labels = [segment["category_id"] for segment in segments]
    return _with_legend(_overlay(image, masks, labels), labels, vocabulary)


def draw_instances(
    image: Image.Image, instances: Instances, vocabulary: Vocabulary, threshold: float = 0.3
) -> Image.Image:
    """Return the picture under its instances, the best on top, with a legend.

    Args:
        image: (W, H) RGB.
        instances: with ``pred_masks`` (n, H, W) bool, ``scores`` (n,) and ``pred_classes`` (n,) int64.
        vocabulary: names the classes.
        threshold: instances that score less are left out, 0-1.
    """
    shown = instances[instances.scores >= threshold]
    shown = shown[shown.scores.argsort()]
    labels = shown.pred_classes.tolist()
    return _with_legend(_overlay(image, list(shown.pred_masks), labels), labels, vocabulary)


def draw_semantic(image: Image.Image, semantic: Tensor, vocabulary: Vocabulary) -> Image.Image:
    """Return the picture under its classes, with a legend.

    Args:
        image: (W, H) RGB.
        semantic: (H, W) int64 classes, or (C, H, W) scores.
        vocabulary: names the classes.
    """
    if semantic.ndim == 3:
        semantic = semantic.argmax(dim=0)
    labels = [label for label in semantic.unique().tolist() if 0 <= label < len(vocabulary)]
    masks = [semantic == label for label in labels]
    return _with_legend(_overlay(image, masks, labels), labels, vocabulary)


def contact_sheet(rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> Image.Image:
    """Return pictures in rows and columns, each with its title above it."""
    pyplot = _pyplot()
    columns = max(len(row) for row in rows)
    widths = [max(row[column][1].width for row in rows if column < len(row)) for column in range(columns)]
    height = sum(max(picture.height for _, picture in row) for row in rows)
    scale = 3.2 / max(max(widths), 1)
    size = (scale * sum(widths) + 0.2 * columns, scale * height + 0.3 * len(rows))
    figure, axes = pyplot.subplots(len(rows), columns, figsize=size, squeeze=False, width_ratios=widths)
    for axis in axes.flat:
        axis.axis("off")
        axis.set_anchor("N")
    for row, row_axes in zip(rows, axes, strict=True):
        for (title, picture), axis in zip(row, row_axes, strict=False):
            axis.imshow(picture, interpolation="lanczos")
            axis.set_title(title, fontsize=9, color="#333333", pad=3)
    figure.tight_layout(pad=0.4)
    return _rendered(figure)


def enlarged(image: Image.Image) -> Image.Image:
    """Return the picture (RGB), a small one a whole number of times as large, as all drawings are."""
    factor = max(1, -(-SMALL // min(image.size)))
    return image.convert("RGB").resize((image.width * factor, image.height * factor))


def _overlay(image: Image.Image, masks: Sequence[Tensor], labels: Sequence[int]) -> Image.Image:
    """Tint masks, later ones on top, and draw a line along their borders."""
    owner = torch.full((image.height, image.width), -1)  # (H, W): which mask is on top
    for index, mask in enumerate(masks):
        owner[mask] = index
    large = enlarged(image)
    factor = large.width // image.width
    if not masks:
        return large
    picture = tvf.pil_to_tensor(large)  # (3, H, W) uint8
    owner = owner.repeat_interleave(factor, dim=0).repeat_interleave(factor, dim=1)
    tops = torch.stack([owner == index for index in range(len(masks))])  # (n, H, W)
    colours = [class_colour(label) for label in labels]
    picture = draw_segmentation_masks(picture, tops, alpha=OPACITY, colors=colours)
    picture = draw_segmentation_masks(picture, _borders(owner), alpha=0.9, colors=[LINE])
    return tvf.to_pil_image(picture)


def _borders(owner: Tensor) -> Tensor:
    """Return (H, W) bool: pixels whose right or lower neighbour belongs to another mask."""
    below = F.pad(owner[1:] != owner[:-1], (0, 0, 0, 1))
    right = F.pad(owner[:, 1:] != owner[:, :-1], (0, 1))
    return below | right


def _with_legend(picture: Image.Image, labels: Sequence[int], vocabulary: Vocabulary) -> Image.Image:
    """Put the words that occur to the right of the picture, most frequent first."""
    counts = {label: labels.count(label) for label in dict.fromkeys(labels)}
    entries = []
    for label in sorted(counts, key=lambda label: -counts[label]):
        times = f" × {counts[label]}" if counts[label] > 1 else ""
        entries.append((f"{vocabulary.names[label]}{times}", class_colour(label)))
    return _beside(picture, _legend(entries, picture.height))


def _legend(entries: Sequence[tuple[str, Colour]], height: int) -> Image.Image:
    pyplot = _pyplot()
    from matplotlib.patches import Patch

    figure = pyplot.figure(figsize=(2.2, max(height / DPI, 1.6)))
    patches = [Patch(facecolor=np.array(colour) / 255, edgecolor="#555555", linewidth=0.5) for _, colour in entries]
    columns = -(-len(entries) // LEGEND_ROWS) or 1
    names = [name for name, _ in entries] or ["nothing found"]
    figure.legend(
        patches or [Patch(facecolor="white")], names, loc="center left", fontsize=8, frameon=False, ncols=columns
    )
    return _trimmed(_rendered(figure))


def _trimmed(picture: Image.Image) -> Image.Image:
    """Cut white margins off, left and right."""
    ink = np.asarray(picture.convert("L")).min(axis=0) < 250
    if not ink.any():
        return picture
    first, last = np.flatnonzero(ink)[[0, -1]]
    return picture.crop((max(first - 8, 0), 0, min(last + 8, picture.width), picture.height))


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    height = max(left.height, right.height)
    sheet = Image.new("RGB", (left.width + right.width, height), "white")
    sheet.paste(left, (0, (height - left.height) // 2))
    sheet.paste(right, (left.width, (height - right.height) // 2))
    return sheet


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ConfigError(
            "Drawing needs matplotlib: pip install 'frozenseg[demo]', or pip install matplotlib."
        ) from error
    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _rendered(figure: Any) -> Image.Image:
    from matplotlib import pyplot

    buffer = BytesIO()
    figure.savefig(buffer, dpi=DPI, facecolor="white")
    pyplot.close(figure)
    return Image.open(buffer).convert("RGB")
