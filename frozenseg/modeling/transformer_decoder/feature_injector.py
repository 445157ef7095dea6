"""The feature injector: SAM's map enters the CLIP map that queries attend to (paper, feature injector).

Letters: B images, H×W and h×w the two maps, d width.
"""

from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.attention import CrossAttention


def inject_features(
    block: CrossAttention,
    clip_map: Tensor,
    sam_map: Tensor,
    *,
    clip_position: Tensor,
    sam_position: Tensor,
    working_size: tuple[int, int] | None,
) -> Tensor:
    """Let every pixel of the CLIP map look at all of the SAM map.

    The result replaces the CLIP map for one decoder layer.

    Args:
        block: the cross-attention of that layer.
        clip_map: (B, d, H, W).
        sam_map: (B, d, h, w), its level embedding added.
        clip_position: (1, d, H, W) sine position of the CLIP map.
        sam_position: (1, d, h, w) sine position of the SAM map.
        working_size: both maps are brought to this (height, width), stride 32, before they meet, and the result is
            brought back to H×W; None lets them meet as they are.

    Returns:
        (B, d, H, W).
    """
    full_size = clip_map.shape[-2:]
    if working_size is not None:
        clip_map, clip_position = resize(clip_map, working_size), resize(clip_position, working_size)
        sam_map, sam_position = resize(sam_map, working_size), resize(sam_position, working_size)
    injected = block(
        _sequence(clip_map),
        _sequence(sam_map),
        target_position=_sequence(clip_position),
        memory_position=_sequence(sam_position),
    )  # (B, H·W, d)
    injected = injected.transpose(1, 2).unflatten(2, clip_map.shape[-2:])
    return resize(injected, full_size)


def _sequence(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)  # (B, d, H, W) → (B, H·W, d)
