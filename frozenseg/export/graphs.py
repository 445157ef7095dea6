"""The graphs of an exported model, as modules: images → masks with class probabilities, tokens → text embeddings.

Letters: B images, Q queries, C classes, N synonyms of all classes, H×W the padded input, E the width of CLIP's joint
space, P prompts, T tokens.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.clip.base import FrozenCLIP, encode_tokens
from frozenseg.modeling.ensemble.geometric import geometric_ensemble
from frozenseg.modeling.layers.mask_pooling import binary_masks
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.modeling.meta_arch.frozenseg import FrozenSeg
from frozenseg.modeling.types import TextEmbeddings

IMAGE_OUTPUTS = ("class_probabilities", "masks")
SEMANTIC_OUTPUT = "semantic_probabilities"  # of a model with a void discount, where they differ
TEXT_INPUTS, TEXT_OUTPUTS = ("tokens", "ends"), ("embeddings",)


class ImageInputs(NamedTuple):
    """Inputs of the image graph, by their names in the file."""

    images: Tensor  # (B, 3, H, W) uint8 or float 0-255 RGB; pixels of the padding have no effect
    sizes: Tensor  # (B, 2) int64 height and width of each image inside the padded input
    text_embeddings: Tensor  # (N + 1, E) normalised, void last
    class_index: Tensor  # (N + 1,) int64 class of each embedding, ascending, C for void
    seen: Tensor  # (C,) bool, True for classes seen in training


class ImageGraph(nn.Module):
    """Everything from images to class probabilities and mask logits, without post-processing and SAM proposals.

    Args:
        model: in eval mode.
        with_stages: return the intermediate values, too.
    """

    def __init__(self, model: MaskClassifier, with_stages: bool = False) -> None:
        super().__init__()
        self.model, self.with_stages = model, with_stages
        self.ensemble = model.ensemble_settings
        discounted = self.ensemble.weights.void_discount > 0
        self.outputs = (*IMAGE_OUTPUTS, *((SEMANTIC_OUTPUT,) if discounted else ()))

    def forward(
        self, images: Tensor, sizes: Tensor, text_embeddings: Tensor, class_index: Tensor, seen: Tensor
    ) -> dict[str, Tensor]:
        """Return the outputs by name, with intermediate values before them; see :class:`ImageInputs`.

        Returns:
            ``class_probabilities`` (B, Q, C + 1), void last; ``masks`` (B, Q, H/4, W/4) logits; with a void discount
            ``semantic_probabilities`` (B, Q, C + 1).
        """
        model = self.model
        stages: dict[str, Tensor] = {}
        clip = model.backbone(_normalised(images, sizes, model.pixel_mean, model.pixel_std))  # res2 … res5, dense
        sam_embedding = None
        if isinstance(model, FrozenSeg):
            sam_embedding = model.sam(_normalised(images, sizes, model.sam_mean, model.sam_std))  # (B, c, h, w)
            stages["sam_embedding"] = sam_embedding
        pixels = model.sem_seg_head.pixel_decoder(clip, sam_embedding)
        queries = model.sem_seg_head.predictor.decode_last(pixels, sam_embedding)
        embeddings, masks = queries.embeddings, queries.masks  # (B, Q, E), (B, Q, H/4, W/4)
        text = TextEmbeddings(text_embeddings, class_index, seen.shape[0] + 1)
        in_vocabulary = model.sem_seg_head.classify(embeddings, text)  # (B, Q, C + 1)
        pooled = model.backbone.project(clip.dense, masks)  # (B, Q, E)
        clip_logits = class_logits(pooled, text, model.backbone.logit_scale)  # (B, Q, C + 1)
        valid = None
        if self.ensemble.on_valid_mask:
            valid = binary_masks(masks, clip.dense.shape[-2:]).flatten(2).any(dim=-1)  # (B, Q)
        scores = geometric_ensemble(in_vocabulary, clip_logits, seen, self.ensemble.weights, valid)
        outputs = {"class_probabilities": scores.objects.softmax(dim=-1), "masks": masks}
        if SEMANTIC_OUTPUT in self.outputs:
            outputs[SEMANTIC_OUTPUT] = scores.semantic.softmax(dim=-1)
        if not self.with_stages:
            return outputs
        stages |= {**clip._asdict(), "mask_features": pixels.mask_features}
        stages |= {f"scale{index}": scale for index, scale in enumerate(pixels.scales)}
        stages |= {} if pixels.sam_map is None else {"sam_map": pixels.sam_map}
        stages |= {"query_embeddings": embeddings, "clip_embeddings": pooled}
        return {**stages, "decoder_logits": in_vocabulary, "clip_logits": clip_logits, **outputs}


class TextGraph(nn.Module):
    """The text encoder of CLIP: prompts → normalised embeddings.

    Args:
        clip: the frozen CLIP.
    """

    def __init__(self, clip: FrozenCLIP) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, tokens: Tensor, ends: Tensor) -> dict[str, Tensor]:
        """Map tokens (P, T) int64, and the index of each end token (P,) int64, to ``embeddings`` (P, E)."""
        return {"embeddings": F.normalize(encode_tokens(self.clip.clip_model, tokens, ends), dim=-1)}


def _normalised(images: Tensor, sizes: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Normalise images (B, 3, H, W); the padding outside of their sizes (B, 2) becomes zero."""
    rows = torch.arange(images.shape[2], device=images.device)[:, None]  # (H, 1)
    columns = torch.arange(images.shape[3], device=images.device)  # (W,)
    height, width = sizes[:, None, None].unbind(dim=-1)  # (B, 1, 1) each
    inside = (rows < height) & (columns < width)  # (B, H, W)
    return torch.where(inside[:, None], (images.float() - mean) / std, 0.0)
