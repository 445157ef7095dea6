"""FrozenSeg: the figure.

Letters: B images, Q queries, C classes, N text rows, H×W the padded input, c and h×w channels and size of SAM's
embedding.
"""

from typing import Any

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.meta_arch.base import MaskClassifier, common_parts
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.registry import META_ARCH
from frozenseg.vocabulary import Vocabulary


@META_ARCH.register()
class FrozenSeg(MaskClassifier):
    """Open-vocabulary segmentation with a frozen CLIP for meaning and a frozen SAM for space (paper, Fig. 2).

    Args:
        sam: the frozen SAM.
        **parts: as for :class:`MaskClassifier`.
    """

    def __init__(self, *, sam: FrozenSAM, **parts: Any) -> None:
        super().__init__(**parts)
        self.sam = sam
        self.register_buffer("sam_mean", torch.tensor(sam.PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sam_std", torch.tensor(sam.PIXEL_STD).view(3, 1, 1), persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "FrozenSeg":
        """Build from a config and the training vocabulary.

        Raises:
            ConfigError: SAM's embedding does not fit the decoders.
        """
        sam = build_sam(cfg.MODEL.SAM_NAME, cfg.MODEL.SAM_WEIGHTS)
        width = cfg.MODEL.MASK_FORMER.HIDDEN_DIM
        if sam.channels != width:
            raise ConfigError(
                f"SAM {cfg.MODEL.SAM_NAME!r} has {sam.channels} channels, but MODEL.MASK_FORMER.HIDDEN_DIM is {width}; "
                "the query injector adds one to the other, so they must be equal."
            )
        return cls(sam=sam, **common_parts(cfg, vocabulary, sam_channels=sam.channels))

    def forward(self, batch: list[dict[str, Any]]) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on or segment a batch; see :meth:`MaskClassifier.forward`."""
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W), true sizes kept
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        space = self.sam(self.preprocess(batch, self.sam_mean, self.sam_std).tensor)  # (B, c, h, w)
        words = self.words()  # (N + 1, E), void last
        predictions = self.sem_seg_head(
            clip, space, words
        )  # logits (B, Q, C + 1), masks (B, Q, H/4, W/4), each layer's
        if self.training:
            return self.criterion(predictions, self.targets(batch, images))
        logits = self.ensemble(predictions.final, clip, words)  # (B, Q, C + 1)
        return self.outputs(logits, predictions.final.masks, images, batch)
