"""MobileSAM's image encoder ``vit_t`` (Zhang et al. 2023): timm's TinyViT (Wu et al. 2022) under SAM's neck."""

import re
from collections.abc import Sequence
from typing import Any

from segment_anything.modeling.common import LayerNorm2d
from timm.models.tiny_vit import TinyVit
from torch import Tensor, nn

from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.registry import SAM

_STAGE_STRIDES = (4, 8, 16, 32)  # of timm's TinyViT
# Names of mobile_sam.pt → names of timm. A stage of MobileSAM ends with the down-sampling with which timm begins the
# next stage.
RENAMED: tuple[tuple[str, str], ...] = (
    (r"^image_encoder\.patch_embed\.seq\.0\.", "image_encoder.patch_embed.conv1."),
    (r"^image_encoder\.patch_embed\.seq\.2\.", "image_encoder.patch_embed.conv2."),
    (r"^image_encoder\.layers\.0\.downsample\.", "image_encoder.stages.1.downsample."),
    (r"^image_encoder\.layers\.1\.downsample\.", "image_encoder.stages.2.downsample."),
    (r"^image_encoder\.layers\.2\.downsample\.", "image_encoder.stages.3.downsample."),
    (r"^image_encoder\.layers\.", "image_encoder.stages."),
    (r"\.c\.weight$", ".conv.weight"),
)
# a classifier, and a table of indices
UNUSED = re.compile(r"^image_encoder\.(norm_head|head)\.|\.attention_bias_idxs$")


class TinyViTEncoder(nn.Module):
    """TinyViT without its classifier and its last down-samplings, followed by SAM's neck.

    Args:
        widths: channels of the four stages.
        depths: blocks of each stage.
        heads: attention heads of each stage; the first stage has no attention.
        windows: side of the attention windows of each stage, pixels of its feature map.
        channels: channels c of the embedding.
        stride: pixels per cell of the embedding, 4, 8 or 16; stages of a larger stride keep the size of their input.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        depths: Sequence[int],
        heads: Sequence[int],
        windows: Sequence[int],
        channels: int,
        stride: int = 16,
    ) -> None:
        super().__init__()
        trunk: Any = TinyVit(
            num_classes=0,
            embed_dims=tuple(widths),
            depths=tuple(depths),
            num_heads=tuple(heads),
            window_sizes=tuple(windows),
            drop_path_rate=0.0,
        )
        for stage, stage_stride in zip(trunk.stages, _STAGE_STRIDES, strict=True):
            if stage_stride > stride:
                stage.downsample.conv2.conv.stride = (1, 1)
        self.stride = stride
        self.patch_embed: nn.Module = trunk.patch_embed
        self.stages: nn.Sequential = trunk.stages
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], channels, kernel_size=1, bias=False),
            LayerNorm2d(channels),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(channels),
        )
        self.register_load_state_dict_post_hook(_clear_attention_biases)  # type: ignore[no-untyped-call]  # torch's

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, S, S) to their embedding (B, c, S/stride, S/stride)."""
        embedding: Tensor = self.neck(self.stages(self.patch_embed(images)))
        return embedding


def _clear_attention_biases(encoder: nn.Module, _: object) -> None:
    encoder.train().eval()  # timm caches the attention biases in eval mode until training


def timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a MobileSAM file to the names of this encoder; other names stay.

    Args:
        state: tensors by the names of MobileSAM or of this encoder.
    """
    renamed = {}
    for key, value in state.items():
        if UNUSED.search(key):
            continue
        name = key
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def tiny_sam(*, encoder: TinyViTEncoder, image_size: int = 1024, channels: int = 256) -> FrozenSAM:
    """Assemble a SAM around a TinyViT.

    Args:
        encoder: the image encoder.
        image_size: side of the input, pixels.
        channels: channels of the embedding.
    """
    return FrozenSAM.with_image_encoder(
        encoder, image_size=image_size, side=image_size // encoder.stride, channels=channels, convert_names=timm_names
    )


@SAM.register()
def vit_t() -> FrozenSAM:
    """Build MobileSAM."""
    return tiny_sam(
        encoder=TinyViTEncoder(
            widths=(64, 128, 160, 320), depths=(2, 2, 6, 2), heads=(2, 4, 5, 10), windows=(7, 7, 14, 7), channels=256
        )
    )


@SAM.register()
def vit_t_toy() -> FrozenSAM:
    """Build a SAM for ToyWorld with a TinyViT: 128×128 images, a 16×16 embedding of 64 channels."""
    encoder = TinyViTEncoder(
        widths=(16, 32, 64, 64), depths=(2, 2, 2, 2), heads=(2, 2, 4, 4), windows=(7, 8, 8, 8), channels=64, stride=8
    )
    return tiny_sam(encoder=encoder, image_size=128, channels=64)
