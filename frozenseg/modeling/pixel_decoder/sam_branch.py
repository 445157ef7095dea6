"""SAM's embedding made ready for the decoder: halved in size, then encoded (paper, feature injector's input)."""

from torch import Tensor, nn

from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder


def halving_convolution(channels: int, width: int) -> nn.Sequential:
    """Return the 3×3 convolution of stride 2 with GroupNorm and ReLU that starts the branch."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel_size=3, stride=2, padding=1),
        nn.GroupNorm(group_count(width), width),
        nn.ReLU(),
    )


def decode_sam(embedding: Tensor, reduce: nn.Module, encoder: DeformableEncoder) -> Tensor:
    """Turn SAM's embedding into the SAM map.

    Args:
        embedding: (B, c, h, w), 64×64 for the released SAMs.
        reduce: :func:`halving_convolution`.
        encoder: deformable encoder, fed this one level.

    Returns:
        (B, d, h/2, w/2).
    """
    return encoder([reduce(embedding)])[0]


def group_count(width: int) -> int:
    """Return the number of groups of a GroupNorm: 32, or as many as a narrow width admits."""
    return next(groups for groups in (32, 16, 8, 4, 2, 1) if width % groups == 0)
