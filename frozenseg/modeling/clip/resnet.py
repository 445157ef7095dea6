"""CLIP with a modified ResNet trunk (open_clip ``RN*``): attention pooling restricted to the pixels of each mask.

Letters: B images, Q masks, S = h·w pixels, c channels, n heads, e channels of a head, E the width of the joint space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.layers.mask_pooling import binary_masks
from frozenseg.modeling.types import ClipFeatures
from frozenseg.registry import CLIP
from frozenseg.structures.shapes import check_shape


@CLIP.register()
class ResNetCLIP(FrozenCLIP):
    """Pools by CLIP's attention pool, with the attention of each mask restricted to its pixels."""

    @staticmethod
    def supports(clip_model: nn.Module) -> bool:
        """Return True if the trunk is CLIP's modified ResNet."""
        return hasattr(clip_model.visual, "attnpool") and hasattr(clip_model.visual, "layer4")

    def image_trunk(self) -> tuple[nn.Module, ...]:
        """Return all modules except the attention pool."""
        return tuple(part for name, part in self.clip_model.visual.named_children() if name != "attnpool")

    @torch.no_grad()
    def forward(self, images: Tensor) -> ClipFeatures:
        """Return the feature maps of normalised images (B, 3, H, W); H and W are multiples of 32."""
        check_shape("images", images, "B 3 H W")
        visual = self.clip_model.visual
        x = visual.stem(images)  # (B, width, H/4, W/4)
        res2 = visual.layer1(x)  # (B, c2, H/4, W/4)
        res3 = visual.layer2(res2)  # (B, c3, H/8, W/8)
        res4 = visual.layer3(res3)  # (B, c4, H/16, W/16)
        res5 = visual.layer4(res4)  # (B, c5, H/32, W/32)
        return ClipFeatures(res2, res3, res4, res5, dense=res5)

    @torch.no_grad()
    def project(self, dense: Tensor, mask_logits: Tensor) -> Tensor:
        """Pool (B, c, h, w) under masks (B, Q, …) into (B, Q, E).

        The query is the mean over the whole feature map. The embedding of an empty mask is the bias of the output
        projection, as it attends to no pixel.
        """
        check_shape("dense", dense, "B c h w")
        check_shape("mask_logits", mask_logits, "B Q H W", B=dense.shape[0])
        pool = self.clip_model.visual.attnpool
        inside = binary_masks(mask_logits, dense.shape[-2:]).flatten(2)  # (B, Q, S)
        pixels = dense.flatten(2).transpose(1, 2)  # (B, S, c)
        position = self._spatial_position(dense.shape[-2:])  # (S, c)
        query = pool.q_proj(pixels.mean(dim=1, keepdim=True) + pool.positional_embedding[0])  # (B, 1, c)
        key, value = pool.k_proj(pixels + position), pool.v_proj(pixels + position)
        query, key, value = (x.unflatten(-1, (pool.num_heads, -1)).transpose(1, 2) for x in (query, key, value))
        scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5  # (B, n, 1, S)
        scores = scores.masked_fill(~inside[:, None], float("-inf"))  # (B, n, Q, S)
        weights = scores.softmax(dim=-1).masked_fill(~inside[:, None], 0.0)  # an empty mask's NaN becomes 0
        pooled = (weights @ value).transpose(1, 2).flatten(2)  # (B, n, Q, e) → (B, Q, c)
        embeddings: Tensor = pool.c_proj(pooled)
        return embeddings

    def _spatial_position(self, size: torch.Size) -> Tensor:
        """Return the position embedding of the pool, resized to the feature map: (h·w, c)."""
        position: Tensor = self.clip_model.visual.attnpool.positional_embedding[1:]  # (side², c)
        side = round(len(position) ** 0.5)
        grid = position.T.reshape(1, -1, side, side)
        grid = F.interpolate(grid, size=tuple(size), mode="bilinear", align_corners=False)
        return grid.flatten(2)[0].T
