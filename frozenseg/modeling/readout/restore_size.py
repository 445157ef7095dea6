"""Bring maps from the padded input back to the size that the caller wants."""

from torch import Tensor

from frozenseg.modeling.layers.mask_pooling import resize
from frozenseg.structures.image_list import ImageSize


def restore_size(maps: Tensor, true_size: ImageSize, wanted: ImageSize) -> Tensor:
    """Cut off the padding, then resize bilinearly.

    Args:
        maps: (c, H, W) at the padded size.
        true_size: the image's height and width inside it.
        wanted: height and width to return.

    Returns:
        (c, height, width).
    """
    cropped = maps[None, :, : true_size.height, : true_size.width]
    return resize(cropped, wanted)[0]
