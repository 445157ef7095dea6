"""Interface of a frozen CLIP: feature maps, embeddings pooled under masks, and text embeddings.

Letters: B images, Q masks, N sentences, T tokens, w width of the text tower, E the width of the joint space.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.errors import ConfigError
from frozenseg.modeling.clip.shared_prefixes import can_share_prefixes, encode_by_prefixes
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.types import ClipFeatures
from frozenseg.structures.shapes import check_shape

Tokenizer = Callable[[Sequence[str]], Tensor]
_PROBE_SIZE = 64
POOLING_STRIDE = 32  # of the feature map that CLIP pools


class FrozenCLIP(Frozen):
    """An open_clip model, frozen. A family of trunks is a subclass with the four abstract methods.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokenizer: sentences → (N, T) int64 token ids, zero after the end token, which has the largest id.

    Attributes:
        pooling_stride: stride of ``dense``.
        knows_all_tokens: False if the weights are without those of tokens that the training did not use.
    """

    pooling_stride: int = POOLING_STRIDE
    knows_all_tokens: bool = True
    clip_model: Any  # nn.Module declares all attributes as Tensor or Module, but open_clip's have other types, too

    def __init__(self, clip_model: nn.Module, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.clip_model = clip_model
        self.tokenizer = tokenizer
        self.freeze()

    @staticmethod
    @abstractmethod
    def supports(clip_model: nn.Module) -> bool:
        """Return True if this family reads the feature maps of an open_clip model."""

    @abstractmethod
    def forward(self, images: Tensor) -> ClipFeatures:
        """Return the feature maps of normalised images (B, 3, H, W); H and W are multiples of 32."""

    @abstractmethod
    def project(self, dense: Tensor, mask_logits: Tensor) -> Tensor:
        """Pool dense features under masks into the joint space.

        Args:
            dense: (B, c5, H/32, W/32).
            mask_logits: (B, Q, h, w), resized to the feature map; a pixel is inside the mask if its logit is above 0.

        Returns:
            (B, Q, E), not normalised.

        Raises:
            ShapeError: a tensor of another rank, or batches of different sizes.
        """

    def set_pooling_stride(self, stride: int) -> None:
        """Set the stride of ``dense``, the feature map that is pooled under masks. The weights stay the same.

        Args:
            stride: 32, CLIP's own; families may have smaller ones.

        Raises:
            ConfigError: the family has only CLIP's own.
        """
        if stride != POOLING_STRIDE:
            raise ConfigError(
                f"MODEL.CLIP.POOLING_STRIDE is {stride}, but {type(self).__name__} pools at {POOLING_STRIDE}: set "
                f"it to {POOLING_STRIDE}, or use a ConvNeXt CLIP."
            )

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of res2 … res5, read from the feature maps of a small blank image."""
        features = self(torch.zeros(1, 3, _PROBE_SIZE, _PROBE_SIZE, device=self.logit_scale.device))
        c2, c3, c4, c5 = (features[level].shape[1] for level in range(4))
        return c2, c3, c4, c5

    @property
    def embed_dim(self) -> int:
        """Width E of the joint space."""
        return int(self.clip_model.text_projection.shape[1])

    @property
    def logit_scale(self) -> Tensor:
        """CLIP's logit scale, a scalar before its exponential is taken."""
        scale: Tensor = self.clip_model.logit_scale
        return scale

    @torch.no_grad()
    def encode_text(self, tokens: Tensor) -> Tensor:
        """Encode sentences; the tokens that they begin with together are computed once, if the tower allows it.

        Args:
            tokens: (N, T) int64.

        Returns:
            (N, E), not normalised.

        Raises:
            ShapeError: the tokens are not (N, T).
        """
        encode = encode_by_prefixes if can_share_prefixes(self.clip_model) else encode_text
        return encode(self.clip_model, tokens)


def encode_text(clip_model: Any, tokens: Tensor) -> Tensor:
    """Encode sentences with the causal text tower of an open_clip model.

    Tokens after the end token cannot influence it, so the batch is cut at its last end token: the same result with
    fewer tokens.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokens: (N, T) int64, zero after the end token, which has the largest id.

    Returns:
        (N, E), not normalised.

    Raises:
        ShapeError: the tokens are not (N, T).
    """
    check_shape("tokens", tokens, "N T")
    ends = tokens.argmax(dim=-1)  # (N,)
    return encode_tokens(clip_model, tokens[:, : int(ends.max()) + 1], ends)


def encode_tokens(clip_model: Any, tokens: Tensor, ends: Tensor) -> Tensor:
    """Encode sentences that end at known tokens.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokens: (N, T) int64.
        ends: (N,) int64 index of each end token.

    Returns:
        (N, E), not normalised.
    """
    sentences, positions = (torch.arange(size, device=tokens.device) for size in tokens.shape)
    x = clip_model.token_embedding(tokens) + clip_model.positional_embedding[positions]  # (N, T, w)
    x = clip_model.transformer(x, attn_mask=clip_model.attn_mask[positions][:, positions])
    x = clip_model.ln_final(x)[sentences, ends]  # (N, w)
    embeddings: Tensor = x @ clip_model.text_projection
    return embeddings
