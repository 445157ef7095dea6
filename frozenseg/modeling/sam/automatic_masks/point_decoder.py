"""SAM's mask decoder for many points on one image: values that all points share are computed once.

The result is that of ``MaskDecoder`` of the segment-anything package, up to rounding. There are three differences:

- before the first image-to-token attention, the image tokens do not depend on the points, so their keys, values and
  queries are computed once;
- afterwards, the image projections are applied to the few prompt tokens: (W x)·q = x·(Wᵀ q). T·n vectors are projected
  instead of h·w, and the contribution of the position encoding to a score is precomputed;
- masks are upscaled only for points with a mask that passes the threshold of the predicted IoU.

Letters: B points, T tokens of a point (quality, four masks, the point, the padding point), m masks of a point (three),
L image tokens = h·w, c channels, n heads, e channels of a head.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.transformer import Attention, TwoWayAttentionBlock
from torch import Tensor, nn

from frozenseg.structures.shapes import check_shape

UPSCALING = 4  # of masks relative to the embedding


class PointDecoder:
    """Mask decoder of one image.

    Args:
        decoder: of the segment-anything package.
        image: (1, c, h, w) embedding of the image plus the dense prompt.
        position: (1, c, h, w) position encoding of the image.
        dtype: of the image tokens, float32 or bfloat16; prompt tokens are float32.
    """

    def __init__(self, decoder: MaskDecoder, image: Tensor, position: Tensor, dtype: torch.dtype) -> None:
        check_shape("image embedding", image, "1 c h w")
        check_shape("position encoding", position, "1 c h w", c=image.shape[1], h=image.shape[2], w=image.shape[3])
        self.decoder, self.dtype, self.grid = decoder, dtype, tuple(image.shape[-2:])
        self.image = image.flatten(2).transpose(1, 2)  # (1, L, c)
        self.position = position.flatten(2).transpose(1, 2)  # (1, L, c)
        layers = decoder.transformer.layers
        self.reads = [
            ImageReader(layer.cross_attn_token_to_image, self.image if i == 0 else None, self.position, dtype)
            for i, layer in enumerate(layers)
        ]
        self.reads.append(ImageReader(decoder.transformer.final_attn_token_to_image, None, self.position, dtype))
        self.writes = [
            ImageWriter(layer, self.image if i == 0 else None, self.position, dtype) for i, layer in enumerate(layers)
        ]
        self.upscaling = Upscaling(decoder.output_upscaling, dtype)

    def attend(self, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Run the two-way transformer.

        Args:
            prompts: (B, 2, c) encoded points, each with its padding point.

        Returns:
            Tokens (B, T, c), and image tokens (B, L, c) in ``dtype``.
        """
        check_shape("prompts", prompts, "B 2 c", c=self.image.shape[-1])
        learned = torch.cat([self.decoder.iou_token.weight, self.decoder.mask_tokens.weight])
        encoding = torch.cat([learned.expand(len(prompts), -1, -1), prompts], dim=1)  # (B, T, c)
        tokens, image = encoding, None  # None: the embedding that all points share
        transformer = self.decoder.transformer
        for layer, read, write in zip(transformer.layers, self.reads, self.writes, strict=False):
            tokens = attend_to_each_other(layer, tokens, encoding)
            tokens = layer.norm2(tokens + read(tokens + encoding, image))
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            image = write(tokens + encoding, tokens, image)
        tokens = transformer.norm_final_attn(tokens + self.reads[-1](tokens + encoding, image))
        assert image is not None  # noqa: S101  # a transformer has layers
        return tokens, image

    def quality(self, tokens: Tensor) -> Tensor:
        """Predict the IoU of each mask, (B, T, c) → (B, m)."""
        predicted: Tensor = self.decoder.iou_prediction_head(tokens[:, 0])[:, 1:]
        return predicted

    def masks(self, tokens: Tensor, image: Tensor) -> Tensor:
        """Return the logits of the masks.

        Args:
            tokens: (B, T, c).
            image: (B, L, c).

        Returns:
            (B, m, 4h, 4w) float32.
        """
        heads = self.decoder.output_hypernetworks_mlps
        kernels = torch.stack([heads[i](tokens[:, 1 + i]) for i in range(1, len(heads))], dim=1)  # (B, m, c/8)
        return self.upscaling(image, kernels, self.grid)


def attend_to_each_other(layer: TwoWayAttentionBlock, tokens: Tensor, encoding: Tensor) -> Tensor:
    """Apply self-attention to the tokens of each point, (B, T, c) → (B, T, c)."""
    if layer.skip_first_layer_pe:
        attended: Tensor = layer.norm1(layer.self_attn(q=tokens, k=tokens, v=tokens))
        return attended
    encoded = tokens + encoding
    residual: Tensor = layer.norm1(tokens + layer.self_attn(q=encoded, k=encoded, v=tokens))
    return residual


class ImageScores:
    """Attention scores between tokens and image, in both directions.

    Args:
        token_side: projection of the tokens, c → n·e.
        image_side: projection of the image, c → n·e.
        heads: n.
        image: (1, L, c) if all points share it, else None.
        position: (1, L, c).
        dtype: of the image side.
    """

    def __init__(
        self,
        token_side: nn.Linear,
        image_side: nn.Linear,
        heads: int,
        image: Tensor | None,
        position: Tensor,
        dtype: torch.dtype,
    ) -> None:
        self.token_side, self.heads, self.dtype = token_side, heads, dtype
        shared = position if image is None else image + position
        self.table = split_heads(image_side(shared), heads)[0].to(dtype)  # (n, L, e)
        self.weight = torch.unflatten(image_side.weight, 0, (heads, -1))  # (n, e, c)

    def __call__(self, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Return scaled scores (B, n, T, L) of tokens (B, T, c) and image (B, L, c), None for the shared image."""
        queries = split_heads(self.token_side(tokens), self.heads)  # (B, n, T, e)
        queries = queries / queries.shape[-1] ** 0.5
        scores = torch.einsum("bnte,nle->bntl", queries.to(self.dtype), self.table)
        if image is None:
            return scores
        lifted = (queries @ self.weight).flatten(1, 2).to(self.dtype)  # (B, n·T, c)
        return torch.baddbmm(scores.flatten(1, 2), lifted, image.mT).view_as(scores)


class ImageReader:
    """Cross-attention from tokens to the image.

    Args:
        attention: of the segment-anything package.
        image: (1, L, c) if all points share it, else None.
        position: (1, L, c).
        dtype: of the image side.
    """

    def __init__(self, attention: Attention, image: Tensor | None, position: Tensor, dtype: torch.dtype) -> None:
        self.attention, heads = attention, attention.num_heads
        self.scores = ImageScores(attention.q_proj, attention.k_proj, heads, image, position, dtype)
        self.shared = None if image is None else split_heads(attention.v_proj(image), heads)[0].to(dtype)  # (n, L, e)
        self.weight = torch.unflatten(attention.v_proj.weight, 0, (heads, -1)).mT  # (n, c, e)
        self.bias = torch.unflatten(attention.v_proj.bias, 0, (heads, 1, -1))  # (n, 1, e)

    def __call__(self, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Attend from tokens (B, T, c) to the image (B, L, c), None for the shared image; returns (B, T, c)."""
        weights = self.scores(tokens, image).softmax(dim=-1)  # (B, n, T, L)
        if image is None:
            assert self.shared is not None  # noqa: S101  # of the first layer
            read = torch.einsum("bntl,nle->bnte", weights, self.shared).float()
        else:
            pooled = torch.unflatten(weights.flatten(1, 2) @ image, 1, weights.shape[1:3]).float()  # (B, n, T, c)
            read = pooled @ self.weight + self.bias  # attention weights sum to one, so the bias is added once
        output: Tensor = self.attention.out_proj(read.transpose(1, 2).flatten(2))
        return output


class ImageWriter:
    """Cross-attention from the image to tokens, with residual and norm.

    Args:
        layer: of the segment-anything package.
        image: (1, L, c) if all points share it, else None.
        position: (1, L, c).
        dtype: of the image side.
    """

    def __init__(self, layer: TwoWayAttentionBlock, image: Tensor | None, position: Tensor, dtype: torch.dtype) -> None:
        attention: Attention = layer.cross_attn_image_to_token
        self.heads, self.dtype, self.value = attention.num_heads, dtype, attention.v_proj
        self.scores = ImageScores(attention.k_proj, attention.q_proj, self.heads, image, position, dtype)
        self.weight = torch.unflatten(attention.out_proj.weight, 1, (self.heads, -1)).permute(1, 2, 0)  # (n, e, c)
        self.bias = attention.out_proj.bias
        self.shared = None if image is None else (image + self.bias).to(dtype)  # (1, L, c)
        self.norm = (layer.norm4.normalized_shape, layer.norm4.weight.to(dtype), layer.norm4.bias.to(dtype))
        self.epsilon = layer.norm4.eps

    def __call__(self, encoded: Tensor, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Return the image tokens after attention to the tokens of each point.

        Args:
            encoded: (B, T, c) tokens plus their encoding.
            tokens: (B, T, c).
            image: (B, L, c); None for the shared image.

        Returns:
            (B, L, c).
        """
        weights = self.scores(encoded, image).softmax(dim=2).flatten(1, 2)  # (B, n·T, L)
        values = split_heads(self.value(tokens), self.heads) @ self.weight  # (B, n, T, c)
        if image is not None:
            base = image + self.bias.to(self.dtype)
        else:
            assert self.shared is not None  # noqa: S101  # of the first layer
            base = self.shared.expand(len(tokens), -1, -1)
        written = torch.baddbmm(base, weights.mT, values.flatten(1, 2).to(self.dtype))
        return F.layer_norm(written, *self.norm, self.epsilon)


class Upscaling:
    """Image tokens → feature maps four times as large → mask logits; channels last, one matrix product for each step.

    Args:
        layers: of the package: transposed convolution 2×2, norm, activation, transposed convolution 2×2, activation.
        dtype: of the image tokens.
    """

    def __init__(self, layers: nn.Sequential, dtype: torch.dtype) -> None:
        first, norm, activation, second, _ = (cast(Any, layer) for layer in layers)
        self.activation: Callable[[Tensor], Tensor] = activation
        self.first, self.second = (as_linear(convolution, dtype) for convolution in (first, second))
        self.norm_shape: tuple[int] = (len(norm.weight),)
        self.norm: tuple[Tensor, Tensor, float] = (norm.weight.to(dtype), norm.bias.to(dtype), norm.eps)

    def __call__(self, image: Tensor, kernels: Tensor, grid: tuple[int, ...]) -> Tensor:
        """Return mask logits.

        Args:
            image: (B, L, c) tokens.
            kernels: (B, m, c/8), one for each mask.
            grid: h and w.

        Returns:
            (B, m, 4h, 4w).
        """
        fine = torch.unflatten(F.linear(image, *self.first), -1, (-1, *self.norm_shape))  # (B, L, 4, c/4)
        fine = self.activation(F.layer_norm(fine, self.norm_shape, *self.norm))
        fine = self.activation(F.linear(fine, *self.second))  # (B, L, 4, 4·c/8)
        fine = torch.unflatten(fine, -1, (4, -1)).flatten(1, 3)  # (B, 16L, c/8)
        logits = kernels @ fine.float().mT  # (B, m, 16L)
        squares = torch.unflatten(logits, -1, (*grid, 2, 2, 2, 2))  # rows, columns, then y and x inside, twice
        return squares.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(*kernels.shape[:2], *(UPSCALING * side for side in grid))


def as_linear(convolution: nn.ConvTranspose2d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return weight (4·out, in) and bias (4·out,) of a transposed 2×2 convolution, stride 2, position by position."""
    assert convolution.bias is not None  # noqa: S101  # SAM's have one
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return weight.to(dtype), convolution.bias.repeat(4).to(dtype)


def split_heads(projected: Tensor, heads: int) -> Tensor:
    """Reshape (B, T, n·e) to (B, n, T, e)."""
    return torch.unflatten(projected, -1, (heads, -1)).transpose(1, 2)
