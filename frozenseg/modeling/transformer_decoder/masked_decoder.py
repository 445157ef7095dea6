"""Transformer decoder: masked attention over three scales, with both of FrozenSeg's injectors (Fig. 2).

Mask2Former (Cheng et al. 2022, sec. 3.2) with the mask-pooled class head of FC-CLIP (Yu et al. 2023, sec. 3.2).

Letters: B images, Q queries, C classes, N synonyms of all classes, H×W the padded input, d width, E the width of CLIP's
joint space, h heads.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError, ShapeError
from frozenseg.log import get_logger
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.layers.mask_product import mask_product
from frozenseg.modeling.layers.mlp import MLP
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.layers.recompute import run_layer
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.attention import (
    CrossAttention,
    FeedForward,
    SelfAttention,
    visible_pixels,
)
from frozenseg.modeling.transformer_decoder.feature_injector import inject_features, to_sequence
from frozenseg.modeling.transformer_decoder.query_injector import inject_into_queries
from frozenseg.modeling.types import (
    MaskFactors,
    MaskPredictions,
    PixelFeatures,
    Prediction,
    QueryOutput,
    TextEmbeddings,
)
from frozenseg.registry import TRANSFORMER_DECODER
from frozenseg.structures.shapes import check_shape

logger = get_logger(__name__)
SCALES = 3
NEVER = -1  # scale of an injector that is switched off


class LayerSize(NamedTuple):
    """Dimensions of a decoder layer."""

    width: int  # d
    heads: int  # h
    hidden: int  # hidden width of the feed-forward network
    dropout: float = 0.0  # probability, 0-1


class Level(NamedTuple):
    """A scale as the decoder layers attend to it."""

    map: Tensor  # (B, d, H_l, W_l)
    position: Tensor  # (1, d, H_l, W_l)
    keys: Tensor  # (B, H_l·W_l, d): map + position
    values: Tensor  # (B, H_l·W_l, d): the map


@TRANSFORMER_DECODER.register()
class MultiScaleMaskedTransformerDecoder(nn.Module):
    """Queries that attend to one scale per layer, inside the mask that they predicted before it.

    Layer i uses scale i mod 3; scale 0 has stride 32.

    Args:
        size: dimensions of every layer.
        embed_dim: E.
        queries: Q.
        layers: number of decoder layers.
        map_width: channels of the incoming scales, projected if they differ from d; None for d.
        feature_injection_scale: the layers of this scale get the feature injector; -1 for none.
        query_injection_scale: the layers of this scale get the query injector; -1 for none.
        recompute: see :func:`run_layer`.
    """

    def __init__(
        self,
        *,
        size: LayerSize,
        embed_dim: int,
        queries: int,
        layers: int,
        map_width: int | None = None,
        feature_injection_scale: int = NEVER,
        query_injection_scale: int = NEVER,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        width, heads, hidden, dropout = size
        self.width, self.map_width, self.heads = width, map_width or width, heads
        self.query_injection_scale, self.recompute = query_injection_scale, recompute
        cross_attention = partial(CrossAttention, width=width, heads=heads, dropout=dropout)
        self.transformer_cross_attention_layers = nn.ModuleList(cross_attention() for _ in range(layers))
        self.transformer_self_attention_layers = nn.ModuleList(
            SelfAttention(width=width, heads=heads, dropout=dropout) for _ in range(layers)
        )
        self.transformer_ffn_layers = nn.ModuleList(
            FeedForward(width=width, hidden=hidden, dropout=dropout) for _ in range(layers)
        )
        self.transformer_cross_attention_layers_sam = nn.ModuleDict(
            {str(i): cross_attention() for i in range(layers) if i % SCALES == feature_injection_scale}
        )
        self.query_feat = nn.Embedding(queries, width)
        self.query_embed = nn.Embedding(queries, width)
        self.level_embed = nn.Embedding(SCALES, width)
        self.input_proj = nn.ModuleList(_projection(self.map_width, width) for _ in range(SCALES))
        self.decoder_norm = nn.LayerNorm(width)
        self.mask_embed = MLP(width, width, width, depth=3)
        self._mask_pooling_proj = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.class_embed = MLP(width, width, embed_dim, depth=3)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @classmethod
    def from_config(cls, cfg: CfgNode, embed_dim: int, with_sam: bool) -> "MultiScaleMaskedTransformerDecoder":
        """Build from the keys of ``MODEL.MASK_FORMER``.

        Args:
            cfg: the whole config.
            embed_dim: E of the CLIP model.
            with_sam: True if the model has a SAM; False switches both injectors off.

        Raises:
            ConfigError: contradicting widths.
        """
        keys = cfg.MODEL.MASK_FORMER
        mask_width, map_width = cfg.MODEL.SEM_SEG_HEAD.MASK_DIM, cfg.MODEL.SEM_SEG_HEAD.CONVS_DIM
        if with_sam and keys.SAM_FEATURE_FUSE_LAYER != NEVER and map_width != keys.HIDDEN_DIM:
            raise ConfigError(
                f"MODEL.SEM_SEG_HEAD.CONVS_DIM {map_width} must equal MODEL.MASK_FORMER.HIDDEN_DIM {keys.HIDDEN_DIM}: "
                "the feature injector attends from the pixel decoder's maps to the SAM map."
            )
        if mask_width != keys.HIDDEN_DIM:
            raise ConfigError(
                f"MODEL.SEM_SEG_HEAD.MASK_DIM {mask_width} must equal MODEL.MASK_FORMER.HIDDEN_DIM {keys.HIDDEN_DIM}."
            )
        if with_sam and keys.SAM_QUERY_FUSE_LAYER >= keys.DEC_LAYERS - 2:
            logger.warning(
                "The query injector runs after the last decoder layer only and has no effect: set "
                "MODEL.MASK_FORMER.DEC_LAYERS to %d or more, or choose a smaller SAM_QUERY_FUSE_LAYER.",
                keys.SAM_QUERY_FUSE_LAYER + 3,
            )
        return cls(
            size=LayerSize(keys.HIDDEN_DIM, keys.NHEADS, keys.DIM_FEEDFORWARD, keys.DROPOUT),
            embed_dim=embed_dim,
            queries=keys.NUM_OBJECT_QUERIES,
            layers=keys.DEC_LAYERS - 1,
            map_width=cfg.MODEL.SEM_SEG_HEAD.CONVS_DIM,
            feature_injection_scale=keys.SAM_FEATURE_FUSE_LAYER if with_sam else NEVER,
            query_injection_scale=keys.SAM_QUERY_FUSE_LAYER if with_sam else NEVER,
            recompute=cfg.MODEL.SEM_SEG_HEAD.RECOMPUTE,
        )

    def forward(
        self, pixels: PixelFeatures, sam_embedding: Tensor | None, text_embeddings: TextEmbeddings
    ) -> MaskPredictions:
        """Predict after the last layer; in training also from the initial queries and after every other layer.

        Args:
            pixels: output of the pixel decoder.
            sam_embedding: SAM's embedding (B, d, h, w); None without SAM.
            text_embeddings: text classifier of the N synonyms and void.

        Raises:
            ShapeError: a tensor of another shape, or a missing input of an injector.
        """
        if self.training:
            return self.predict_layers(pixels, sam_embedding, text_embeddings)
        output = self.decode_last(pixels, sam_embedding)
        return MaskPredictions(
            Prediction(class_logits(output.embeddings, text_embeddings, self.logit_scale), output.masks), ()
        )

    def predict_layers(
        self, pixels: PixelFeatures, sam_embedding: Tensor | None, text_embeddings: TextEmbeddings
    ) -> MaskPredictions:
        """Predict from the initial queries and after every layer; the arguments are those of :meth:`forward`."""
        outputs = self.decode(pixels, sam_embedding)
        logits = [class_logits(output.embeddings, text_embeddings, self.logit_scale) for output in outputs]
        predictions = [
            Prediction(each, output.masks, MaskFactors(output.mask_embeddings, pixels.mask_features))
            for each, output in zip(logits, outputs, strict=True)
        ]
        return MaskPredictions(predictions[-1], tuple(predictions[:-1]))

    def decode(self, pixels: PixelFeatures, sam_embedding: Tensor | None) -> list[QueryOutput]:
        """Return the outputs of the initial queries and after every layer; class names do not affect them."""
        self._check(pixels, sam_embedding)
        levels = self.levels(pixels)
        queries = self.query_feat.weight.expand(pixels.mask_features.shape[0], -1, -1)  # (B, Q, d)
        run = partial(run_layer, recompute=self.recompute)
        outputs = [run(self.output_of, queries, pixels.mask_features)]
        for i in range(len(self.transformer_ffn_layers)):
            visible = visible_pixels(resize(outputs[-1].masks.detach(), levels[i % SCALES].map.shape[-2:]))
            queries = run(self.layer, i, queries, visible, levels, pixels.sam_map)
            outputs.append(run(self.output_of, queries, pixels.mask_features))
            if sam_embedding is not None and i % SCALES == self.query_injection_scale:
                queries = inject_into_queries(queries, outputs[-1].masks, sam_embedding, self._mask_pooling_proj)
        return outputs

    def decode_last(self, pixels: PixelFeatures, sam_embedding: Tensor | None) -> QueryOutput:
        """Return the last of the outputs of :meth:`decode`, without the others.

        Between the layers, masks are needed at the size of the next scale and of SAM's embedding only. Resizing is
        linear, and so is the product of queries and mask features: resized mask features give resized masks.
        """
        self._check(pixels, sam_embedding)
        levels = self.levels(pixels)
        features = [resize(pixels.mask_features, level.map.shape[-2:]) for level in levels]  # (B, d, H_l, W_l) each
        queries = self.query_feat.weight.expand(pixels.mask_features.shape[0], -1, -1)  # (B, Q, d)
        for i in range(len(self.transformer_ffn_layers)):
            visible = visible_pixels(self.masks_of(queries, features[i % SCALES]))
            if sam_embedding is not None and i > 0 and (i - 1) % SCALES == self.query_injection_scale:
                masks = self.masks_of(queries, resize(pixels.mask_features, sam_embedding.shape[-2:]))  # (B, Q, h, w)
                queries = inject_into_queries(queries, masks, sam_embedding, self._mask_pooling_proj)
            queries = self.layer(i, queries, visible, levels, pixels.sam_map)
        return self.output_of(queries, pixels.mask_features)

    def levels(self, pixels: PixelFeatures) -> list[Level]:
        """Return the scales as the layers attend to them."""
        levels = []
        for level, (project, scale) in enumerate(zip(self.input_proj, pixels.scales, strict=True)):
            features = project(scale) + self.level_embed.weight[level][:, None, None]  # (B, d, H_l, W_l)
            position = sine_position(features)  # (1, d, H_l, W_l)
            values = to_sequence(features).contiguous()  # (B, H_l·W_l, d)
            levels.append(Level(features, position, values + to_sequence(position), values))
        return levels

    def layer(
        self, i: int, queries: Tensor, visible: Tensor, levels: Sequence[Level], sam_map: Tensor | None
    ) -> Tensor:
        """Run decoder layer i: masked cross-attention, self-attention, feed-forward.

        Args:
            i: index of the layer.
            queries: (B, Q, d).
            visible: (B, Q, H_l·W_l) bool, True where a query attends.
            levels: see :meth:`levels`.
            sam_map: (B, d, h, w), for layers with the feature injector; None without SAM.

        Returns:
            (B, Q, d).
        """
        level = levels[i % SCALES]
        keys, values = level.keys, level.values
        query_position = self.query_embed.weight[None]  # (1, Q, d)
        if sam_map is not None and str(i) in self.transformer_cross_attention_layers_sam:
            # the released model attends without key position in these layers
            keys = values = to_sequence(self._inject_sam(i, level, sam_map, working_size=levels[0].map.shape[-2:]))
        queries = self.transformer_cross_attention_layers[i](
            queries, keys, values, target_position=query_position, visible=visible
        )
        queries = self.transformer_self_attention_layers[i](queries, query_position)
        return self.transformer_ffn_layers[i](queries)

    def output_of(self, queries: Tensor, mask_features: Tensor) -> QueryOutput:
        """Return a mask and an embedding for each query (B, Q, d).

        Args:
            queries: (B, Q, d).
            mask_features: (B, d, H/4, W/4).
        """
        normalised = self.decoder_norm(queries)
        mask_embeddings = self.mask_embed(normalised)
        masks = mask_product(mask_embeddings, mask_features)  # (B, Q, H/4, W/4)
        return QueryOutput(self.embed(normalised, mask_pooling(mask_features, masks)), masks, mask_embeddings)

    def masks_of(self, queries: Tensor, mask_features: Tensor) -> Tensor:
        """Return the mask logits (B, Q, h, w) of queries (B, Q, d) on mask features (B, d, h, w) of any size."""
        return mask_product(self.mask_embed(self.decoder_norm(queries)), mask_features)

    def embed(self, queries: Tensor, pooled: Tensor) -> Tensor:
        """Embed queries in CLIP's joint space.

        Args:
            queries: (B, Q, d), normalised.
            pooled: (B, Q, d) mask features, averaged under the mask of each query.

        Returns:
            (B, Q, E), not normalised.
        """
        embeddings: Tensor = self.class_embed(self._mask_pooling_proj(pooled) + queries)
        return embeddings

    def _check(self, pixels: PixelFeatures, sam_embedding: Tensor | None) -> None:
        check_shape("mask_features", pixels.mask_features, "B d H W", d=self.width)
        if len(pixels.scales) != SCALES:
            raise ShapeError(f"The transformer decoder got {len(pixels.scales)} scales, expected {SCALES}.")
        batch = pixels.mask_features.shape[0]
        for index, features in enumerate(pixels.scales):
            check_shape(f"scales[{index}]", features, "B c H W", B=batch, c=self.map_width)
        if len(self.transformer_cross_attention_layers_sam) > 0 and pixels.sam_map is None:
            raise ShapeError("The feature injector needs the SAM map and got None: build the pixel decoder with SAM.")
        if self.query_injection_scale != NEVER and sam_embedding is None:
            raise ShapeError("The query injector needs SAM's embedding and got None: pass sam_embedding (B, d, h, w).")

    def _inject_sam(self, i: int, level: Level, sam_map: Tensor, working_size: torch.Size) -> Tensor:
        scale = i % SCALES
        if not self.training:
            # As in the released model, at test time only: SAM encodes every image as a square of fixed size,
            # so its map is resized to the CLIP map before its position is embedded. Training crops are square.
            sam_map = resize(sam_map, level.map.shape[-2:])
        return inject_features(
            cast(CrossAttention, self.transformer_cross_attention_layers_sam[str(i)]),
            level.map,
            sam_map + self.level_embed.weight[scale][:, None, None],
            clip_position=level.position,
            sam_position=sine_position(sam_map),
            working_size=working_size if scale else None,
        )


def _projection(channels: int, width: int) -> nn.Module:
    if channels == width:
        return nn.Identity()
    projection = nn.Conv2d(channels, width, kernel_size=1)
    nn.init.kaiming_uniform_(projection.weight, a=1)
    nn.init.zeros_(cast(Tensor, projection.bias))
    return projection
