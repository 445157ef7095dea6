"""What a frozen SAM must offer: an embedding of the image.

Letters: B images, c channels of the embedding, h×w its size (64×64 for the released models).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from frozenseg.modeling.frozen import Frozen

Names = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class FrozenSAM(Frozen):
    """A Segment Anything model (Kirillov et al. 2023), frozen. Its parts keep the package's names.

    Args:
        image_encoder: normalised images (B, 3, S, S) → (B, c, h, w).
        prompt_encoder: points, boxes and masks → prompts.
        mask_decoder: embedding and prompts → masks.
        image_size: S in pixels.
        channels: c.
        own_names: tensors of a released file by its names → by the names here; None where they are the same.
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
        own_names: Names | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.image_size, self.channels, self.own_names = image_size, channels, own_names
        self.freeze()

    @classmethod
    def around(
        cls, image_encoder: nn.Module, *, image_size: int, side: int, channels: int, own_names: Names | None = None
    ) -> "FrozenSAM":
        """Add the prompt encoder and the mask decoder that every SAM has, as the package's own builder does.

        Args:
            image_encoder: normalised images (B, 3, S, S) → (B, c, side, side).
            image_size: S in pixels.
            side: h and w of the embedding.
            channels: c.
            own_names: as for the class.
        """
        return cls(
            image_encoder=image_encoder,
            prompt_encoder=PromptEncoder(
                embed_dim=channels,
                image_embedding_size=(side, side),
                input_image_size=(image_size, image_size),
                mask_in_chans=16,
            ),
            mask_decoder=MaskDecoder(
                num_multimask_outputs=3,
                transformer=TwoWayTransformer(depth=2, embedding_dim=channels, mlp_dim=8 * channels, num_heads=8),
                transformer_dim=channels,
                iou_head_depth=3,
                iou_head_hidden_dim=channels,
            ),
            image_size=image_size,
            channels=channels,
            own_names=own_names,
        )

    def image_trunk(self) -> tuple[nn.Module, ...]:
        """Return the image encoder."""
        return (self.image_encoder,)

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
