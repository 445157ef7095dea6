"""What a frozen CLIP must offer: image maps, pooled vectors in its joint space, and encoded sentences.

Letters: B images, Q masks, N sentences, T tokens, E the width of the joint space.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.types import ClipFeatures

Tokenizer = Callable[[Sequence[str]], Tensor]
PROBE_SIZE = 64


class FrozenCLIP(Frozen):
    """An open_clip model, frozen. A family of trunks is a subclass with three methods.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokenizer: sentences → (N, T) int64 token ids, zero after the end token, which has the largest id.
    """

    def __init__(self, clip_model: nn.Module, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.clip_model = clip_model
        self.tokenizer = tokenizer
        self.freeze()

    @staticmethod
    @abstractmethod
    def supports(clip_model: nn.Module) -> bool:
        """Whether this family can read the maps of an open_clip model."""

    @abstractmethod
    def forward(self, images: Tensor) -> ClipFeatures:
        """Return the maps of normalised images (B, 3, H, W); H and W are multiples of 32."""

    @abstractmethod
    def project(self, dense: Tensor, mask_logits: Tensor) -> Tensor:
        """Pool dense features under masks into the joint space.

        Args:
            dense: (B, c5, H/32, W/32).
            mask_logits: (B, Q, h, w), resized to the map; positive is inside.

        Returns:
            (B, Q, E), not normalised.
        """

    @property
    def channels(self) -> tuple[int, int, int, int]:
        """Channels of res2 … res5, read from the maps of a small blank image."""
        device = self.logit_scale.device
        features = self(torch.zeros(1, 3, PROBE_SIZE, PROBE_SIZE, device=device))
        return tuple(features[level].shape[1] for level in range(4))

    @property
    def embed_dim(self) -> int:
        """E."""
        return self.clip_model.text_projection.shape[1]

    @property
    def logit_scale(self) -> Tensor:
        """CLIP's own logit scale, a scalar before its exponential is taken."""
        return self.clip_model.logit_scale

    @torch.no_grad()
    def encode_text(self, tokens: Tensor) -> Tensor:
        """Encode sentences, see :func:`encode_text`.

        Args:
            tokens: (N, T) int64.

        Returns:
            (N, E), not normalised.
        """
        return encode_text(self.clip_model, tokens)


def encode_text(clip_model: nn.Module, tokens: Tensor) -> Tensor:
    """Encode sentences with the causal text tower of an open_clip model.

    What stands after the end token cannot reach it, so the batch is cut at its last end token: same result, fewer
    tokens.

    Args:
        clip_model: an ``open_clip.CLIP``.
        tokens: (N, T) int64, zero after the end token, which has the largest id.

    Returns:
        (N, E), not normalised.
    """
    ends = tokens.argmax(dim=-1)  # (N,)
    length = int(ends.max()) + 1
    x = clip_model.token_embedding(tokens[:, :length]) + clip_model.positional_embedding[:length]  # (N, T', w)
    x = clip_model.transformer(x, attn_mask=clip_model.attn_mask[:length, :length])
    x = clip_model.ln_final(x)[torch.arange(len(tokens), device=tokens.device), ends]  # (N, w)
    return x @ clip_model.text_projection
