"""SAM with a plain vision transformer: ViT-B, ViT-L and ViT-H of the segment-anything package, and ToyWorld's."""

from functools import partial

from segment_anything.modeling import ImageEncoderViT
from torch import nn

from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.blocked_attention import use_blocked_attention
from frozenseg.registry import SAM


def vit_sam(
    *,
    width: int,
    depth: int,
    heads: int,
    global_attention: tuple[int, ...],
    image_size: int = 1024,
    patch: int = 16,
    window: int = 14,
    channels: int = 256,
) -> FrozenSAM:
    """Assemble a SAM from the parts of the segment-anything package, as its builder does.

    Args:
        width: channels of the image encoder.
        depth: number of layers.
        heads: number of attention heads.
        global_attention: indices of the layers that attend to the whole image; the others attend to windows.
        image_size: side of the input, pixels.
        patch: side of a patch, pixels.
        window: side of an attention window, patches.
        channels: channels of the embedding.
    """
    side = image_size // patch
    encoder = ImageEncoderViT(
        depth=depth,
        embed_dim=width,
        img_size=image_size,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=heads,
        patch_size=patch,
        use_rel_pos=True,
        global_attn_indexes=global_attention,
        window_size=window,
        out_chans=channels,
    )
    use_blocked_attention(encoder)
    return FrozenSAM.with_image_encoder(encoder, image_size=image_size, side=side, channels=channels)


@SAM.register()
def vit_b() -> FrozenSAM:
    """Build SAM ViT-B."""
    return vit_sam(width=768, depth=12, heads=12, global_attention=(2, 5, 8, 11))


@SAM.register()
def vit_l() -> FrozenSAM:
    """Build SAM ViT-L."""
    return vit_sam(width=1024, depth=24, heads=16, global_attention=(5, 11, 17, 23))


@SAM.register()
def vit_h() -> FrozenSAM:
    """Build SAM ViT-H."""
    return vit_sam(width=1280, depth=32, heads=16, global_attention=(7, 15, 23, 31))


@SAM.register()
def vit_toy() -> FrozenSAM:
    """Build ToyWorld's SAM: 128×128 images, a 16×16 embedding of 64 channels."""
    return vit_sam(width=64, depth=4, heads=4, global_attention=(1, 3), image_size=128, patch=8, window=8, channels=64)
