"""Feature injector: cross-attention from the CLIP map of one scale to the SAM map (FrozenSeg, feature injector).

The result replaces the CLIP map as key and value of one decoder layer::

        clip_map (B, d, H, W)                        sam_map (B, d, h, w)
                  │                                            │
                  │  resize to working_size                    │  resize to working_size
                  │  flatten                                   │  flatten
                  ▼                                            ▼
             (B, H·W, d)                                  (B, h·w, d)
                  │                                       │         │
                  │ + clip_position        + sam_position │         │
                  ▼                                       ▼         ▼
                query ──────────► cross-attention ◄────── key     value
                                         │
                                         │  + clip_map, LayerNorm
                                         ▼
                           (B, d, H, W), resized back to the size of clip_map

Letters: B images, d width, H×W the CLIP map, h×w the SAM map.
"""

import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.attention import CrossAttention
from frozenseg.structures.shapes import check_shape


def inject_features(
    block: CrossAttention,
    clip_map: Tensor,
    sam_map: Tensor,
    *,
    clip_position: Tensor,
    sam_position: Tensor,
    working_size: tuple[int, int] | torch.Size | None,
) -> Tensor:
    """Let every pixel of the CLIP map attend to all pixels of the SAM map.

    Args:
        block: the cross-attention of the decoder layer.
        clip_map: (B, d, H, W).
        sam_map: (B, d, h, w), its level embedding already added.
        clip_position: (1, d, H, W) sine position embedding of the CLIP map.
        sam_position: (1, d, h, w) sine position embedding of the SAM map.
        working_size: (height, width) that both maps are resized to before the attention, the stride-32 size; None
            keeps both sizes.

    Returns:
        (B, d, H, W).

    Raises:
        ShapeError: maps of different batch size or width, or a position embedding of another size than its map.
    """
    batch, width = clip_map.shape[:2]
    check_shape("clip_map", clip_map, "B d H W")
    check_shape("sam_map", sam_map, "B d h w", B=batch, d=width)
    check_shape("clip_position", clip_position, "1 d H W", d=width, H=clip_map.shape[2], W=clip_map.shape[3])
    check_shape("sam_position", sam_position, "1 d h w", d=width, h=sam_map.shape[2], w=sam_map.shape[3])
    full_size = clip_map.shape[-2:]
    if working_size is not None:
        clip_map, clip_position = resize(clip_map, working_size), resize(clip_position, working_size)
        sam_map, sam_position = resize(sam_map, working_size), resize(sam_position, working_size)
    injected = block(
        to_sequence(clip_map),
        to_sequence(sam_map + sam_position),
        to_sequence(sam_map),
        target_position=to_sequence(clip_position),
    )  # (B, H·W, d)
    injected = torch.unflatten(injected.transpose(1, 2), 2, clip_map.shape[-2:])  # (B, d, H, W)
    return resize(injected, full_size)


def to_sequence(maps: Tensor) -> Tensor:
    """Return maps (B, d, H, W) as a sequence of pixels (B, H·W, d)."""
    return maps.flatten(2).transpose(1, 2)
