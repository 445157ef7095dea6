"""The frozen SAM's automatic masks: what it finds at a grid of points, filtered, the largest ones.

The same masks as ``SamAutomaticMaskGenerator`` of the segment-anything package without crops, in the same order of
operations, which matters:

1. per point, three masks; those with a predicted IoU above its threshold stay, then those stable enough, both judged
   at image size;
2. of boxes that overlap, the one with the highest predicted IoU stays;
3. holes and islands smaller than the least region go, and boxes are compared once more: masks that this left alone go
   before those that it changed, in the order of step 2 otherwise;
4. the largest masks by their area after step 3 stay, the largest first; the package gives all, in the order of step 3.

Step 3 acts on masks and areas alone. Logits stay as the decoder gave them, negative in a filled hole and positive on a
removed island, and so they vote in the released model's ensemble, too.

Letters: M masks, h×w low resolution (256×256), H×W the image, S side of SAM's input, c channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.utils.amg import build_point_grid, calculate_stability_score
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor
from torchvision.ops import nms

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.mask_filters import pixel_boxes, remove_small_regions
from frozenseg.modeling.sam.placement import Placement, rows_at_a_time
from frozenseg.modeling.sam.point_decoder import PointDecoder
from frozenseg.structures.shapes import check_shape

SECOND_NMS = 0.7  # the package's step 3 takes its threshold for crops where that is larger, with or without crops
POINTS_ON_CPU, POINTS_ELSEWHERE = 2, 64
VALUES_AT_ONCE = {"cpu": 2**23, "cuda": 2**28}  # of full-size logits


@dataclass(frozen=True)
class ProposalSettings:
    """How masks are proposed. Two settings that compare equal propose the same masks.

    Args:
        points_per_side: of the square grid of points.
        pred_iou_threshold: masks have a higher predicted IoU; 0 for all.
        stability_threshold: masks are at least as stable; 0 for all. Stability is the IoU of the mask's thresholds,
            one offset up and down.
        stability_offset: of logits.
        nms_threshold: of boxes that overlap more, one stays; IoU.
        min_region_area: of the smallest holes and islands that stay, pixels; 0 for all.
        max_masks: the largest that are returned.
        swap_red_and_blue: show SAM the image in BGR, as the masks of the released pipeline were made.
        bf16: compute with bfloat16 where it is the image's tokens; differences are those of that precision.
        points_per_batch: points decoded at once; None for what suits the device. Says nothing about the masks.
    """

    points_per_side: int = 32
    pred_iou_threshold: float = 0.8
    stability_threshold: float = 0.7
    stability_offset: float = 1.0
    nms_threshold: float = 0.7
    min_region_area: int = 100
    max_masks: int = 50
    swap_red_and_blue: bool = False
    bf16: bool = False
    points_per_batch: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigError: a number out of its range.
        """
        least = {"points_per_side": 1, "stability_offset": 0, "min_region_area": 0, "max_masks": 1}
        for name, smallest in {**least, "points_per_batch": 1}.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to {smallest} or more.")
        for name in ("pred_iou_threshold", "stability_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to a number from 0 to 1.")


@dataclass(frozen=True, eq=False)
class Proposals:
    """SAM's masks of one image, the largest first.

    Args:
        logits: (M, h, w) float32, of the padded input; above 0 is inside. What is at image size follows from them.
        predicted_ious: (M,) what SAM believes of each.
        stability: (M,) 0-1.
        areas: (M,) int64 pixels at image size, small regions removed.
        placement: where the image lies in the logits.
        min_region_area: of the settings.
    """

    logits: Tensor
    predicted_ious: Tensor
    stability: Tensor
    areas: Tensor
    placement: Placement
    min_region_area: int

    def __len__(self) -> int:
        """Return M."""
        return len(self.logits)

    def strips(self, values: int = 2**24) -> Iterator[tuple[slice, Tensor]]:
        """Give the logits at image size, some rows of all masks at a time, so that they never exist all at once.

        Args:
            values: the most at once, unless a single row has more; 16 Mi are 64 MiB.

        Yields:
            The rows, and their logits (M, rows, W) float32.
        """
        height, width = self.placement.size
        step = rows_at_a_time(values, len(self) * width)
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            yield rows, self.placement.at_image_size(self.logits, rows)

    def masks(self) -> np.ndarray:
        """Return the masks at image size, small regions removed, (M, H, W) bool."""
        masks = np.zeros((len(self), *self.placement.size), dtype=bool)
        for rows, logits in self.strips():
            masks[:, rows] = (logits > 0).cpu().numpy()
        if self.min_region_area == 0:
            return masks
        for index, mask in enumerate(masks):
            masks[index], _ = remove_small_regions(mask, self.min_region_area)
        return masks


class Candidates(NamedTuple):
    """Masks that passed the thresholds: logits (M, h, w), predicted IoUs (M,), stability (M,), boxes (M, 4)."""

    logits: Tensor
    predicted_ious: Tensor
    stability: Tensor
    boxes: Tensor


@torch.no_grad()
def propose_masks(
    sam: FrozenSAM, image: Tensor, settings: ProposalSettings | None = None, embedding: Tensor | None = None
) -> Proposals:
    """Find masks everywhere in an image.

    The low-resolution logits of all candidates are kept until duplicates go, 256 KiB each: 0.8 GB at the very most for
    32×32 points, less than the package holds for a single batch of its points.

    Args:
        sam: any.
        image: (3, H, W) uint8 RGB.
        settings: None for those of the paper.
        embedding: (1, c, S/16, S/16) of this image as :func:`embed_image` gives it, where there is one already; the
            model's own embedding is that only where :func:`shares_embedding` says so.

    Raises:
        ShapeError: the image is something else.
        ConfigError: an embedding is given, and red and blue should be swapped, which it cannot show.
    """
    settings = settings or ProposalSettings()
    check_image(image)
    if embedding is not None and settings.swap_red_and_blue:
        raise ConfigError("swap_red_and_blue needs an embedding of its own: leave out the embedding, or the swap.")
    if embedding is None:
        embedding = embed_image(sam, image, settings)
    placement = Placement.of(image.shape[1], image.shape[2], sam.image_size)
    found = list(find_candidates(sam, embedding, placement, settings))
    kept = suppress_duplicates(found, settings.nms_threshold)
    kept, areas = without_small_regions(kept, placement, settings)
    largest = areas.argsort(descending=True, stable=True)[: settings.max_masks]
    return Proposals(
        logits=kept.logits[largest],
        predicted_ious=kept.predicted_ious[largest],
        stability=kept.stability[largest],
        areas=areas[largest],
        placement=placement,
        min_region_area=settings.min_region_area,
    )


def check_image(image: Tensor) -> None:
    """Refuse what is no (3, H, W) uint8 image, with a ShapeError."""
    check_shape("image", image, "3 H W")
    if image.dtype != torch.uint8:
        raise ShapeError(f"image is {image.dtype}, expected torch.uint8 RGB: give the picture before normalisation.")


@torch.no_grad()
def embed_image(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> Tensor:
    """Embed an image as the package does: longest side S, aspect kept, zeros right and below after normalisation.

    Args:
        sam: any.
        image: (3, H, W) uint8 RGB.
        settings: whether red and blue are swapped, and the precision.

    Returns:
        (1, c, S/16, S/16) float32.
    """
    device = sam.prompt_encoder.no_mask_embed.weight.device
    shown = image.flip(0) if settings.swap_red_and_blue else image
    resized = ResizeLongestSide(sam.image_size).apply_image(shown.permute(1, 2, 0).cpu().numpy())
    pixels = torch.from_numpy(resized).to(device).permute(2, 0, 1).float()
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (sam.PIXEL_MEAN, sam.PIXEL_STD))
    height, width = pixels.shape[1:]
    padded = F.pad((pixels - mean) / deviation, (0, sam.image_size - width, 0, sam.image_size - height))
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
        return sam(padded[None]).float()


def shares_embedding(image: tuple[int, int], padded: tuple[int, int], side: int) -> bool:
    """Say whether the model's own embedding of an image is the one that masks are proposed from.

    The model pads first and then resizes without regard to the aspect; the package resizes, aspect kept, and then pads.
    Both see the same pixels only where neither resizes: the longest side is S, and the padded batch is S×S.

    Args:
        image: H and W.
        padded: H and W of the batch.
        side: S.
    """
    return max(image) == side and tuple(padded) == (side, side)


def find_candidates(
    sam: FrozenSAM, embedding: Tensor, placement: Placement, settings: ProposalSettings
) -> Iterator[Candidates]:
    """Ask SAM at every point and keep the good masks, batch by batch of points.

    Args:
        sam: any.
        embedding: (1, c, S/16, S/16).
        placement: of the image.
        settings: grid and thresholds.
    """
    device = embedding.device
    points = torch.as_tensor(placement.to_input(build_point_grid(settings.points_per_side)), device=device)[:, None]
    labels = torch.ones(len(points), 1, dtype=torch.int, device=device)
    prompts, no_mask = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)  # (P, 2, c), (P, c, h, w)
    dtype = torch.bfloat16 if settings.bf16 else torch.float32
    decoder = PointDecoder(sam.mask_decoder, embedding + no_mask[:1], sam.prompt_encoder.get_dense_pe(), dtype)
    batch = settings.points_per_batch or (POINTS_ON_CPU if device.type == "cpu" else POINTS_ELSEWHERE)
    for some in prompts.split(batch):
        tokens, seen = decoder.attend(some)
        quality = decoder.quality(tokens)  # (B, m)
        good = quality > (settings.pred_iou_threshold or -torch.inf)
        asked = good.any(dim=1)
        if asked.all():  # no copy of the image tokens
            logits = decoder.masks(tokens, seen)[good]
        else:
            logits = decoder.masks(tokens[asked], seen[asked])[good[asked]]
        yield keep_stable(logits, quality[good], placement, settings)


def keep_stable(logits: Tensor, quality: Tensor, placement: Placement, settings: ProposalSettings) -> Candidates:
    """Judge masks at image size, some at a time, and return the stable ones with their boxes.

    Args:
        logits: (M, h, w).
        quality: (M,) predicted IoUs.
        placement: of the image.
        settings: threshold and offset.
    """
    stability, boxes = [quality.new_zeros(0)], [quality.new_zeros(0, 4)]
    for some in logits.split(masks_at_a_time(placement, logits.device)):
        full = placement.at_image_size(some)
        stability.append(calculate_stability_score(full, 0.0, settings.stability_offset))
        boxes.append(pixel_boxes(full > 0))
    scores = torch.cat(stability)
    stable = scores >= settings.stability_threshold if settings.stability_threshold else torch.ones_like(scores).bool()
    return Candidates(logits[stable], quality[stable], scores[stable], torch.cat(boxes)[stable])


def masks_at_a_time(placement: Placement, device: torch.device) -> int:
    """Return how many masks are looked at together at image size."""
    return rows_at_a_time(VALUES_AT_ONCE.get(device.type, VALUES_AT_ONCE["cpu"]), placement.size[0] * placement.size[1])


def suppress_duplicates(found: list[Candidates], threshold: float) -> Candidates:
    """Keep the masks whose boxes do not overlap with a better one's, the best first.

    Args:
        found: batches; emptied on the way, so that they are not held twice.
        threshold: IoU of boxes.
    """
    quality = torch.cat([some.predicted_ious for some in found])
    stability = torch.cat([some.stability for some in found])
    boxes = torch.cat([some.boxes for some in found])
    kept = nms(boxes, quality, threshold)
    chosen = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    chosen[kept] = True
    of_batches = chosen.split([len(some.boxes) for some in found])
    logits = torch.cat([some.logits[mine] for some, mine in zip(found, of_batches, strict=True)])
    found.clear()
    return Candidates(logits[chosen.cumsum(0)[kept] - 1], quality[kept], stability[kept], boxes[kept])


def without_small_regions(
    candidates: Candidates, placement: Placement, settings: ProposalSettings
) -> tuple[Candidates, Tensor]:
    """Measure masks without their small regions, and drop those that become duplicates by that.

    Args:
        candidates: after the first suppression.
        placement: of the image.
        settings: the least region.

    Returns:
        Those that stay, and their areas (M,) int64 pixels.
    """
    device = candidates.boxes.device
    areas, boxes, intact = [], [candidates.boxes[:0]], []
    for logits in candidates.logits.split(masks_at_a_time(placement, device)):
        masks = (placement.at_image_size(logits) > 0).cpu().numpy()
        for index, mask in enumerate(masks):
            if settings.min_region_area:
                masks[index], changed = remove_small_regions(mask, settings.min_region_area)
                intact.append(not changed)
        areas.extend(np.count_nonzero(mask) for mask in masks)
        boxes.append(pixel_boxes(torch.from_numpy(masks)).to(device))
    measured = torch.tensor(areas, dtype=torch.int64, device=device)
    if not settings.min_region_area:
        return candidates, measured
    order = torch.tensor(intact, dtype=torch.float32, device=device)
    kept = nms(torch.cat(boxes), order, max(settings.nms_threshold, SECOND_NMS))
    return Candidates(*(values[kept] for values in candidates)), measured[kept]
