"""Conversion of an RGB image into a tensor."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def image_tensor(image: Image.Image) -> Tensor:
    """Return an RGB image as (3, H, W) uint8, a copy."""
    pixels = np.array(image)  # (H, W, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
