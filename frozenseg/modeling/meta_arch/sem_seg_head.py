"""Segmentation head: the trained pixel decoder and transformer decoder (``sem_seg_head`` in checkpoints)."""

from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.tracing import autocast
from frozenseg.modeling.transformer_decoder.masked_decoder import NEVER
from frozenseg.modeling.types import (
    ClipFeatures,
    MaskPredictions,
    PixelFeatures,
    Prediction,
    QueryOutput,
    TextEmbeddings,
)
from frozenseg.registry import PIXEL_DECODER, TRANSFORMER_DECODER
from frozenseg.structures.shapes import check_shape

NAMES = ("FrozenSegHead", "FCCLIPHead")  # published configs name the head, and Detectron2 looks it up by that name


class SemSegHead(nn.Module):
    """Pixel decoder, then transformer decoder.

    Args:
        pixel_decoder: CLIP's features and the SAM embedding → pixel features.
        predictor: pixel features, SAM embedding and text embeddings → mask predictions.

    Attributes:
        precision: dtype of matrix products at inference, see :meth:`set_inference_precision`.
    """

    predictor: Any  # a registered decoder
    precision: torch.dtype = torch.float32

    def __init__(self, *, pixel_decoder: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.pixel_decoder = pixel_decoder
        self.predictor = predictor

    @classmethod
    def from_config(
        cls, cfg: CfgNode, *, channels: tuple[int, int, int, int], embed_dim: int, sam_channels: int | None
    ) -> "SemSegHead":
        """Build both decoders by their registered names.

        Args:
            cfg: the whole config.
            channels: channels of CLIP's res2 … res5.
            embed_dim: width of CLIP's joint space.
            sam_channels: channels of the SAM embedding; None without SAM.

        Raises:
            ConfigError: unknown MODEL.SEM_SEG_HEAD.NAME.
        """
        if (name := cfg.MODEL.SEM_SEG_HEAD.NAME) not in NAMES:
            raise ConfigError(
                f"Unknown MODEL.SEM_SEG_HEAD.NAME {name!r}.{did_you_mean(name, NAMES)} Available: {', '.join(NAMES)}."
            )
        pixel_decoder = PIXEL_DECODER.look_up(cfg.MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME)
        predictor = TRANSFORMER_DECODER.look_up(cfg.MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME)
        injects_features = sam_channels is not None and cfg.MODEL.MASK_FORMER.SAM_FEATURE_FUSE_LAYER != NEVER
        return cls(
            pixel_decoder=pixel_decoder.from_config(cfg, channels, sam_channels if injects_features else None),
            predictor=predictor.from_config(cfg, embed_dim, with_sam=sam_channels is not None),
        )

    def forward(self, clip: ClipFeatures, sam_embedding: Tensor | None, text: TextEmbeddings) -> MaskPredictions:
        """Predict masks and classes.

        Args:
            clip: CLIP's features.
            sam_embedding: (B, c, h, w); None without SAM.
            text: text embeddings of C classes.

        Raises:
            ShapeError: the SAM embedding is not (B, c, h, w).
        """
        if self._lowered:
            return self._in_lower_precision(clip, sam_embedding, text)
        pixels = self._pixel_features(clip, sam_embedding)
        predictions: MaskPredictions = self.predictor(pixels, sam_embedding, text)
        return predictions

    def _in_lower_precision(
        self, clip: ClipFeatures, sam_embedding: Tensor | None, text: TextEmbeddings
    ) -> MaskPredictions:
        """Predict by the final queries alone, whose class logits are computed in float32."""
        queries = self.decode(clip, sam_embedding)
        return MaskPredictions(Prediction(self.classify(queries.embeddings, text), queries.masks), ())

    def decode(self, clip: ClipFeatures, sam_embedding: Tensor | None) -> QueryOutput:
        """Return the masks and embeddings of the final queries, which :meth:`forward` classifies.

        Args:
            clip: as for :meth:`forward`.
            sam_embedding: as for :meth:`forward`.
        """
        with autocast(clip.dense.device.type, self.precision, enabled=self._lowered):
            pixels = self._pixel_features(clip, sam_embedding)
            output = self.predictor.decode_last(pixels, sam_embedding)
        return QueryOutput(*(tensor.float() for tensor in output))

    def classify(self, embeddings: Tensor, text: TextEmbeddings) -> Tensor:
        """Return the class logits (B, Q, C + 1) of query embeddings (B, Q, E), as :meth:`forward` does."""
        return class_logits(embeddings, text, self.predictor.logit_scale)

    def set_inference_precision(self, precision: torch.dtype) -> None:
        """Multiply matrices in a lower precision at inference; classification and results stay in float32."""
        self.precision = precision
        self.pixel_decoder.inference_precision = precision  # type: ignore[assignment]  # of a registered decoder

    @property
    def _lowered(self) -> bool:
        return not self.training and self.precision != torch.float32

    def _pixel_features(self, clip: ClipFeatures, sam_embedding: Tensor | None) -> PixelFeatures:
        if sam_embedding is not None:
            check_shape("sam_embedding", sam_embedding, "B c h w", B=clip.dense.shape[0])
        pixels: PixelFeatures = self.pixel_decoder(clip, sam_embedding)
        return pixels
