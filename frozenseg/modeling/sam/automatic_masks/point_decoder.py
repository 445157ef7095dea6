"""SAM's mask decoder for very many points on one image: what is the same for every point is computed once.

The numbers are those of the package's ``MaskDecoder``, up to rounding. Three things are done otherwise:

- until the first layer's image tokens have attended to the points, they are the same for all points, and so are their
  keys, values and queries;
- later the image's projections move to the side of the few prompt tokens: (W x)·q = x·(Wᵀ q), so that T·heads vectors
  are projected and not h·w of them, and the position's share of a score comes from tables;
- masks are upscaled for the points that are still wanted after the quality of their masks is known.

Letters: B points, T tokens of each (quality, four masks, the point, the padding point), m masks of each (three), L
image tokens = h·w, c channels, n heads, e channels of a head.
"""

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.transformer import Attention, TwoWayAttentionBlock
from torch import Tensor, nn

UPSCALING = 4  # of masks beside the embedding


class PointDecoder:
    """A mask decoder and one image.

    Args:
        decoder: the package's.
        image: (1, c, h, w) embedding of the image, the dense prompt added.
        position: (1, c, h, w) position encoding of the image.
        dtype: in which image tokens are computed, float32 or bfloat16; prompt tokens stay float32.
    """

    def __init__(self, decoder: MaskDecoder, image: Tensor, position: Tensor, dtype: torch.dtype) -> None:
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
        own = torch.cat([self.decoder.iou_token.weight, self.decoder.mask_tokens.weight])
        encoding = torch.cat([own.expand(len(prompts), -1, -1), prompts], dim=1)  # (B, T, c)
        tokens, image = encoding, None
        transformer = self.decoder.transformer
        for layer, read, write in zip(transformer.layers, self.reads, self.writes, strict=False):
            tokens = attend_to_each_other(layer, tokens, encoding)
            tokens = layer.norm2(tokens + read(tokens + encoding, image))
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            image = write(tokens + encoding, tokens, image)
        tokens = transformer.norm_final_attn(tokens + self.reads[-1](tokens + encoding, image))
        return tokens, image

    def quality(self, tokens: Tensor) -> Tensor:
        """Predict the IoU of each mask, (B, T, c) → (B, m)."""
        return self.decoder.iou_prediction_head(tokens[:, 0])[:, 1:]

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
    """Let the tokens of a point attend to each other, (B, T, c) → (B, T, c)."""
    if layer.skip_first_layer_pe:
        return layer.norm1(layer.self_attn(q=tokens, k=tokens, v=tokens))
    placed = tokens + encoding
    return layer.norm1(tokens + layer.self_attn(q=placed, k=placed, v=tokens))


class ImageScores:
    """Scores between tokens and image, whichever side asks.

    Args:
        token_side: projection of the tokens, c → n·e.
        image_side: projection of the image, c → n·e.
        heads: n.
        image: (1, L, c) where all points share it, else None.
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
        seen = position if image is None else image + position
        self.table = split_heads(image_side(seen), heads)[0].to(dtype)  # (n, L, e)
        self.weight = image_side.weight.unflatten(0, (heads, -1))  # (n, e, c)

    def __call__(self, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Return scaled scores (B, n, T, L) of tokens (B, T, c) and image (B, L, c), or None for the shared one."""
        asked = split_heads(self.token_side(tokens), self.heads)  # (B, n, T, e)
        asked = asked / asked.shape[-1] ** 0.5
        scores = torch.einsum("bnte,nle->bntl", asked.to(self.dtype), self.table)
        if image is None:
            return scores
        lifted = (asked @ self.weight).flatten(1, 2).to(self.dtype)  # (B, n·T, c)
        return torch.baddbmm(scores.flatten(1, 2), lifted, image.mT).view_as(scores)


class ImageReader:
    """Attention of tokens to the image.

    Args:
        attention: the package's.
        image: (1, L, c) where all points share it, else None.
        position: (1, L, c).
        dtype: of the image side.
    """

    def __init__(self, attention: Attention, image: Tensor | None, position: Tensor, dtype: torch.dtype) -> None:
        self.attention, heads = attention, attention.num_heads
        self.scores = ImageScores(attention.q_proj, attention.k_proj, heads, image, position, dtype)
        self.shared = None if image is None else split_heads(attention.v_proj(image), heads)[0].to(dtype)  # (n, L, e)
        self.weight = attention.v_proj.weight.unflatten(0, (heads, -1)).mT  # (n, c, e)
        self.bias = attention.v_proj.bias.unflatten(0, (heads, 1, -1))  # (n, 1, e)

    def __call__(self, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Return what tokens (B, T, c) read in the image (B, L, c), or None for the shared one; (B, T, c)."""
        weights = self.scores(tokens, image).softmax(dim=-1)  # (B, n, T, L)
        if image is None:
            read = torch.einsum("bntl,nle->bnte", weights, self.shared).float()
        else:
            pooled = (weights.flatten(1, 2) @ image).unflatten(1, weights.shape[1:3]).float()  # (B, n, T, c)
            read = pooled @ self.weight + self.bias  # weights sum to one, and so pass the bias
        return self.attention.out_proj(read.transpose(1, 2).flatten(2))


class ImageWriter:
    """Attention of the image to tokens, the sum with the image and its norm.

    Args:
        layer: the package's.
        image: (1, L, c) where all points share it, else None.
        position: (1, L, c).
        dtype: of the image side.
    """

    def __init__(self, layer: TwoWayAttentionBlock, image: Tensor | None, position: Tensor, dtype: torch.dtype) -> None:
        attention: Attention = layer.cross_attn_image_to_token
        self.heads, self.dtype, self.value = attention.num_heads, dtype, attention.v_proj
        self.scores = ImageScores(attention.k_proj, attention.q_proj, self.heads, image, position, dtype)
        self.weight = attention.out_proj.weight.unflatten(1, (self.heads, -1)).permute(1, 2, 0)  # (n, e, c)
        self.bias = attention.out_proj.bias
        self.shared = None if image is None else (image + self.bias).to(dtype)  # (1, L, c)
        self.norm = (layer.norm4.normalized_shape, layer.norm4.weight.to(dtype), layer.norm4.bias.to(dtype))
        self.epsilon = layer.norm4.eps

    def __call__(self, placed: Tensor, tokens: Tensor, image: Tensor | None) -> Tensor:
        """Return the image tokens after reading the points' tokens.

        Args:
            placed: (B, T, c) tokens with their encoding.
            tokens: (B, T, c).
            image: (B, L, c), or None for the shared one.

        Returns:
            (B, L, c).
        """
        weights = self.scores(placed, image).softmax(dim=2).flatten(1, 2)  # (B, n·T, L)
        values = split_heads(self.value(tokens), self.heads) @ self.weight  # (B, n, T, c)
        base = self.shared.expand(len(tokens), -1, -1) if image is None else image + self.bias.to(self.dtype)
        written = torch.baddbmm(base, weights.mT, values.flatten(1, 2).to(self.dtype))
        return F.layer_norm(written, *self.norm, self.epsilon)


class Upscaling:
    """Image tokens → maps four times as large → mask logits; channels last, so that each step is one product.

    Args:
        layers: the package's: transposed convolution 2×2, norm, activation, transposed convolution 2×2, activation.
        dtype: of the image.
    """

    def __init__(self, layers: nn.Sequential, dtype: torch.dtype) -> None:
        first, norm, self.activation, second, _ = layers
        self.first, self.second = (as_linear(convolution, dtype) for convolution in (first, second))
        self.norm = ((len(norm.weight),), norm.weight.to(dtype), norm.bias.to(dtype), norm.eps)

    def __call__(self, image: Tensor, kernels: Tensor, grid: tuple[int, ...]) -> Tensor:
        """Return the logits.

        Args:
            image: (B, L, c) tokens.
            kernels: (B, m, c/8), one a mask.
            grid: h and w.

        Returns:
            (B, m, 4h, 4w).
        """
        fine = F.linear(image, *self.first).unflatten(-1, (-1, *self.norm[0]))  # (B, L, 4, c/4)
        fine = self.activation(F.layer_norm(fine, *self.norm))
        fine = self.activation(F.linear(fine, *self.second)).unflatten(-1, (4, -1)).flatten(1, 3)  # (B, 16L, c/8)
        logits = kernels @ fine.float().mT  # (B, m, 16L)
        squares = logits.unflatten(-1, (*grid, 2, 2, 2, 2))  # rows, columns, then y and x inside, twice
        return squares.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(*kernels.shape[:2], *(UPSCALING * side for side in grid))


def as_linear(convolution: nn.ConvTranspose2d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return weight (4·out, in) and bias (4·out,) of a transposed 2×2 convolution, stride 2, place by place."""
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return weight.to(dtype), convolution.bias.repeat(4).to(dtype)


def split_heads(projected: Tensor, heads: int) -> Tensor:
    """Turn (B, T, n·e) into (B, n, T, e)."""
    return projected.unflatten(-1, (heads, -1)).transpose(1, 2)
