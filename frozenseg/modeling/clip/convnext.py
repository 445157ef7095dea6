"""CLIP with a ConvNeXt trunk (open_clip ``convnext_*``)."""

import torch
from torch import Tensor, nn

from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.types import ClipFeatures
from frozenseg.registry import CLIP


@CLIP.register()
class ConvNeXtCLIP(FrozenCLIP):
    """Pools like CLIP itself: a mask's mean vector goes through the trunk's head and the projection."""

    @staticmethod
    def supports(clip_model: nn.Module) -> bool:
        """Whether the trunk is timm's ConvNeXt."""
        trunk = getattr(clip_model.visual, "trunk", None)
        return trunk is not None and all(hasattr(trunk, part) for part in ("stem", "stages", "norm_pre"))

    def image_trunk(self) -> tuple[nn.Module, ...]:
        """Return all but the heads, by which masks are pooled."""
        trunk = self.clip_model.visual.trunk
        return trunk.stem, trunk.stages, trunk.norm_pre

    @torch.no_grad()
    def forward(self, images: Tensor) -> ClipFeatures:
        """Return the maps of normalised images (B, 3, H, W); H and W are multiples of 32."""
        trunk = self.clip_model.visual.trunk
        x = trunk.stem(images)  # (B, c2, H/4, W/4)
        maps = []
        for stage in trunk.stages:
            x = stage(x)
            maps.append(x)
        return ClipFeatures(*maps, dense=trunk.norm_pre(x))

    @torch.no_grad()
    def project(self, dense: Tensor, mask_logits: Tensor) -> Tensor:
        """Pool (B, c5, h, w) under masks (B, Q, …) into (B, Q, E)."""
        pooled = mask_pooling(dense, mask_logits)  # (B, Q, c5)
        return apply_heads(self.clip_model.visual, pooled.flatten(0, 1)).unflatten(0, pooled.shape[:2])


def apply_heads(visual: nn.Module, pooled: Tensor) -> Tensor:
    """Bring mean vectors of the map into the joint space, each as a 1×1 map.

    Args:
        visual: the image tower of an open_clip model with a ConvNeXt trunk.
        pooled: (N, c5).

    Returns:
        (N, E), not normalised.
    """
    return visual.head(visual.trunk.head(pooled[:, :, None, None]).flatten(1))
