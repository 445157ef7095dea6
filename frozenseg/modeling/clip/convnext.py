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
        visual = self.clip_model.visual
        pooled = mask_pooling(dense, mask_logits)  # (B, Q, c5)
        batch, queries, channels = pooled.shape
        vectors = visual.trunk.head(pooled.reshape(batch * queries, channels, 1, 1))  # each as a 1×1 map
        return visual.head(vectors.flatten(1)).view(batch, queries, -1)
