"""FrozenSeg: the figure.

Letters: B images, Q queries, C classes, N text rows, H×W the padded input, c and h×w channels and size of SAM's
embedding.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.meta_arch.base import MaskClassifier, common_parts, target_size
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, propose_masks
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.types import ClipFeatures, TextEmbeddings
from frozenseg.registry import META_ARCH
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.vocabulary import Vocabulary

STRIDE = 4  # of the queries' masks
OUTSIDE = -100.0  # logit of a pixel that is surely not inside


@META_ARCH.register()
class FrozenSeg(MaskClassifier):
    """Open-vocabulary segmentation with a frozen CLIP for meaning and a frozen SAM for space (paper, Fig. 2).

    Args:
        sam: the frozen SAM.
        proposal_cache: where SAM's own masks are kept; None keeps none.
        **parts: as for :class:`MaskClassifier`.
    """

    def __init__(self, *, sam: FrozenSAM, proposal_cache: ProposalCache | None = None, **parts: Any) -> None:
        super().__init__(**parts)
        self.sam, self.proposal_cache = sam, proposal_cache
        self._sam_identity = ""
        self.register_buffer("sam_mean", torch.tensor(sam.PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sam_std", torch.tensor(sam.PIXEL_STD).view(3, 1, 1), persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "FrozenSeg":
        """Build from a config and the training vocabulary.

        Raises:
            ConfigError: SAM's embedding does not fit the decoders.
        """
        sam = build_sam(cfg.MODEL.SAM_NAME, cfg.MODEL.SAM_WEIGHTS)
        width = cfg.MODEL.MASK_FORMER.HIDDEN_DIM
        if sam.channels != width:
            raise ConfigError(
                f"SAM {cfg.MODEL.SAM_NAME!r} has {sam.channels} channels, but MODEL.MASK_FORMER.HIDDEN_DIM is {width}; "
                "the query injector adds one to the other, so they must be equal."
            )
        folder = cfg.TEST.SAM_MASK_CACHE
        cache = ProposalCache(folder, cfg.TEST.SAM_MASK_CACHE_GIB) if folder else None
        return cls(sam=sam, proposal_cache=cache, **common_parts(cfg, vocabulary, sam_channels=sam.channels))

    def forward(
        self, batch: list[dict[str, Any]], masks_of_step: Sequence[int] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on or segment a batch; see :meth:`MaskClassifier.forward`."""
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W), true sizes kept
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        sam_embedding = self.sam(self.preprocess(batch, self.sam_mean, self.sam_std).tensor)  # (B, c, h, w)
        words = self.text_embeddings()  # (N + 1, E), void last
        predictions = self.sem_seg_head(
            clip, sam_embedding, words
        )  # logits (B, Q, C + 1), masks (B, Q, H/4, W/4), each layer's
        if self.training:
            return self.criterion(predictions, self.targets(batch, images), masks_of_step)
        logits = self.ensemble(predictions.final, clip, words)  # (B, Q, C + 1)
        votes = self.proposal_votes(batch, images, clip, words)  # of the SAM proposals, where they vote
        return self.postprocess(logits, predictions.final.masks, images, batch, votes)

    def proposal_votes(
        self, batch: list[dict[str, Any]], images: ImageList, clip: ClipFeatures, words: TextEmbeddings
    ) -> list[ProposalVotes | None]:
        """Let SAM propose masks for every image, and CLIP name them; empty where they would change nothing.

        That is: the ensemble is off, or no class is unseen and so none to vote for. An image without masks has None.

        An element may bring its ``proposals``, from :meth:`propose_for`.
        """
        if not self.uses_proposals:
            return []
        ensemble = self.ensemble_settings.proposals
        seen = torch.tensor(self.seen, device=self.device)
        votes: list[ProposalVotes | None] = []
        for index, element in enumerate(batch):
            found = element["proposals"] if "proposals" in element else self.propose_for(element)
            if len(found) == 0:
                votes.append(None)
                continue
            true_size = images.sizes[index]
            masks = self._as_query_masks(found, true_size, images.padded_size)  # (M, H/4, W/4)
            vectors = self.backbone.project(clip.dense[index : index + 1], masks[None])  # (1, M, E)
            logits = class_logits(vectors, words, self.backbone.logit_scale)[0]  # (M, C + 1)
            placement = replace(found.placement, size=tuple(target_size(element, true_size)))
            votes.append(ProposalVotes(logits, found.logits, placement, seen, ensemble))
        return votes

    def propose_for(self, element: dict[str, Any]) -> Proposals:
        """Return SAM's masks of a batch element.

        SAM is shown ``original_image`` (3, height, width) uint8 where the element has it, as the paper does, otherwise
        the resized ``image``.
        """
        shown = element.get("original_image", element["image"]).to(self.device)
        return self.propose(shown, self.ensemble_settings.proposals.masks)

    def propose(self, image: Tensor, settings: ProposalSettings) -> Proposals:
        """Return SAM's masks of a (3, H, W) uint8 picture, from the cache where they are there."""
        if self.proposal_cache is None:
            return propose_masks(self.sam, image, settings)
        self._sam_identity = self._sam_identity or self.sam.identity()
        found = self.proposal_cache.load(image, self._sam_identity, settings)
        if found is None:
            found = propose_masks(self.sam, image, settings)
            self.proposal_cache.save(found, image, self._sam_identity, settings)
        return found.to(image.device)

    @staticmethod
    def _as_query_masks(found: Proposals, true_size: ImageSize, padded: ImageSize) -> Tensor:
        """Bring masks to where the queries' masks lie: a quarter of the padded input, with nothing in the padding."""
        size = math.ceil(true_size.height / STRIDE), math.ceil(true_size.width / STRIDE)
        masks = replace(found.placement, size=size).at_image_size(found.logits)
        right, below = padded.width // STRIDE - size[1], padded.height // STRIDE - size[0]
        return F.pad(masks, (0, right, 0, below), value=OUTSIDE)
