"""Pixel decoder: mask features and three scales from CLIP's maps, and the SAM map from SAM's embedding.

Multi-scale deformable attention over strides 32, 16 and 8 and one FPN step to stride 4, as in Mask2Former (Cheng et
al. 2022, sec. 3.2.1), in float32. The SAM branch halves SAM's embedding and encodes it with a second deformable
encoder, for the feature injector.

Letters: B images, H×W the padded input, d width, c and h×w channels and size of SAM's embedding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.layers.group_norm import group_norm
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.modeling.pixel_decoder.deformable_encoder import DeformableEncoder, EncoderLayer
from frozenseg.modeling.tracing import autocast
from frozenseg.modeling.types import ClipFeatures, PixelFeatures
from frozenseg.registry import PIXEL_DECODER
from frozenseg.structures.shapes import check_shape

LEVELS = 3  # res5, res4, res3


@PIXEL_DECODER.register()
class MSDeformAttnPixelDecoder(nn.Module):
    """Deformable encoder and one FPN step, with an optional SAM branch.

    Args:
        channels: of res2 … res5.
        width: d.
        mask_width: channels of the mask features.
        encoder: deformable encoder over res5, res4, res3.
        sam_encoder: deformable encoder over SAM's embedding; None without SAM.
        sam_channels: c of SAM's embedding; read only with ``sam_encoder``.

    Attributes:
        inference_precision: dtype of matrix products at inference; sampling locations stay in float32.

    Raises:
        ShapeError: an encoder of another width or number of levels.
    """

    inference_precision: torch.dtype = torch.float32

    def __init__(
        self,
        *,
        channels: tuple[int, int, int, int],
        width: int,
        mask_width: int,
        encoder: DeformableEncoder,
        sam_encoder: DeformableEncoder | None = None,
        sam_channels: int = 256,
    ) -> None:
        super().__init__()
        if (encoder.levels, encoder.width) != (LEVELS, width):
            raise ShapeError(
                f"The encoder has {encoder.levels} levels of width {encoder.width}, expected {LEVELS} of width {width}."
            )
        if sam_encoder is not None and sam_encoder.width != width:
            raise ShapeError(f"The SAM encoder has the width {sam_encoder.width}, expected {width}.")
        self.channels, self.sam_channels = channels, sam_channels
        res2, res3, res4, res5 = channels
        self.input_proj = nn.ModuleList(_projection(count, width) for count in (res5, res4, res3))
        self.transformer = encoder
        self.adapter_1 = ConvNorm(res2, width, kernel_size=1)
        self.layer_1 = ConvNorm(width, width, kernel_size=3, padding=1)
        self.mask_features = nn.Conv2d(width, mask_width, kernel_size=1)
        self.fpn3 = _sam_reduction(sam_channels, width) if sam_encoder is not None else None
        self.sam_transformer = sam_encoder
        self._initialise()

    @classmethod
    def from_config(
        cls, cfg: CfgNode, channels: tuple[int, int, int, int], sam_channels: int | None
    ) -> "MSDeformAttnPixelDecoder":
        """Build from the keys of ``MODEL.SEM_SEG_HEAD``.

        Args:
            cfg: the whole config.
            channels: of CLIP's res2 … res5.
            sam_channels: c of SAM's embedding; None without SAM.

        Raises:
            ConfigError: SAM_READ_ACROSS_IMAGES without the released layout.
        """
        head = cfg.MODEL.SEM_SEG_HEAD
        common = {
            "width": head.CONVS_DIM,
            "layers": head.TRANSFORMER_ENC_LAYERS,
            "heads": head.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS,
            "points": head.DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS,
            "hidden": head.DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD,
            "dropout": cfg.MODEL.MASK_FORMER.DROPOUT,
        }
        sam_encoder = None
        if sam_channels:
            sam_encoder = DeformableEncoder(levels=head.SAM_ENCODER_LEVELS, released_read=_released_read(cfg), **common)
        decoder = cls(
            channels=channels,
            width=head.CONVS_DIM,
            mask_width=head.MASK_DIM,
            encoder=DeformableEncoder(levels=LEVELS, **common),
            sam_encoder=sam_encoder,
            sam_channels=sam_channels or 0,
        )
        for module in decoder.modules():
            if isinstance(module, DeformableEncoder):
                module.recompute = head.RECOMPUTE
        return decoder

    def forward(self, clip: ClipFeatures, sam_embedding: Tensor | None = None) -> PixelFeatures:
        """Decode the maps of the frozen encoders, in float32 also under autocast, or in ``inference_precision``.

        Args:
            clip: CLIP's maps.
            sam_embedding: SAM's embedding (B, c, h, w); None without SAM.

        Raises:
            ShapeError: a map with another number of channels or images.
        """
        self._check(clip, sam_embedding)
        lowered = not self.training and self.inference_precision != torch.float32
        with autocast(clip.res2.device.type, self.inference_precision, enabled=lowered):
            return self._decode(clip, sam_embedding)

    def _decode(self, clip: ClipFeatures, sam_embedding: Tensor | None) -> PixelFeatures:
        levels = [
            project(features.float()).float()  # float32 positions also in a lower precision
            for project, features in zip(self.input_proj, (clip.res5, clip.res4, clip.res3), strict=True)
        ]
        scales = self.transformer(levels)  # strides 32, 16, 8
        fine = self.adapter_1(clip.res2.float())  # (B, d, H/4, W/4)
        fine = F.relu(self.layer_1(fine + resize(scales[-1], fine.shape[-2:])))
        sam_map = None
        if self.fpn3 is not None and self.sam_transformer is not None and sam_embedding is not None:
            [sam_map] = self.sam_transformer([self.fpn3(sam_embedding.float()).float()])  # (B, d, h/2, w/2)
        return PixelFeatures(self.mask_features(fine), tuple(scales), sam_map)

    def _check(self, clip: ClipFeatures, sam_embedding: Tensor | None) -> None:
        batch = clip.res2.shape[0]
        maps = {"res2": clip.res2, "res3": clip.res3, "res4": clip.res4, "res5": clip.res5}
        for (name, features), channels in zip(maps.items(), self.channels, strict=True):
            check_shape(name, features, "B c H W", B=batch, c=channels)
        if self.sam_transformer is not None and sam_embedding is not None:
            check_shape("sam_embedding", sam_embedding, "B c h w", B=batch, c=self.sam_channels)

    def _initialise(self) -> None:
        for convolution in self.input_proj.modules():
            if isinstance(convolution, nn.Conv2d):
                nn.init.xavier_uniform_(convolution.weight, gain=1)
                _zero_bias(convolution)
        for module in (self.adapter_1, self.layer_1, self.mask_features):
            nn.init.kaiming_uniform_(module.weight, a=1)
        _zero_bias(self.mask_features)
        for encoder in (self.transformer, self.sam_transformer):
            if encoder is not None:
                _initialise_encoder(encoder)


class ConvNorm(nn.Conv2d):
    """Convolution without bias and GroupNorm, with their names in released checkpoints (``weight``, ``norm``).

    Args:
        channels: input channels.
        width: output channels.
        kernel_size: of the convolution.
        padding: of the convolution.
    """

    def __init__(self, channels: int, width: int, *, kernel_size: int, padding: int = 0) -> None:
        super().__init__(channels, width, kernel_size=kernel_size, padding=padding, bias=False)
        self.norm = group_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, width, H, W)."""
        return self.norm(super().forward(x))


def _projection(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, width, kernel_size=1), group_norm(width))


def _sam_reduction(channels: int, width: int) -> nn.Sequential:
    """Return the 3×3 convolution of stride 2 with GroupNorm and ReLU that halves SAM's embedding."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel_size=3, stride=2, padding=1),
        group_norm(width),
        nn.ReLU(),
    )


def _released_read(cfg: CfgNode) -> ReleasedRead | None:
    """Return the read of the SAM branch; None for the correct one.

    Raises:
        ConfigError: SAM_READ_ACROSS_IMAGES without the released layout.
    """
    head = cfg.MODEL.SEM_SEG_HEAD
    if head.SAM_ENCODER_LEVELS != 1:
        return ReleasedRead.ACROSS_IMAGES if head.SAM_READ_ACROSS_IMAGES else ReleasedRead.PER_IMAGE
    if head.SAM_READ_ACROSS_IMAGES:
        raise ConfigError(
            "MODEL.SEM_SEG_HEAD.SAM_READ_ACROSS_IMAGES acts only in the released layout: set SAM_ENCODER_LEVELS to 3 "
            "with it, or leave it False."
        )
    return None


def _initialise_encoder(encoder: DeformableEncoder) -> None:
    for layer in encoder.modules():
        if isinstance(layer, EncoderLayer):
            nn.init.xavier_uniform_(layer.linear1.weight)
            nn.init.xavier_uniform_(layer.linear2.weight)


def _zero_bias(convolution: nn.Conv2d) -> None:
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
