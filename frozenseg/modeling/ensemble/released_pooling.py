"""Reproduction of a defect of the released FrozenSeg: SAM's masks shrink before CLIP's features are pooled under them.

The released model brings the proposals to the size (h, w) of CLIP's dense feature map, stride 32, and then pads them
like images, right and below to the next multiple of 32, although they are feature-sized already. The pooling resizes
them back to (h, w), so that they shrink toward the upper left corner. A mask over a whole 25×34 map, of an image
resized to 800×1067::

    (h, w) = (25, 34)           padded to (32, 64)            resized to (25, 34)
    +----------------+          +----------------+----------+     +--------+-------+
    |################|          |################|          |     |########|       |
    |################|   ---->  |################|  zeros   | --> |########|       |
    |################|          |################|          |     +--------+       |
    +----------------+          +----------------+          |     |                |
                                |          zeros            |     +----------------+
                                +---------------------------+
                                                              25/32 of the height, 34/64 of the width

Only where h and w are multiples of 32, as for 1024×1024 inputs, is the pooling right. The votes use the masks as they
are. Published results with the mask-proposal ensemble were made so; ``TEST.SAM_MASK_POOLING: released`` reproduces
them, and ``aligned``, the default, pools every pixel under its own mask.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.sam.automatic_masks.placement import Placement

PADDED_TO = 32  # the size divisibility of the released model's images


def released_pooling_masks(masks: Tensor, placement: Placement, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resize proposals to CLIP's dense feature map as the released model does, padding included.

    Args:
        masks: (M, S/4, S/4) logits of SAM's square input.
        placement: of the image in the masks, at the size of the outputs.
        size: height h and width w of the dense feature map.

    Returns:
        (M, h, w) logits; a pixel is inside the mask if its logit is above 0.
    """
    rows, columns = (
        F.interpolate(torch.arange(float(extent))[None, None], size=target, mode="nearest").flatten().long()
        for extent, target in zip(placement.size, size, strict=True)
    )
    nearest = placement.at_image_size(masks, rows, columns)  # (M, h, w)
    height, width = size
    padded = F.pad(nearest, (0, -width % PADDED_TO, 0, -height % PADDED_TO))
    return resize(padded[None], size)[0]
