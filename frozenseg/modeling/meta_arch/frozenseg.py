"""FrozenSeg: a frozen CLIP, a frozen SAM, and the trained decoders between them (paper, Fig. 2).

Letters: B images, Q queries, C classes, N synonyms of all classes, M SAM proposals, H×W the padded input, c and h×w
channels and size of the SAM embedding, E the width of CLIP's joint space.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble, ProposalVotes
from frozenseg.modeling.ensemble.released_pooling import released_pooling_masks
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.base import MaskClassifier, MaskClassifierParts, common_parts, target_size
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, propose_masks
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.types import ClipFeatures, TextEmbeddings
from frozenseg.registry import META_ARCH
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from typing_extensions import Unpack

_STRIDE = 4  # of the predicted masks
OUTSIDE = -100.0  # mask logit of a pixel in the padding


@META_ARCH.register()
class FrozenSeg(MaskClassifier):
    """Open-vocabulary segmentation with a frozen CLIP for semantics and a frozen SAM for spatial detail.

    Args:
        sam: the frozen SAM.
        proposal_cache: keeps SAM proposals on disk; None without a cache.
        **parts: as for :class:`MaskClassifier`.
    """

    sam_mean: Tensor
    sam_std: Tensor

    def __init__(
        self, *, sam: FrozenSAM, proposal_cache: ProposalCache | None = None, **parts: "Unpack[MaskClassifierParts]"
    ) -> None:
        super().__init__(**parts)
        self.sam, self.proposal_cache = sam, proposal_cache
        self._sam_identity = ""
        self.register_buffer("sam_mean", torch.tensor(sam.PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sam_std", torch.tensor(sam.PIXEL_STD).view(3, 1, 1), persistent=False)

    @classmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "FrozenSeg":
        """Build from a config and the training vocabulary.

        Raises:
            ConfigError: the channels of the SAM embedding do not fit the decoders.
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
        self,
        batch: list[dict[str, Any]],
        masks_of_step: Sequence[int] | None = None,
        settings: InferenceSettings | None = None,
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on a batch or segment it; see :meth:`SegmentationModel.forward`."""
        settings = settings or self.inference_settings
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W)
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        sam_embedding = self.sam(self.preprocess(batch, self.sam_mean, self.sam_std).tensor)  # (B, c, h, w)
        text = self.text_embeddings(settings)  # (N + 1, E), void last
        predictions = self.sem_seg_head(clip, sam_embedding, text)  # logits and masks of each layer, as of FC-CLIP
        if self.training:
            losses: dict[str, Tensor] = self.criterion(predictions, self.targets(batch, images), masks_of_step)
            return losses
        logits = self.ensemble(predictions.final, clip, text, settings)  # two of (B, Q, C + 1)
        votes = self.proposal_votes(batch, images, clip, text, settings)  # one an image, if SAM proposals vote
        return self.postprocess(logits, predictions.final.masks, images, batch, settings, votes)

    def embed(self, batch: list[dict[str, Any]]) -> EmbeddedImages:
        """Compute everything that class names do not affect; see :meth:`MaskClassifier.embed`."""
        images = self.preprocess(batch, self.pixel_mean, self.pixel_std)  # (B, 3, H, W)
        clip = self.backbone(images.tensor)  # res2 … res5, dense (B, c5, H/32, W/32)
        sam_embedding = self.sam(self.preprocess(batch, self.sam_mean, self.sam_std).tensor)  # (B, c, h, w)
        queries = self.sem_seg_head.decode(clip, sam_embedding)  # embeddings (B, Q, E), masks (B, Q, H/4, W/4)
        if any("original_image" not in element for element in batch):  # SAM proposes masks on the resized image
            batch = [{"original_image": element["image"], **element} for element in batch]
        return replace(self._embedded(batch, images, clip, queries), sam_embedding=sam_embedding)

    def _embedded_votes(
        self, embedded: EmbeddedImages, text: TextEmbeddings, settings: InferenceSettings
    ) -> list[ProposalVotes | None]:
        ensemble = settings.ensemble.proposals
        if ensemble is None or not settings.uses_proposals:
            return []
        batch = []
        for index, element in enumerate(embedded.batch):
            if "proposals" not in element:
                propose = partial(self.propose_for, element, ensemble)
                element = {**element, "proposals": embedded.proposals(index, ensemble.masks, propose)}
            batch.append(element)
        return self._votes(batch, embedded.images, embedded.dense, text, settings)

    def proposal_votes(
        self,
        batch: list[dict[str, Any]],
        images: ImageList,
        clip: ClipFeatures,
        text: TextEmbeddings,
        settings: InferenceSettings,
    ) -> list[ProposalVotes | None]:
        """Propose masks for every image with SAM, and classify them with CLIP.

        Args:
            batch: an element may bring its ``proposals``, from :meth:`propose_for`.
            images: the padded input.
            clip: CLIP's features.
            text: text embeddings of C classes.
            settings: the ensemble, and the seen classes.

        Returns:
            One entry an image, None for an image without proposals; an empty list if the proposals would change
            nothing: the ensemble is off, or every class is seen.
        """
        return self._votes(batch, images, clip.dense, text, settings)

    def _votes(
        self,
        batch: list[dict[str, Any]],
        images: ImageList,
        dense: Tensor,
        text: TextEmbeddings,
        settings: InferenceSettings,
    ) -> list[ProposalVotes | None]:
        ensemble = settings.ensemble.proposals
        if ensemble is None or not settings.uses_proposals:
            return []
        seen = torch.tensor(settings.seen, device=self.device)
        votes: list[ProposalVotes | None] = []
        for index, element in enumerate(batch):
            proposals = element["proposals"] if "proposals" in element else self.propose_for(element, ensemble)
            if len(proposals) == 0:
                votes.append(None)
                continue
            true_size = images.sizes[index]
            placement = replace(proposals.placement, size=tuple(target_size(element, true_size)))
            of_image = dense[index : index + 1]  # (1, c5, H/32, W/32)
            if ensemble.pooling == "released":
                masks = released_pooling_masks(proposals.logits, placement, dense.shape[-2:])  # (M, H/32, W/32)
            else:
                masks = self._as_query_masks(proposals, true_size, images.padded_size)  # (M, H/4, W/4)
            embeddings = self.backbone.project(of_image, masks[None])  # (1, M, E)
            logits = class_logits(embeddings, text, self.backbone.logit_scale)[0]  # (M, C + 1)
            votes.append(ProposalVotes(logits, proposals.logits, placement, seen, ensemble))
        return votes

    def propose_for(self, element: dict[str, Any], ensemble: ProposalEnsemble) -> Proposals:
        """Return the SAM proposals of a batch element.

        Args:
            element: with ``original_image`` (3, height, width) uint8, which SAM receives in the paper; otherwise SAM
                receives the resized ``image``.
            ensemble: the settings of the proposals.
        """
        image = element["original_image"] if "original_image" in element else element["image"]
        return self.propose(image.to(self.device), ensemble.masks)

    def propose(self, image: Tensor, settings: ProposalSettings) -> Proposals:
        """Return the SAM proposals of a (3, H, W) uint8 image, from the cache if it holds them."""
        if self.proposal_cache is None:
            return propose_masks(self.sam, image, settings)
        self._sam_identity = self._sam_identity or self.sam.identity()
        proposals = self.proposal_cache.load(image, self._sam_identity, settings)
        if proposals is None:
            proposals = propose_masks(self.sam, image, settings)
            self.proposal_cache.save(proposals, image, self._sam_identity, settings)
        return proposals.to(image.device)

    def forget_frozen_outputs(self) -> None:
        """Forget the text embeddings and the identity of SAM."""
        super().forget_frozen_outputs()
        self._sam_identity = ""

    @staticmethod
    def _as_query_masks(proposals: Proposals, true_size: ImageSize, padded: ImageSize) -> Tensor:
        """Resize masks (M, h, w) to (M, H/4, W/4) like the predicted masks; the padding is outside of all."""
        height, width = math.ceil(true_size.height / _STRIDE), math.ceil(true_size.width / _STRIDE)
        masks = replace(proposals.placement, size=(height, width)).at_image_size(proposals.logits)
        right, below = padded.width // _STRIDE - width, padded.height // _STRIDE - height
        return F.pad(masks, (0, right, 0, below), value=OUTSIDE)
