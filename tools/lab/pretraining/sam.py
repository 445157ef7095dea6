"""Training of ToyWorld's SAM: class-agnostic masks from point prompts (Kirillov et al. 2023).

Letters: B images, P points per image, m masks per point (one for unambiguous prompts, then three), H×W image size, h×w
mask size of SAM.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.sam.base import FrozenSAM
from lab.pretraining.optimise import Losses
from lab.pretraining.scene_pool import ScenePool, flipped

QUALITY = 1.0  # weight of the loss of predicted IoUs
GAMMA = 2.0  # exponent of the focal loss
MASK_STRIDE = 2  # the masks of the toy SAM have half the image size
AMBIGUOUS = slice(1, None)  # the three masks for one point; only the best of them has a loss


class MaskWeights(NamedTuple):
    """Weights of the losses of a mask."""

    focal: float = 20.0
    cross_entropy: float = 0.0
    dice: float = 1.0


AS_SAM = MaskWeights()
SHARP = MaskWeights(focal=0.0, cross_entropy=5.0, dice=5.0)  # as Mask2Former; small things count more


class Prompts(NamedTuple):
    """Point prompts and their ground truth masks.

    Attributes:
        images: (B, 3, H, W) float32, normalised.
        points: (B, P, 2) float32 x, y in pixels.
        masks: (B, P, h, w) float32 in 0-1, share of each pixel that is inside.
    """

    images: Tensor
    points: Tensor
    masks: Tensor


class PointPromptStep:
    """Losses of a training step, as a function of its number.

    Args:
        sam: trained model; its parameters must have ``requires_grad``.
        pool: training scenes with the image size of SAM.
        batch: B.
        points: P.
        seed: of scenes and points.
    """

    def __init__(self, sam: FrozenSAM, pool: ScenePool, batch: int, points: int, seed: int) -> None:
        self.sam, self.pool, self.batch, self.points, self.seed = sam, pool, batch, points, seed

    def __call__(self, step: int) -> Losses:
        """Return the losses of the masks at random points of random scenes."""
        rng = np.random.default_rng([self.seed, step])
        prompts = draw_prompts(rng, self.pool, self.batch, self.points)
        logits, quality = predict_masks(self.sam, prompts)
        return sam_losses(logits.flatten(0, 1), quality.flatten(0, 1), prompts.masks.flatten(0, 1))


def draw_prompts(rng: np.random.Generator, pool: ScenePool, batch: int, points: int) -> Prompts:
    """Draw random scenes, mirrored at random, with points: each in a random pixel of a random segment."""
    images, coordinates, masks = [], [], []
    for scene in rng.integers(len(pool.images), size=batch):
        image, layers = flipped(rng, pool.images[scene], pool.layers[scene])
        images.append(normalise(image))
        numbers = np.unique(layers.numpy())
        for number in rng.choice(numbers, size=points):
            inside = layers == int(number)
            rows, columns = inside.nonzero(as_tuple=True)
            pixel = rng.integers(len(rows))
            coordinates.append((float(columns[pixel]) + 0.5, float(rows[pixel]) + 0.5))
            masks.append(inside)
    small = F.avg_pool2d(torch.stack(masks)[:, None].float(), MASK_STRIDE)  # (B·P, 1, h, w)
    return Prompts(
        torch.stack(images),
        torch.tensor(coordinates).view(batch, points, 2),
        small.view(batch, points, *small.shape[-2:]),
    )


def normalise(image: Tensor) -> Tensor:
    """Normalise RGB images (…, 3, H, W) uint8 with SAM's mean and standard deviation."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (FrozenSAM.PIXEL_MEAN, FrozenSAM.PIXEL_STD))
    return (image.float() - mean) / std


def predict_masks(sam: FrozenSAM, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Predict the masks at every point.

    Returns:
        Logits (B, P, m, h, w) and predicted IoUs (B, P, m).
    """
    return masks_of_embeddings(sam, sam.image_encoder(prompts.images), prompts.points)


def masks_of_embeddings(sam: FrozenSAM, embeddings: Tensor, point_sets: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the masks at every point (B, P, 2) of embedded images (B, c, side, side), as :func:`predict_masks`."""
    labels = torch.ones(point_sets.shape[1], 1, dtype=torch.int)
    logits, quality = [], []
    for embedding, points in zip(embeddings, point_sets, strict=True):
        sparse, dense = sam.prompt_encoder(points=(points[:, None], labels), boxes=None, masks=None)
        low, iou = sam.mask_decoder.predict_masks(
            image_embeddings=embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )  # (P, m, h, w), (P, m)
        logits.append(low)
        quality.append(iou)
    return torch.stack(logits), torch.stack(quality)


def sam_losses(logits: Tensor, quality: Tensor, masks: Tensor, weights: MaskWeights = AS_SAM) -> Losses:
    """Return the losses of the pixels, of the overlap (dice) and of the predicted IoUs.

    Masks have losses if they are the first one of a point, or the best one of the others.

    Args:
        logits: (N, m, h, w).
        quality: (N, m) predicted IoUs.
        masks: (N, h, w) float32 ground truth in 0-1.
        weights: of the losses of a mask.
    """
    targets = masks[:, None].expand_as(logits)
    pixels, dice = mask_losses(logits, targets, weights)  # (N, m) each
    best = (pixels + dice)[:, AMBIGUOUS].argmin(dim=1, keepdim=True) + 1  # (N, 1)
    chosen = torch.cat([torch.zeros_like(best), best], dim=1)  # (N, 2)
    return {
        "pixels": pixels.gather(1, chosen).mean(),
        "dice": dice.gather(1, chosen).mean(),
        "quality": QUALITY * F.mse_loss(quality, mask_ious(logits, targets)),
    }


@torch.no_grad()
def mask_ious(logits: Tensor, masks: Tensor) -> Tensor:
    """Return the IoUs (…) of logits (…, h, w) and masks (…, h, w) in 0-1, both made binary."""
    predicted, target = logits > 0, masks > 0.5
    return (predicted & target).sum((-2, -1)) / (predicted | target).sum((-2, -1)).clamp(min=1)


def mask_losses(logits: Tensor, masks: Tensor, weights: MaskWeights) -> tuple[Tensor, Tensor]:
    """Return the weighted losses (…) of the pixels and of the overlap (dice) of each mask.

    Args:
        logits: (…, h, w).
        masks: (…, h, w) float32 ground truth in 0-1.
        weights: of focal loss, cross-entropy and dice loss.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    pixels = weights.cross_entropy * cross_entropy
    if weights.focal:
        error = 1 - torch.exp(-cross_entropy)  # 1 − the probability of the target
        pixels = pixels + weights.focal * error**GAMMA * cross_entropy
    return pixels.mean((-2, -1)), weights.dice * _dice(logits, masks)


def _dice(logits: Tensor, masks: Tensor) -> Tensor:
    """Return the dice loss of each mask: (N, m)."""
    probability = logits.sigmoid()
    overlap = 2 * (probability * masks).sum((-2, -1))
    return 1 - (overlap + 1) / (probability.sum((-2, -1)) + masks.sum((-2, -1)) + 1)
