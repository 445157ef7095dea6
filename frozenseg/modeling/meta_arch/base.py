"""What both models share: the words, the way in, the way out. Their figures are in ``frozenseg.py`` and ``fcclip.py``.

Letters: B images, Q queries, C classes, N text rows, H×W the padded input, d width, E the width of CLIP's joint space.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.cache import TensorCache
from frozenseg.config import CfgNode, clip_section
from frozenseg.errors import ConfigError
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.ensemble.geometric import EnsembleWeights, geometric_ensemble
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble, ProposalVotes
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.layers.mask_pooling import binary_masks
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.meta_arch.sem_seg_head import SemSegHead
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.types import ClipFeatures, Prediction, Target, TextEmbeddings
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.vocabulary import Vocabulary


class EnsembleSettings(NamedTuple):
    """How CLIP's own scores enter at test time."""

    weights: EnsembleWeights
    on_valid_mask: bool  # ask CLIP only where a query's mask is not empty
    proposals: ProposalEnsemble | None = None  # let SAM's own masks vote

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "EnsembleSettings":
        """Build from the section about CLIP, and the keys of TEST about SAM's masks."""
        section = clip_section(cfg)
        weights = EnsembleWeights(section.GEOMETRIC_ENSEMBLE_ALPHA, section.GEOMETRIC_ENSEMBLE_BETA)
        return cls(weights, section.ENSEMBLE_ON_VALID_MASK, ProposalEnsemble.from_config(cfg))


class PixelSettings(NamedTuple):
    """How images are normalised and padded."""

    mean: tuple[float, float, float]  # RGB, 0-255
    std: tuple[float, float, float]  # RGB, 0-255
    size_divisibility: int = 32  # of padded height and width


class MaskClassifier(nn.Module):
    """A model that says masks and names them by words. Subclasses write ``forward``.

    Args:
        vocabulary: what is trained; also what is segmented until :meth:`set_vocabulary`.
        backbone: the frozen CLIP.
        sem_seg_head: the decoders.
        criterion: the training loss.
        text_classifier: names → rows.
        ensemble: weights of the geometric ensemble.
        postprocessor: the outputs at test.
        pixels: how images are made ready for CLIP.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        backbone: FrozenCLIP,
        sem_seg_head: SemSegHead,
        criterion: SetCriterion,
        text_classifier: TextClassifier,
        ensemble: EnsembleSettings,
        postprocessor: Postprocessor,
        pixels: PixelSettings,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.sem_seg_head = sem_seg_head
        self.criterion = criterion
        self.void_embedding = nn.Embedding(1, backbone.embed_dim)
        self.text_classifier = text_classifier
        self.ensemble_settings, self.postprocessor = ensemble, postprocessor
        self.size_divisibility = pixels.size_divisibility
        self.register_buffer("pixel_mean", torch.tensor(pixels.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(pixels.std).view(3, 1, 1), persistent=False)
        self.training_vocabulary = vocabulary
        self.set_vocabulary(vocabulary)

    def set_vocabulary(self, vocabulary: Vocabulary, seen: Sequence[bool] | None = None) -> None:
        """Choose what is segmented in eval mode.

        Args:
            vocabulary: the words.
            seen: one flag a class, whether training has shown it; without it that follows from the training words.
        """
        self.vocabulary = vocabulary
        self.seen = vocabulary.seen_by(self.training_vocabulary) if seen is None else tuple(seen)

    def set_inference_settings(self, postprocessor: Postprocessor, ensemble: EnsembleSettings) -> None:
        """Choose the outputs and the ensemble in eval mode; whether labels are given stays as it is."""
        self.postprocessor = replace(postprocessor, labels=self.postprocessor.labels)
        self.ensemble_settings = ensemble

    def return_labels(self) -> None:
        """Give the best class of every pixel, ``sem_seg`` (height, width) int64, instead of a score for each class.

        The memory of a large vocabulary's scores is not needed then.
        """
        self.postprocessor = replace(self.postprocessor, labels=True)

    @abstractmethod
    def forward(
        self, batch: list[dict[str, Any]], masks_of_step: Sequence[int] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on or segment a batch (Detectron2's contract).

        Args:
            batch: one dictionary an image: ``image`` (3, h, w) uint8 RGB; ``height``, ``width`` wanted back;
                in training ``instances`` with ``gt_classes`` (n,) int64 and ``gt_masks`` (n, h, w) bool, and ``seed``
                where the random points of the losses are to depend on the image alone.
            masks_of_step: where the batch is a part of a training step, the number of target masks of every image
                that this process has in the step.

        Returns:
            In training the weighted losses; in eval mode a dictionary an image with those of ``sem_seg``,
            ``panoptic_seg``, ``instances`` and ``recall_seg`` that are switched on.
        """

    @property
    def active_vocabulary(self) -> Vocabulary:
        """The training words in training, the chosen words in eval mode."""
        return self.training_vocabulary if self.training else self.vocabulary

    @property
    def uses_proposals(self) -> bool:
        """Whether SAM's own masks are wanted and would change anything: only unseen classes are voted for."""
        something = not all(self.seen) or self.postprocessor.recall
        return self.ensemble_settings.proposals is not None and self.postprocessor.uses_proposals and something

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.pixel_mean.device

    def text_embeddings(self) -> TextEmbeddings:
        """Return the text classifier of the active vocabulary."""
        return self.text_classifier(self.active_vocabulary, self.void_embedding.weight)

    def preprocess(self, batch: list[dict[str, Any]], mean: Tensor, std: Tensor) -> ImageList:
        """Normalise, then pad right and bottom with zeros.

        Args:
            batch: each with ``image`` (3, h, w), 0-255 RGB.
            mean: (3, 1, 1) channel means.
            std: (3, 1, 1) channel deviations.

        Returns:
            (B, 3, H, W) with the true sizes.
        """
        images = [(element["image"].to(self.device).float() - mean) / std for element in batch]
        return ImageList.from_images(images, self.size_divisibility)

    def targets(self, batch: list[dict[str, Any]], images: ImageList) -> list[Target]:
        """Return the ground truth, masks padded like the input with nothing."""
        height, width = images.padded_size
        targets = []
        for element in batch:
            instances = element["instances"]
            masks = instances.gt_masks.to(self.device)  # (n, h, w)
            masks = F.pad(masks, (0, width - masks.shape[-1], 0, height - masks.shape[-2]))
            generator = torch.Generator(self.device).manual_seed(element["seed"]) if "seed" in element else None
            targets.append(Target(instances.gt_classes.to(self.device), masks, generator))
        return targets

    def ensemble(self, prediction: Prediction, clip: ClipFeatures, words: TextEmbeddings) -> Tensor:
        """Combine the decoder's scores with CLIP's own under each mask: (B, Q, C + 1) log-probabilities, void last."""
        vectors = self.backbone.project(clip.dense, prediction.masks)  # (B, Q, E)
        own = class_logits(vectors, words, self.backbone.logit_scale)  # (B, Q, C + 1)
        seen = torch.tensor(self.seen, device=own.device)
        valid = None
        if self.ensemble_settings.on_valid_mask:
            valid = binary_masks(prediction.masks, clip.dense.shape[-2:]).flatten(2).any(dim=-1)  # (B, Q)
        return geometric_ensemble(prediction.logits, own, seen, self.ensemble_settings.weights, valid)

    def postprocess(
        self,
        logits: Tensor,
        masks: Tensor,
        images: ImageList,
        batch: list[dict[str, Any]],
        proposal_votes: Sequence[ProposalVotes | None] = (),
    ) -> list[dict[str, Any]]:
        """Read out every image.

        Args:
            logits: (B, Q, C + 1).
            masks: (B, Q, H/4, W/4).
            images: as the model has seen them.
            batch: reads ``height`` and ``width``.
            proposal_votes: votes of the SAM proposals, one an image; empty without proposals.
        """
        results = []
        for index, element in enumerate(batch):
            true_size = images.sizes[index]
            wanted = target_size(element, true_size)
            full = resize(masks[index][None], images.padded_size)[0]  # (Q, H, W)
            results.append(
                self.postprocessor(
                    logits[index],
                    full,
                    self.vocabulary.isthing,
                    true_size=true_size,
                    target_size=wanted,
                    proposal_votes=proposal_votes[index] if proposal_votes else None,
                )
            )
        return results

    def frozen_parts(self) -> dict[str, Frozen]:
        """Return the frozen encoders by attribute name."""
        return {name: module for name, module in self.named_children() if isinstance(module, Frozen)}

    def set_frozen_precision(self, precision: torch.dtype) -> None:
        """Let the image trunks of the frozen encoders work in a lower precision from their next call on."""
        for part in self.frozen_parts().values():
            part.precision = precision

    def frozen_hashes(self) -> dict[str, str]:
        """Return the hash of each frozen encoder's weights."""
        return {name: part.weights_hash() for name, part in self.frozen_parts().items()}


def target_size(element: dict[str, Any], true_size: ImageSize) -> ImageSize:
    """Return the size of an image's outputs."""
    return ImageSize(element.get("height", true_size.height), element.get("width", true_size.width))


def common_parts(cfg: CfgNode, vocabulary: Vocabulary, sam_channels: int | None) -> dict[str, Any]:
    """Build what both models consist of, as constructor arguments.

    Args:
        cfg: the whole config.
        vocabulary: the training vocabulary.
        sam_channels: of SAM's embedding; None without SAM.

    Raises:
        ConfigError: EMBED_DIM contradicts the CLIP model, or the channel order is not RGB.
    """
    section = clip_section(cfg)
    if cfg.INPUT.FORMAT != "RGB":
        raise ConfigError(f"INPUT.FORMAT is {cfg.INPUT.FORMAT!r}; the model reads RGB only.")
    backbone = build_clip(section.CLIP_MODEL_NAME, section.CLIP_PRETRAINED_WEIGHTS, cfg.MODEL.BACKBONE.NAME)
    if section.EMBED_DIM not in (0, backbone.embed_dim):
        raise ConfigError(
            f"EMBED_DIM is {section.EMBED_DIM}, but the joint space of {section.CLIP_MODEL_NAME} has "
            f"{backbone.embed_dim} channels: set EMBED_DIM to that, or to 0 to read it from the model."
        )
    cache = TensorCache(cfg.MODEL.TEXT_CACHE_DIR) if cfg.MODEL.TEXT_CACHE_DIR else None
    return {
        "vocabulary": vocabulary,
        "backbone": backbone,
        "sem_seg_head": SemSegHead.from_config(
            cfg, channels=backbone.channels, embed_dim=backbone.embed_dim, sam_channels=sam_channels
        ),
        "criterion": SetCriterion.from_config(cfg, len(vocabulary)),
        "text_classifier": TextClassifier(backbone, cache),
        "ensemble": EnsembleSettings.from_config(cfg),
        "postprocessor": Postprocessor.from_config(cfg),
        "pixels": PixelSettings(
            tuple(cfg.MODEL.PIXEL_MEAN), tuple(cfg.MODEL.PIXEL_STD), cfg.MODEL.MASK_FORMER.SIZE_DIVISIBILITY
        ),
    }
