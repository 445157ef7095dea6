"""FC-CLIP (Yu et al. 2023): FrozenSeg without SAM.

Letters: B images, Q queries, C classes, N synonyms of all classes, H×W the padded input.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier, common_parts
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.registry import META_ARCH
from frozenseg.vocabulary import Vocabulary


@META_ARCH.register()
class FCCLIP(MaskClassifier):
    """Open-vocabulary segmentation with a frozen CLIP alone."""

    @classmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "FCCLIP":
        """Build from a config and the training vocabulary.

        Raises:
            ConfigError: SAM proposals are switched on.
        """
        if cfg.TEST.USE_SAM_MASKS:
            raise ConfigError("TEST.USE_SAM_MASKS is True, but FC-CLIP has no SAM: set it to False, or use FrozenSeg.")
        return cls(**common_parts(cfg, vocabulary, sam_channels=None))

    def forward(
        self,
        batch: list[dict[str, Any]],
        masks_of_step: Sequence[int] | None = None,
        settings: InferenceSettings | None = None,
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on a batch or segment it; see :meth:`SegmentationModel.forward`."""
        settings = settings or self.inference_settings
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W)
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        text = self.text_embeddings(settings)  # (N + 1, E), void last
        predictions = self.sem_seg_head(clip, None, text)  # logits (B, Q, C + 1), masks (B, Q, H/4, W/4) of each layer
        if self.training:
            losses: dict[str, Tensor] = self.criterion(predictions, self.targets(batch, images), masks_of_step)
            return losses
        logits = self.ensemble(predictions.final, clip, text, settings)  # two of (B, Q, C + 1)
        return self.postprocess(logits, predictions.final.masks, images, batch, settings)

    def embed(self, batch: list[dict[str, Any]]) -> EmbeddedImages:
        """Compute everything that class names do not affect; see :meth:`MaskClassifier.embed`."""
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W)
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        queries = self.sem_seg_head.decode(clip, None)  # embeddings (B, Q, E), masks (B, Q, H/4, W/4)
        return self._embedded(batch, images, clip, queries)
