"""Pixel groups: training of SAM's image encoder and of the upscaling of its mask decoder, without prompts.

Pixels of a segment learn to have close embeddings. A mask at a point is then a threshold on the distance to the
embedding of its pixel: the encoder learns from all pixels before the attention of the mask decoder can use a point.

Letters: B images, P points per image, S image size, c channels of the upscaled embedding, h×w its size.
"""

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.sam.base import FrozenSAM
from lab.pretraining.optimise import Losses
from lab.pretraining.sam import SHARP, Prompts, draw_prompts, mask_losses, masks_of_embeddings, sam_losses
from lab.pretraining.scene_pool import ScenePool

POINTS, DECODED = 16, 8  # points per image for groups, and those of them for masks, which cost most of the time
RADIUS = 2.0  # squared distance of pixel embeddings at which a pixel is as likely inside as outside


class GroupedPromptStep:
    """Losses of a training step, as a function of its number: pixel groups, later with the masks at the points.

    Args:
        sam: trained model; its parameters must have ``requires_grad``.
        pool: training scenes with the image size of SAM.
        batch: B.
        first_of_masks: first step with the losses of the masks.
        seed: of scenes and points.
    """

    def __init__(self, sam: FrozenSAM, pool: ScenePool, batch: int, first_of_masks: int, seed: int) -> None:
        self.sam, self.pool, self.batch, self.first_of_masks, self.seed = sam, pool, batch, first_of_masks, seed

    def __call__(self, step: int) -> Losses:
        """Return the losses at random points of random scenes."""
        rng = np.random.default_rng([self.seed, step])
        prompts = draw_prompts(rng, self.pool, self.batch, POINTS)
        embedding = self.sam.image_encoder(prompts.images)  # (B, channels, side, side)
        groups = group_losses(self.sam, embedding, prompts)
        if step < self.first_of_masks:
            return groups
        few = Prompts(prompts.images, prompts.points[:, :DECODED], prompts.masks[:, :DECODED])
        logits, quality = masks_of_embeddings(self.sam, embedding, few.points)
        return groups | sam_losses(logits.flatten(0, 1), quality.flatten(0, 1), few.masks.flatten(0, 1), SHARP)


def group_losses(sam: FrozenSAM, embedding: Tensor, prompts: Prompts) -> Losses:
    """Return the losses of the pixels and of the overlap of the groups around the points.

    Args:
        sam: trained model.
        embedding: (B, channels, side, side) of the images.
        prompts: points and ground truth masks.
    """
    pixels, dice = mask_losses(group_logits(sam, embedding, prompts.points), prompts.masks, SHARP)  # (B, P) each
    return {"group pixels": pixels.mean(), "group dice": dice.mean()}


def group_logits(sam: FrozenSAM, embedding: Tensor, points: Tensor) -> Tensor:
    """Return logits (B, P, h, w), above 0 for pixels whose embedding is close to that of the point's pixel.

    Args:
        sam: with the upscaling of its mask decoder.
        embedding: (B, channels, side, side) of the images.
        points: (B, P, 2) x, y in pixels of the image.
    """
    pixels = sam.mask_decoder.output_upscaling(embedding)  # (B, c, h, w)
    size = pixels.shape[-1]
    cells = (points * (size / sam.image_size)).long().clamp(0, size - 1)  # (B, P, 2)
    columns, rows = cells.unbind(-1)  # (B, P) each
    images = torch.arange(len(pixels), device=pixels.device)[:, None]
    centres = pixels[images, :, rows, columns]  # (B, P, c)
    distance: Tensor = ((pixels[:, None] - centres[..., None, None]) ** 2).sum(dim=2)  # (B, P, h, w)
    return RADIUS - distance
