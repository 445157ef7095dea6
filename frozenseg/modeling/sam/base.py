"""What a frozen SAM must offer: an embedding of the image.

Letters: B images, c channels of the embedding, h×w its size (64×64 for the released models).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.frozen import Frozen


class FrozenSAM(Frozen):
    """A Segment Anything model (Kirillov et al. 2023), frozen. Its parts keep the package's names.

    Args:
        image_encoder: normalised images (B, 3, S, S) → (B, c, h, w).
        prompt_encoder: points, boxes and masks → prompts.
        mask_decoder: embedding and prompts → masks.
        image_size: S in pixels.
        channels: c.
    """

    PIXEL_MEAN = (123.675, 116.28, 103.53)
    PIXEL_STD = (58.395, 57.12, 57.375)

    def __init__(
        self,
        *,
        image_encoder: nn.Module,
        prompt_encoder: nn.Module,
        mask_decoder: nn.Module,
        image_size: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.image_size, self.channels = image_size, channels
        self.freeze()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Embed images normalised with SAM's own mean and deviation.

        Args:
            images: (B, 3, H, W); resized to S×S, aspect ignored, where they are not.

        Returns:
            (B, c, h, w).
        """
        size = (self.image_size, self.image_size)
        if tuple(images.shape[-2:]) != size:
            images = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
        return self.image_encoder(images)
