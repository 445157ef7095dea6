"""Mask of a prompt: points, a box or a brush stroke, decoded by a frozen SAM from an embedding that exists already.

A SAM answers a prompt with several masks (Kirillov et al. 2023, section 3). Here the masks of the whole prompt compete
with those of its single points, and the mask that agrees best with the prompt is returned: a SAM that is trained on
single points only, such as ToyWorld's, then answers boxes, strokes and negative points, too.

Letters: P points, M candidate masks, m masks of a prompt (four), c channels, h×w low resolution, H×W the image, S side
of SAM's input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.modeling.sam.automatic_masks.mask_filters import pixel_boxes
from frozenseg.modeling.sam.automatic_masks.placement import weights_along
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.structures.image_list import ImageSize
from frozenseg.structures.shapes import check_shape

MAX_POINTS = 64  # of a prompt
MAX_SINGLE_POINTS = 5  # that are decoded on their own
QUALITY_WEIGHT = 1.0  # of the predicted IoU beside the agreement with the prompt
BRUSH_LOGIT = 10.0  # of a pixel in a mask prompt
BOX_POINTS = ((0.5, 0.5), (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))  # x, y in fractions of the box


@dataclass(frozen=True, eq=False)
class MaskPrompt:
    """Prompt of a mask, in pixels of the image.

    Attributes:
        points: x, y of each point, from the left upper corner.
        positive: True for each point inside of the object, False for one outside.
        box: x0, y0, x1, y1 around the object; None for none.
        brush: (H, W) bool, pixels of a stroke on the object; None for none.

    Raises:
        DataError: the prompt is empty or has too many points, or the box or the stroke has no pixel.
    """

    points: tuple[tuple[float, float], ...] = ()
    positive: tuple[bool, ...] = ()
    box: tuple[float, float, float, float] | None = None
    brush: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check that the prompt marks an object."""
        if len(self.points) != len(self.positive):
            raise DataError(f"The prompt has {len(self.points)} points and {len(self.positive)} signs: pass one each.")
        if len(self.points) > MAX_POINTS:
            raise DataError(f"The prompt has {len(self.points)} points, expected at most {MAX_POINTS}: remove some.")
        if not any(self.positive) and self.box is None and self.brush is None:
            raise DataError("The prompt marks no object: add a point inside of it, a box around it, or a stroke on it.")
        if self.box is not None and (self.box[2] <= self.box[0] or self.box[3] <= self.box[1]):
            raise DataError(f"The box {list(self.box)} has no area, expected x0, y0, x1, y1 with x0 < x1 and y0 < y1.")
        if self.brush is not None and not self.brush.any():
            raise DataError("The brush stroke has no pixel in the image: draw it on the object.")


class EmbeddedPlacement(NamedTuple):
    """Position of an image in SAM's input, as the segmentation model embeds it: resized, padded, resized to S×S."""

    image: ImageSize  # H and W
    resized: ImageSize  # at the test size of the model
    padded: ImageSize
    side: int  # S

    def to_input(self, points: Sequence[tuple[float, float]]) -> Tensor:
        """Convert points x, y in pixels of the image to pixels of the input, (P, 2) float32."""
        across = self.resized.width / self.image.width * self.side / self.padded.width
        down = self.resized.height / self.image.height * self.side / self.padded.height
        return torch.tensor(points, dtype=torch.float32).reshape(-1, 2) * torch.tensor([across, down])

    def at_image_size(self, logits: Tensor) -> Tensor:
        """Resize mask logits (M, h, w) of the input to (M, H, W)."""
        check_shape("mask logits", logits, "M h w")
        down, across = (
            weights_along(logits.shape[1 + axis], self.padded[axis], self.resized[axis], self.image[axis])
            for axis in (0, 1)
        )
        return down.to(logits) @ logits @ across.to(logits).T

    def at_low_resolution(self, mask: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Return the share of each low-resolution pixel in a mask (H, W) of the image, (h, w) float32."""
        shares = torch.from_numpy(mask).float()[None, None]
        resized = F.interpolate(shares, size=tuple(self.resized), mode="area")[0, 0]
        padding = (0, self.padded.width - self.resized.width, 0, self.padded.height - self.resized.height)
        return F.interpolate(F.pad(resized, padding)[None, None], size=size, mode="area")[0, 0]


class PromptedMask(NamedTuple):
    """Best mask of a prompt."""

    logits: Tensor  # (h, w) of the input
    quality: float  # predicted IoU with the object
    agreement: float  # with the prompt, 0-1


class _Candidates(NamedTuple):
    logits: Tensor  # (M, h, w)
    quality: Tensor  # (M,) predicted IoUs


@torch.no_grad()
def prompted_mask(sam: FrozenSAM, embedding: Tensor, prompt: MaskPrompt, placement: EmbeddedPlacement) -> PromptedMask:
    """Return the mask of a prompt.

    Args:
        sam: any SAM.
        embedding: (1, c, S/16, S/16) of the image.
        prompt: points, box or stroke.
        placement: of the image in the embedding.

    Raises:
        DataError: no candidate has a pixel.
    """
    check_shape("embedding", embedding, "1 c h w", c=sam.channels)
    candidates = _with_composites(_candidates(sam, embedding, prompt, placement), prompt, placement)
    agreement = prompt_agreement(candidates.logits, prompt, placement)  # (M,)
    is_empty = ~(candidates.logits > 0).flatten(1).any(dim=1)
    score = agreement + QUALITY_WEIGHT * candidates.quality.clamp(0, 1)
    best = int(score.masked_fill(is_empty, -torch.inf).argmax())
    if is_empty.all():
        raise DataError("SAM has no mask for the prompt: choose another point of the object.")
    return PromptedMask(candidates.logits[best], float(candidates.quality[best]), float(agreement[best]))


def prompt_agreement(logits: Tensor, prompt: MaskPrompt, placement: EmbeddedPlacement) -> Tensor:
    """Return the agreement of masks with a prompt, (M,) 0-1: the mean over its points, its box and its stroke.

    A point counts 1 if it is on its side of the mask, the box its IoU with the box of the mask, and the stroke the
    share that the mask covers.

    Args:
        logits: (M, h, w) of the input.
        prompt: of the masks.
        placement: of the image in the input.
    """
    masks = logits > 0
    parts = []
    if prompt.points:
        inside = _at_points(logits, placement.to_input(prompt.points), placement.side) > 0  # (M, P)
        parts.append((inside == torch.tensor(prompt.positive, device=logits.device)).float().mean(dim=1))
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        scale = logits.shape[-1] / placement.side
        target = placement.to_input([(x0, y0), (x1, y1)]).flatten().to(logits.device) * scale
        boxes = pixel_boxes(masks)
        parts.append(_box_overlap(boxes + boxes.new_tensor([0, 0, 1, 1]), target))
    if prompt.brush is not None:
        stroke = placement.at_low_resolution(prompt.brush, (logits.shape[1], logits.shape[2])).to(logits.device)
        parts.append((masks * stroke).flatten(1).sum(dim=1) / stroke.sum())
    return torch.stack(parts).mean(dim=0)


def _candidates(
    sam: FrozenSAM, embedding: Tensor, prompt: MaskPrompt, placement: EmbeddedPlacement
) -> tuple[_Candidates, _Candidates, _Candidates]:
    """Return the masks of the whole prompt, those of single positive points, and those at negative points."""
    device = embedding.device
    points = placement.to_input(prompt.points).to(device) - 0.5  # the prompt encoder adds the half pixel
    positive = torch.tensor(prompt.positive, dtype=torch.bool, device=device)
    box = None
    if prompt.box is not None:
        box = placement.to_input([prompt.box[:2], prompt.box[2:]]).to(device).reshape(1, 4) - 0.5
    mask = None
    if prompt.brush is not None:
        stroke = placement.at_low_resolution(prompt.brush, sam.prompt_encoder.mask_input_size).to(device)
        mask = (2 * BRUSH_LOGIT * (stroke > 0).float() - BRUSH_LOGIT)[None, None]
    whole = _decode(sam, embedding, (points[None], positive.int()[None]) if len(points) else None, box, mask)
    inside = torch.cat([points[positive][-MAX_SINGLE_POINTS:], _points_on_object(prompt, placement).to(device) - 0.5])
    outside = points[~positive][-MAX_SINGLE_POINTS:]
    single = torch.cat([inside, outside])[:, None]  # (P, 1, 2)
    if len(points) == len(single) == 1 and box is None and mask is None:
        nothing = _Candidates(whole.logits[:0], whole.quality[:0])
        return whole, nothing, nothing
    alone = _decode(sam, embedding, (single, torch.ones(len(single), 1, dtype=torch.int, device=device)), None, None)
    split = len(inside) * (len(alone.logits) // len(single))
    return whole, _Candidates(*(each[:split] for each in alone)), _Candidates(*(each[split:] for each in alone))


def _with_composites(
    candidates: tuple[_Candidates, _Candidates, _Candidates], prompt: MaskPrompt, placement: EmbeddedPlacement
) -> _Candidates:
    """Return all candidates, with each of them cut off where an object at a negative point is."""
    whole, alone, outside = candidates
    logits, quality = torch.cat([whole.logits, alone.logits]), torch.cat([whole.quality, alone.quality])
    if len(outside.logits):
        on_object = [point for point, sign in zip(prompt.points, prompt.positive, strict=True) if sign]
        covers = (_at_points(outside.logits, placement.to_input(on_object), placement.side) > 0).any(dim=1)  # (M,)
        others = outside.logits[~covers]
        if len(others):
            cut = torch.minimum(logits[:, None], -others[None])  # (M, K, h, w)
            kept = (cut > 0).flatten(2).sum(dim=2) / (logits > 0).flatten(1).sum(dim=1).clamp(min=1)[:, None]  # (M, K)
            cut_quality = torch.minimum(quality[:, None], outside.quality[~covers]) * kept
            logits, quality = torch.cat([logits, cut.flatten(0, 1)]), torch.cat([quality, cut_quality.flatten()])
    return _Candidates(logits, quality)


def _decode(
    sam: FrozenSAM, embedding: Tensor, points: tuple[Tensor, Tensor] | None, box: Tensor | None, mask: Tensor | None
) -> _Candidates:
    """Decode a batch of prompts; returns all their masks, m of each."""
    sparse, dense = sam.prompt_encoder(points=points, boxes=box, masks=mask)
    logits, quality = sam.mask_decoder.predict_masks(
        image_embeddings=embedding,
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
    )  # (P, m, h, w), (P, m)
    return _Candidates(logits.flatten(0, 1), quality.flatten())


def _points_on_object(prompt: MaskPrompt, placement: EmbeddedPlacement) -> Tensor:
    """Return points of the input that are probably on the object: in the box, and along the stroke, (P, 2)."""
    points: list[tuple[float, float]] = []
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        points += [(x0 + across * (x1 - x0), y0 + down * (y1 - y0)) for across, down in BOX_POINTS]
    if prompt.brush is not None:
        rows, columns = prompt.brush.nonzero()
        chosen = np.linspace(0, len(rows) - 1, MAX_SINGLE_POINTS + 2).round().astype(int)[1:-1]
        points += [(float(columns[index]) + 0.5, float(rows[index]) + 0.5) for index in chosen]
    return placement.to_input(points)


def _at_points(logits: Tensor, points: Tensor, side: int) -> Tensor:
    """Interpolate mask logits (M, h, w) at points (P, 2) of the input, (M, P)."""
    grid = (points.to(logits) * 2 / side - 1)[None, None].expand(len(logits), -1, -1, -1)  # (M, 1, P, 2)
    return F.grid_sample(logits[:, None], grid, padding_mode="border", align_corners=False)[:, 0, 0]


def _box_overlap(boxes: Tensor, target: Tensor) -> Tensor:
    """Return the IoU of boxes (M, 4) with a box (4,), x0, y0, x1, y1."""
    size = (torch.minimum(boxes[:, 2:], target[2:]) - torch.maximum(boxes[:, :2], target[:2])).clamp(min=0)
    shared = size.prod(dim=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) + (target[2:] - target[:2]).prod()
    return shared / (areas - shared).clamp(min=1e-6)
