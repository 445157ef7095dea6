"""Timing of SAM proposals: this project against SamAutomaticMaskGenerator, with the IoUs of their masks."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from torch import Tensor

from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import embed_image, propose_masks
from frozenseg.modeling.sam.base import FrozenSAM

EQUAL = 0.999  # IoU of masks that count as equal


class TimedProposals(NamedTuple):
    """The masks of one implementation and its run times.

    Attributes:
        encoder: seconds of the image encoder.
        seconds: seconds of all other steps.
        proposals: (M, H, W) bool.
    """

    encoder: float
    seconds: float
    proposals: np.ndarray


def synthetic_image(height: int, width: int) -> Tensor:
    """Return a fixed image of blurred noise, (3, H, W) uint8."""
    noise = np.random.default_rng(0).standard_normal((3, height, width))
    smooth = ndimage.gaussian_filter(noise, (0, height / 16, width / 16))
    scaled = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return torch.from_numpy((255 * scaled).astype(np.uint8))


def compare(sam: FrozenSAM, image: Tensor, settings: ProposalSettings, bf16: bool) -> list[dict[str, float | str]]:
    """Time the package once and this project once per precision; returns a row per precision."""
    package = run_package(sam, image, settings)
    rows: list[dict[str, float | str]] = []
    for precision in (False, True)[: 1 + bf16]:
        ours = run_ours(sam, image, replace(settings, bf16=precision))
        ious = matched_ious(package.proposals, ours.proposals)
        rows.append(
            {
                "precision": "bfloat16" if precision else "float32",
                "encoder_package": package.encoder,
                "encoder_ours": ours.encoder,
                "package": package.seconds,
                "ours": ours.seconds,
                "ratio": package.seconds / ours.seconds,
                "ratio_with_encoder": (package.encoder + package.seconds) / (ours.encoder + ours.seconds),
                "masks_package": len(package.proposals),
                "masks_ours": len(ours.proposals),
                "equal": float((ious >= EQUAL).mean()) if len(ious) else 1.0,
                "mean_iou": float(ious.mean()) if len(ious) else 1.0,
                "least_iou": float(ious.min()) if len(ious) else 1.0,
            }
        )
    return rows


def package_generator(sam: FrozenSAM, settings: ProposalSettings) -> SamAutomaticMaskGenerator:
    """Return the package's mask generator with the same weights."""
    device = sam.prompt_encoder.no_mask_embed.weight.device
    sam.image_encoder.img_size = sam.image_size  # type: ignore[assignment]  # TinyViT has no such attribute
    return SamAutomaticMaskGenerator(
        Sam(sam.image_encoder, sam.prompt_encoder, sam.mask_decoder).to(device).eval(),
        points_per_side=settings.points_per_side,
        pred_iou_thresh=settings.pred_iou_threshold,
        stability_score_thresh=settings.stability_threshold,
        stability_score_offset=settings.stability_offset,
        box_nms_thresh=settings.nms_threshold,
        min_mask_region_area=settings.min_region_area,
    )


def run_package(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> TimedProposals:
    """Time the package, with the encoder timed separately."""
    generator = package_generator(sam, settings)
    pixels = image.permute(1, 2, 0).numpy()
    set_image, encoder_seconds = generator.predictor.set_image, []

    def timed_set_image(*arguments: Any) -> None:
        encoder_seconds.append(seconds(lambda: set_image(*arguments))[0])

    generator.predictor.set_image = timed_set_image
    total, records = seconds(lambda: generator.generate(pixels))
    masks = np.array([record["segmentation"] for record in records]).reshape(-1, *image.shape[1:])
    return TimedProposals(encoder_seconds[0], total - encoder_seconds[0], masks)


def run_ours(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> TimedProposals:
    """Time this project's proposals, with the encoder timed separately."""
    encoder, embedding = seconds(lambda: embed_image(sam, image, settings))
    rest, proposals = seconds(lambda: propose_masks(sam, image, settings, embedding))
    return TimedProposals(encoder, rest, proposals.masks())


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the run time in seconds, including queued work of the GPU, and the result."""
    before = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - before, result


def matched_ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the IoUs of the one-to-one matching with the largest sum; 0 for masks without a match.

    Args:
        one: (M, H, W) bool.
        other: (N, H, W) bool.

    Returns:
        IoUs (max(M, N),).
    """
    ious = np.zeros(max(len(one), len(other)))
    if len(one) == 0 or len(other) == 0:
        return ious
    flat_one, flat_other = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (one, other))
    common = flat_one @ flat_other.T
    union = flat_one.sum(1)[:, None] + flat_other.sum(1)[None] - common
    overlap = np.where(union == 0, 1.0, common / np.maximum(1, union))  # two empty masks are equal
    pairs = linear_sum_assignment(overlap, maximize=True)
    ious[: len(pairs[0])] = overlap[pairs]
    return ious
