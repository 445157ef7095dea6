"""FC-CLIP: the figure without SAM (Yu et al. 2023).

Letters: B images, Q queries, C classes, N text rows, H×W the padded input.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.meta_arch.base import MaskClassifier, common_parts
from frozenseg.registry import META_ARCH
from frozenseg.vocabulary import Vocabulary


@META_ARCH.register()
class FCCLIP(MaskClassifier):
    """Open-vocabulary segmentation with a frozen CLIP alone."""

    @classmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "FCCLIP":
        """Build from a config and the training vocabulary.

        Raises:
            ConfigError: masks of a SAM are asked for.
        """
        if cfg.TEST.USE_SAM_MASKS:
            raise ConfigError("TEST.USE_SAM_MASKS is True, but FC-CLIP has no SAM: set it to False, or take FrozenSeg.")
        return cls(**common_parts(cfg, vocabulary, sam_channels=None))

    def forward(
        self, batch: list[dict[str, Any]], masks_of_step: Sequence[int] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on or segment a batch; see :meth:`MaskClassifier.forward`."""
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W), true sizes kept
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        words = self.text_embeddings()  # (N + 1, E), void last
        predictions = self.sem_seg_head(clip, None, words)  # logits (B, Q, C + 1), masks (B, Q, H/4, W/4), each layer's
        if self.training:
            return self.criterion(predictions, self.targets(batch, images), masks_of_step)
        logits = self.ensemble(predictions.final, clip, words)  # (B, Q, C + 1)
        return self.postprocess(logits, predictions.final.masks, images, batch)
