"""Base of both meta-architectures: inputs, text embeddings, ensemble and outputs; subclasses define ``forward``.

Letters: B images, Q queries, C classes, N synonyms of all classes, H×W the padded input, E the width of CLIP's joint
space.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.cache import TensorCache
from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.ensemble.geometric import EnsembleLogits, geometric_ensemble
from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.frozen import Frozen
from frozenseg.modeling.inference_settings import EnsembleSettings, InferenceSettings
from frozenseg.modeling.layers.mask_pooling import binary_masks
from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages
from frozenseg.modeling.meta_arch.sem_seg_head import SemSegHead
from frozenseg.modeling.postprocess.hidden_classes import HiddenClasses
from frozenseg.modeling.postprocess.output_memory import check_output_memory
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.modeling.types import ClipFeatures, Prediction, QueryOutput, Target, TextEmbeddings
from frozenseg.structures.image_list import ImageList, ImageSize
from frozenseg.structures.shapes import check_shape
from frozenseg.vocabulary import Vocabulary


class PixelSettings(NamedTuple):
    """Normalisation and padding of the images for CLIP."""

    mean: tuple[float, float, float]  # RGB, 0-255
    std: tuple[float, float, float]  # RGB, 0-255
    size_divisibility: int = 32  # of padded height and width


class MaskClassifierParts(TypedDict):
    """Keyword arguments of :class:`MaskClassifier`."""

    vocabulary: Vocabulary
    backbone: FrozenCLIP
    sem_seg_head: SemSegHead
    criterion: SetCriterion
    text_classifier: TextClassifier
    ensemble: EnsembleSettings
    postprocessor: Postprocessor
    pixels: PixelSettings


class MaskClassifier(SegmentationModel):
    """Predicts masks and classifies them by the text embeddings of a vocabulary. Subclasses implement ``forward``.

    Args:
        vocabulary: the training vocabulary; also the default one at inference.
        backbone: the frozen CLIP.
        sem_seg_head: the decoders.
        criterion: the training loss.
        text_classifier: class names → text embeddings.
        ensemble: default use of CLIP's class scores and of the SAM proposals at inference.
        postprocessor: default outputs at inference.
        pixels: normalisation and padding of the images for CLIP.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

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
        super().__init__(vocabulary=vocabulary, postprocessor=postprocessor, ensemble=ensemble)
        self.backbone = backbone
        self.sem_seg_head = sem_seg_head
        self.criterion = criterion
        self.void_embedding = nn.Embedding(1, backbone.embed_dim)
        self.text_classifier = text_classifier
        self.size_divisibility = pixels.size_divisibility
        self.register_buffer("pixel_mean", torch.tensor(pixels.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(pixels.std).view(3, 1, 1), persistent=False)

    @classmethod
    @abstractmethod
    def from_config(cls, cfg: CfgNode, vocabulary: Vocabulary) -> "MaskClassifier":
        """Build from a config and the training vocabulary."""

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.pixel_mean.device

    def text_embeddings(self, settings: InferenceSettings | None = None) -> TextEmbeddings:
        """Return the text embeddings of the training vocabulary in training, else of the settings' vocabulary."""
        settings = settings or self.inference_settings
        vocabulary = self.training_vocabulary if self.training else settings.vocabulary
        return self.text_classifier(vocabulary, self.void_embedding.weight)

    def preprocess(self, batch: list[dict[str, Any]], mean: Tensor, std: Tensor) -> ImageList:
        """Normalise images, then pad them right and below with zeros.

        Args:
            batch: each with ``image`` (3, h, w), 0-255 RGB.
            mean: (3, 1, 1) channel means.
            std: (3, 1, 1) channel deviations.

        Returns:
            (B, 3, H, W) with the sizes before padding.

        Raises:
            ShapeError: an image is not (3, h, w).
        """
        for element in batch:
            check_shape("image", element["image"], "3 h w")
        images = [(element["image"].to(self.device, non_blocking=True).float() - mean) / std for element in batch]
        return ImageList.from_images(images, self.size_divisibility)

    def targets(self, batch: list[dict[str, Any]], images: ImageList) -> list[Target]:
        """Return the ground truth of each image, the masks padded to the size of the input."""
        height, width = images.padded_size
        targets = []
        for element in batch:
            instances = element["instances"]
            masks = instances.gt_masks.to(self.device)  # (n, h, w)
            masks = F.pad(masks, (0, width - masks.shape[-1], 0, height - masks.shape[-2]))
            generator = torch.Generator(self.device).manual_seed(element["seed"]) if "seed" in element else None
            targets.append(Target(instances.gt_classes.to(self.device), masks, generator))
        return targets

    @abstractmethod
    def embed(self, batch: list[dict[str, Any]]) -> EmbeddedImages:
        """Compute everything that class names do not affect, for :meth:`classify` with any vocabulary.

        Args:
            batch: as for :meth:`SegmentationModel.forward` in eval mode.
        """

    def classify(self, embedded: EmbeddedImages, settings: InferenceSettings | None = None) -> list[dict[str, Any]]:
        """Return the outputs of embedded images, those of :meth:`forward` in eval mode.

        Args:
            embedded: from :meth:`embed` of this model.
            settings: of this call; None for ``inference_settings``.
        """
        settings = settings or self.inference_settings
        text = self.text_embeddings(settings)
        logits = self._embedded_logits(embedded, text, settings)
        votes = self._embedded_votes(embedded, text, settings)
        return self.postprocess(logits, embedded.masks, embedded.images, list(embedded.batch), settings, votes)

    def class_scores(self, embedded: EmbeddedImages, settings: InferenceSettings) -> EnsembleLogits:
        """Return the class scores of the masks of embedded images, two of (B, Q, C + 1), without any output."""
        return self._embedded_logits(embedded, self.text_embeddings(settings), settings)

    def _embedded_logits(
        self, embedded: EmbeddedImages, text: TextEmbeddings, settings: InferenceSettings
    ) -> EnsembleLogits:
        prediction = Prediction(self.sem_seg_head.classify(embedded.query_embeddings, text), embedded.masks)
        return self._ensemble(prediction, embedded.clip_embeddings, embedded.dense, text, settings)

    def ensemble(
        self, prediction: Prediction, clip: ClipFeatures, text: TextEmbeddings, settings: InferenceSettings
    ) -> EnsembleLogits:
        """Combine the decoder's class scores with CLIP's class scores under each predicted mask.

        Args:
            prediction: of the decoder.
            clip: CLIP's features.
            text: text embeddings of C classes.
            settings: the ensemble, and the seen classes.
        """
        mask_embeddings = self.backbone.project(clip.dense, prediction.masks)  # (B, Q, E)
        return self._ensemble(prediction, mask_embeddings, clip.dense, text, settings)

    def _ensemble(
        self,
        prediction: Prediction,
        mask_embeddings: Tensor,
        dense: Tensor,
        text: TextEmbeddings,
        settings: InferenceSettings,
    ) -> EnsembleLogits:
        clip_logits = class_logits(mask_embeddings, text, self.backbone.logit_scale)  # (B, Q, C + 1)
        seen = torch.tensor(settings.seen).to(clip_logits.device, non_blocking=True)
        valid = None
        if settings.ensemble.on_valid_mask:
            valid = binary_masks(prediction.masks, dense.shape[-2:]).flatten(2).any(dim=-1)  # (B, Q)
        return geometric_ensemble(prediction.logits, clip_logits, seen, settings.ensemble.weights, valid)

    def _embedded(
        self, batch: list[dict[str, Any]], images: ImageList, clip: ClipFeatures, queries: QueryOutput
    ) -> EmbeddedImages:
        """Return the parts of embedded images that both models have."""
        return EmbeddedImages(
            batch=tuple({key: value for key, value in element.items() if key != "image"} for element in batch),
            images=ImageList(images.tensor.new_empty(len(batch), 0, *images.padded_size), images.sizes),
            masks=queries.masks,
            query_embeddings=queries.embeddings,
            clip_embeddings=self.backbone.project(clip.dense, queries.masks),  # (B, Q, E)
            dense=clip.dense,
        )

    def _embedded_votes(
        self, embedded: EmbeddedImages, text: TextEmbeddings, settings: InferenceSettings
    ) -> Sequence[ProposalVotes | None]:
        """Return the votes of the SAM proposals, one an image; empty without SAM."""
        del embedded, text, settings
        return ()

    def postprocess(
        self,
        logits: EnsembleLogits,
        masks: Tensor,
        images: ImageList,
        batch: list[dict[str, Any]],
        settings: InferenceSettings,
        proposal_votes: Sequence[ProposalVotes | None] = (),
    ) -> list[dict[str, Any]]:
        """Return the outputs of each image.

        Args:
            logits: (B, Q, C + 1) class scores, void last.
            masks: (B, Q, H/4, W/4) mask logits.
            images: the padded input.
            batch: each with ``height`` and ``width`` of the outputs; without them the size before padding.
            settings: the requested outputs, and which classes are things.
            proposal_votes: votes of the SAM proposals, one an image; empty without proposals.

        Raises:
            DataError: the outputs of an image do not fit into memory.
        """
        queries, classes = masks.shape[1], len(settings.vocabulary)
        outputs = []
        for index, element in enumerate(batch):
            true_size = images.sizes[index]
            size = target_size(element, true_size)
            check_output_memory(settings.postprocessor, queries, classes, size, masks.device)
            votes = proposal_votes[index] if proposal_votes else None
            of_image, isthing = logits.of_image(index), settings.vocabulary.isthing
            hidden: HiddenClasses | None = None
            if settings.hides_classes:
                hidden = HiddenClasses.of_image(of_image.objects, masks[index], settings)
                of_image, isthing = EnsembleLogits(*map(hidden.merged, of_image)), hidden.merged_flags(isthing)
                votes = hidden.merged_votes(votes)
            of_queries = masks[index]  # (Q, H/4, W/4)
            if not settings.postprocessor.needs_all_queries:
                has_class = of_image.objects.argmax(dim=-1) < len(isthing)  # (Q,)
                has_class[0] = True  # not to resize an empty tensor
                kept = has_class.nonzero()[:, 0]
                if len(kept) < queries:
                    of_image, of_queries = EnsembleLogits(*(each[kept] for each in of_image)), of_queries[kept]
            output = settings.postprocessor(
                of_image.semantic,
                of_queries,
                isthing,
                true_size=true_size,
                target_size=size,
                padded_size=images.padded_size,
                object_logits=of_image.objects,
                proposal_votes=votes,
            )
            outputs.append(output if hidden is None else hidden.removed_from(output))
        return outputs

    def frozen_parts(self) -> dict[str, Frozen]:
        """Return the frozen encoders by attribute name."""
        return {name: module for name, module in self.named_children() if isinstance(module, Frozen)}

    def set_frozen_precision(self, precision: torch.dtype) -> None:
        """Run the image trunks of the frozen encoders in a lower precision; call it before the first image."""
        for part in self.frozen_parts().values():
            part.precision = precision

    def forget_frozen_outputs(self) -> None:
        """Forget the text embeddings."""
        self.text_classifier.forget()

    def frozen_hashes(self) -> dict[str, str]:
        """Return the hash of each frozen encoder's weights, by attribute name."""
        return {name: part.weights_hash() for name, part in self.frozen_parts().items()}


def target_size(element: dict[str, Any], true_size: ImageSize) -> ImageSize:
    """Return the size of an image's outputs: its ``height`` and ``width``, or its size before padding."""
    return ImageSize(element.get("height", true_size.height), element.get("width", true_size.width))


def common_parts(cfg: CfgNode, vocabulary: Vocabulary, sam_channels: int | None) -> MaskClassifierParts:
    """Build the parts of both models, as constructor arguments.

    Args:
        cfg: the whole config.
        vocabulary: the training vocabulary.
        sam_channels: channels of the SAM embedding; None without SAM.

    Raises:
        ConfigError: EMBED_DIM or POOLING_STRIDE contradicts the CLIP model, or the channel order is not RGB.
    """
    from frozenseg.modeling.clip.build import build_clip  # imports open_clip, which takes seconds

    section = cfg.MODEL.CLIP
    if cfg.INPUT.FORMAT != "RGB":
        raise ConfigError(f"INPUT.FORMAT is {cfg.INPUT.FORMAT!r}; the model reads RGB only.")
    weights, stride = section.CLIP_PRETRAINED_WEIGHTS, section.POOLING_STRIDE
    backbone = build_clip(section.CLIP_MODEL_NAME, weights, cfg.MODEL.BACKBONE.NAME, stride)
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
