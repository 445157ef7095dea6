"""CLIP with a ConvNeXt trunk (open_clip ``convnext_*``).

Letters: B images, Q masks, c2 … c5 channels of the trunk, E the width of the joint space.
"""

from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.errors import ConfigError
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.finer_map import finer_map
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.types import ClipFeatures
from frozenseg.registry import CLIP
from frozenseg.structures.shapes import check_shape

POOLING_STRIDES = (32, 16, 8)


@CLIP.register()
class ConvNeXtCLIP(FrozenCLIP):
    """Pools like CLIP itself: a mask's mean feature vector passes the trunk's head and the projection."""

    @staticmethod
    def supports(clip_model: nn.Module) -> bool:
        """Return True if the trunk is timm's ConvNeXt."""
        trunk = getattr(clip_model.visual, "trunk", None)
        return trunk is not None and all(hasattr(trunk, part) for part in ("stem", "stages", "norm_pre"))

    def image_trunk(self) -> tuple[nn.Module, ...]:
        """Return all modules except the heads, which pool masks."""
        trunk = self.clip_model.visual.trunk
        return trunk.stem, trunk.stages, trunk.norm_pre

    @torch.no_grad()
    def forward(self, images: Tensor) -> ClipFeatures:
        """Return the feature maps of normalised images (B, 3, H, W); H and W are multiples of 32."""
        check_shape("images", images, "B 3 H W")
        trunk = self.clip_model.visual.trunk
        x = trunk.stem(images)  # (B, c2, H/4, W/4)
        maps = []
        for stage in trunk.stages:
            x = stage(x)
            maps.append(x)
        res2, res3, res4, res5 = maps
        return ClipFeatures(res2, res3, res4, res5, dense=trunk.norm_pre(self._finer(res3, res4, res5)))

    def set_pooling_stride(self, stride: int) -> None:
        """Set the stride of ``dense``: 32, 16 or 8.

        Raises:
            ConfigError: another stride.
        """
        if stride not in POOLING_STRIDES:
            raise ConfigError(f"The pooling stride is {stride}: set it to one of {POOLING_STRIDES}.")
        self.pooling_stride = stride

    def _finer(self, res3: Tensor, res4: Tensor, res5: Tensor) -> Tensor:
        """Return the last feature map at the pooling stride."""
        stages = self.clip_model.visual.trunk.stages
        if self.pooling_stride == 16:
            return finer_map(res4, stages[3:])
        return finer_map(res3, stages[2:]) if self.pooling_stride == 8 else res5

    @torch.no_grad()
    def project(self, dense: Tensor, mask_logits: Tensor) -> Tensor:
        """Pool (B, c5, h, w) under masks (B, Q, …) into (B, Q, E)."""
        pooled = mask_pooling(dense, mask_logits)  # (B, Q, c5)
        return apply_heads(self.clip_model.visual, pooled.flatten(0, 1)).view(*pooled.shape[:2], -1)


def apply_heads(visual: Any, pooled: Tensor) -> Tensor:
    """Project mean feature vectors into the joint space, each as a 1×1 feature map.

    Args:
        visual: the image tower of an open_clip model with a ConvNeXt trunk.
        pooled: (N, c5).

    Returns:
        (N, E), not normalised.

    Raises:
        ShapeError: ``pooled`` is not (N, c5).
    """
    check_shape("pooled", pooled, "N c5")
    embeddings: Tensor = visual.head(visual.trunk.head(pooled[:, :, None, None]).flatten(1))
    return embeddings
