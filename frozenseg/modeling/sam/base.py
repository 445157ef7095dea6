"""Interface of a frozen SAM: the embedding of an image, and the parts that decode masks from it.

Letters: B images, c channels of the embedding, h×w its size (64×64 for the released models), H×W the image, S side of
the square input (1024 for the released models).
"""

from collections.abc import Callable

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.layers.resize import resize
from frozenseg.structures.shapes import check_shape

NameConversion = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class FrozenSAM(Frozen):
    """A Segment Anything model (Kirillov et al. 2023), frozen, with the module names of the segment-anything package.

    Args:
        image_encoder: normalised images (B, 3, S, S) → (B, c, h, w).
        prompt_encoder: points, boxes and masks → prompts.
        mask_decoder: embedding and prompts → masks.
        image_size: S, pixels.
        channels: c.
        convert_names: tensors of a released file by the file's names → by the names of this module; None if they are
            the same.
    """

    PIXEL_MEAN = (123.675, 116.28, 103.53)
    PIXEL_STD = (58.395, 57.12, 57.375)

    def __init__(
        self,
        *,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        image_size: int,
        channels: int,
        convert_names: NameConversion | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.image_size, self.channels, self.convert_names = image_size, channels, convert_names
        self.freeze()

    @classmethod
    def with_image_encoder(
        cls,
        image_encoder: nn.Module,
        *,
        image_size: int,
        side: int,
        channels: int,
        convert_names: NameConversion | None = None,
    ) -> "FrozenSAM":
        """Add the prompt encoder and the mask decoder of every released SAM, built as the package's builder does.

        Args:
            image_encoder: normalised images (B, 3, S, S) → (B, c, side, side).
            image_size: S, pixels.
            side: h and w of the embedding.
            channels: c.
            convert_names: as for the class.
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
            convert_names=convert_names,
        )

    def image_trunk(self) -> tuple[nn.Module, ...]:
        """Return the image encoder."""
        return (self.image_encoder,)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Embed images normalised with ``PIXEL_MEAN`` and ``PIXEL_STD``.

        Args:
            images: (B, 3, H, W); resized to S×S without keeping the aspect ratio if they are of another size.

        Returns:
            (B, c, h, w).

        Raises:
            ShapeError: the images are not (B, 3, H, W).
        """
        check_shape("images", images, "B 3 H W")
        images = resize(images, (self.image_size, self.image_size))
        embedding: Tensor = self.image_encoder(images)
        return embedding
