"""Limits of ToyWorld's SAM: masks at points by position, shape and size of the thing, and filters of automatic masks.

Letters: P points, m masks of a point (four), h×w their size, H×W image size, R regions, M masks.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from frozenseg.log import progress
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import propose_masks
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.toyworld.categories import Category
from frozenseg.toyworld.scenes import Scene
from lab.pretraining.sam import Prompts, mask_ious, normalise, predict_masks
from lab.pretraining.scores import POINTS, best_ious, region_masks

RANDOM_POINTS = 3  # per thing
SMALL, LARGE = 400, 800  # pixels of a thing
CENTRE, ANYWHERE = "farthest from the outline", "random"
FILTERS = ((0.8, 1.0), (0.8, 0.25), (0.7, 0.5), (0.7, 0.25), (0.6, 0.5), (0.6, 0.25), (0.6, 0.125), (0.0, 0.0))
Row = tuple[str, ...]


class PointMask(NamedTuple):
    """Mask that SAM chooses at a point of a thing.

    Attributes:
        category: of the thing.
        area: of the thing, pixels.
        position: of the point, ``CENTRE`` or ``ANYWHERE``.
        iou: of the mask and the thing.
        best: highest IoU of the three masks.
        precision: share of the mask inside the thing.
        recall: share of the thing inside the mask.
    """

    category: Category
    area: int
    position: str
    iou: float
    best: float
    precision: float
    recall: float


GROUPS: dict[str, Callable[[PointMask], str]] = {
    "point": lambda mask: mask.position,
    "area": lambda mask: _area_name(mask.area),
    "shape": lambda mask: mask.category.parts["shape"],
    "pattern": lambda mask: mask.category.parts["pattern"] or "plain",
}


def point_rows(sam: FrozenSAM, scenes: Sequence[Scene], seed: int = 0) -> list[Row]:
    """Return the means of groups of point masks in percent, as rows of a table; areas to patterns at random points."""
    rng = np.random.default_rng(seed)
    masks = [mask for scene in progress(scenes, "masks at points") for mask in point_masks(sam, scene, rng)]
    rows = []
    for group, name_of in GROUPS.items():
        members: dict[str, list[PointMask]] = defaultdict(list)
        for mask in masks:
            if group == "point" or mask.position == ANYWHERE:
                members[name_of(mask)].append(mask)
        for name, chosen in sorted(members.items()):
            means = np.mean([[mask.iou, mask.best, mask.precision, mask.recall] for mask in chosen], axis=0)
            rows.append((group, name, str(len(chosen)), *(f"{100 * value:.1f}" for value in means)))
    return rows


@torch.no_grad()
def point_masks(sam: FrozenSAM, scene: Scene, rng: np.random.Generator) -> list[PointMask]:
    """Prompt SAM at the centre and at random pixels of every thing of a scene."""
    masks = region_masks(scene)
    things = [index for index, segment in enumerate(scene.segments) if segment.category.isthing]
    if not things:
        return []
    prompts = [(index, *prompt) for index in things for prompt in _points(masks[index], rng)]
    points = torch.tensor([point for _, _, point in prompts])[None]  # (1, P, 2)
    image = normalise(torch.from_numpy(scene.image).permute(2, 0, 1))[None]
    truth = masks[[index for index, _, _ in prompts]]  # (P, H, W)
    logits, quality = predict_masks(sam, Prompts(image, points, truth.float()[None]))
    size = (truth.shape[1], truth.shape[2])
    full = F.interpolate(logits[0, :, 1:], size=size, mode="bilinear", align_corners=False)  # (P, 3, H, W)
    ious = mask_ious(full, truth[:, None].float().expand_as(full))  # (P, 3)
    best = quality[0, :, 1:].argmax(dim=1)
    results = []
    for number, (index, position, _) in enumerate(prompts):
        predicted, target = full[number, best[number]] > 0, truth[number]
        overlap = float((predicted & target).sum())
        results.append(
            PointMask(
                scene.segments[index].category,
                int(target.sum()),
                position,
                float(ious[number, best[number]]),
                float(ious[number].max()),
                overlap / max(1, int(predicted.sum())),
                overlap / int(target.sum()),
            )
        )
    return results


def filter_rows(sam: FrozenSAM, scenes: Sequence[Scene]) -> list[Row]:
    """Return number, recall and precision of the automatic masks under several filters, as rows of a table.

    The last row is without filters: no thresholds, and no suppression of duplicates.
    """
    rows = []
    for smallest, offset in FILTERS:
        settings = _settings(smallest, offset)
        counts, recalls, precisions = [], [], []
        for scene in progress(scenes, f"predicted IoU > {smallest:g}, offset {offset:g}"):
            image, regions = torch.from_numpy(scene.image).permute(2, 0, 1), region_masks(scene)
            proposals = torch.from_numpy(propose_masks(sam, image, settings).masks())
            counts.append(len(proposals))
            recalls.append(best_ious(regions, proposals))
            precisions.append(best_ious(proposals, regions))
        recall, precision = torch.cat(recalls), torch.cat(precisions)
        shares = [_share(recall, 0.5), _share(recall, 0.75), _share(recall, 0.9), _share(precision, 0.5)]
        rows.append((f"{smallest:g}", f"{offset:g}", f"{np.mean(counts):.1f}", *shares))
    return rows


def _settings(smallest: float, offset: float) -> ProposalSettings:
    """Return settings with thresholds; for a predicted IoU of 0, without any filter."""
    settings = ProposalSettings(POINTS, smallest, stability_offset=offset, min_region_area=0)
    if smallest > 0:
        return settings
    return replace(settings, stability_threshold=0.0, nms_threshold=1.0, max_masks=3 * POINTS**2)


def _points(mask: Tensor, rng: np.random.Generator) -> list[tuple[str, tuple[float, float]]]:
    """Return positions and points x, y of prompts: the pixel farthest from the outline, and random pixels."""
    depth = ndimage.distance_transform_edt(np.pad(mask.numpy(), 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    rows, columns = np.nonzero(depth)
    chosen = rng.integers(len(rows), size=RANDOM_POINTS)
    centre = (CENTRE, (float(column) + 0.5, float(row) + 0.5))
    return [centre, *((ANYWHERE, (float(columns[k]) + 0.5, float(rows[k]) + 0.5)) for k in chosen)]


def _area_name(area: int) -> str:
    if area < SMALL:
        return f"below {SMALL} pixels"
    return f"{SMALL} to {LARGE - 1} pixels" if area < LARGE else f"from {LARGE} pixels"


def _share(ious: Tensor, threshold: float) -> str:
    return f"{100 * float((ious >= threshold).float().mean()):.1f}" if len(ious) else "–"
