"""Test-time augmentation: mean of the semantic scores over several sizes of an image and their mirror images.

Only semantic scores have a mean. The queries of one view do not correspond to those of another, so the masks of several
views cannot be merged, and the other outputs are refused with an error.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.meta_arch.frozenseg import FrozenSeg
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.argmax import best_class

Element = dict[str, Any]


def augmented(model: SegmentationModel, cfg: CfgNode) -> nn.Module:
    """Return the model itself, or its :class:`AugmentedModel` if TEST.AUG.ENABLED is True."""
    return AugmentedModel(model, flip=cfg.TEST.AUG.FLIP) if cfg.TEST.AUG.ENABLED else model


class AugmentedModel(nn.Module):
    """A model that segments all views of an image.

    Args:
        model: the wrapped model; its inference settings at the time of the call apply.
        flip: also segment the mirror image of every view.
    """

    def __init__(self, model: SegmentationModel, flip: bool = True) -> None:
        super().__init__()
        self.model, self.flip = model, flip
        self.train(model.training)

    def forward(self, batch: list[Element], settings: InferenceSettings | None = None) -> list[dict[str, Tensor]]:
        """Segment a batch; see :meth:`SegmentationModel.forward`.

        Args:
            batch: each with ``views``, a list of (3, h, w) uint8 RGB.
            settings: of this call; None for those of the model.

        Returns:
            ``sem_seg`` of each, (C, height, width) float32, or (height, width) int64 if the settings request labels.
        """
        settings = settings or self.model.inference_settings
        labels = settings.postprocessor.labels
        settings = replace(settings, postprocessor=replace(settings.postprocessor, labels=False))
        means = (self._mean_scores(element, settings) for element in batch)
        return [{"sem_seg": best_class(scores) if labels else scores} for scores in means]

    def _mean_scores(self, element: Element, settings: InferenceSettings) -> Tensor:
        """Return the mean over all views, (C, height, width); computed in place, view by view."""
        mean: Tensor | None = None
        for number, (flipped, view) in enumerate(self._views(element, settings), start=1):
            [output] = self.model([view], settings=settings)
            scores = output["sem_seg"].flip(-1) if flipped else output["sem_seg"]  # (C, height, width)
            mean = scores if mean is None else mean.lerp_(scores, 1 / number)
        if mean is None:
            raise ValueError("The image has no views.")
        return mean

    def _views(self, element: Element, settings: InferenceSettings) -> Iterator[tuple[bool, Element]]:
        """Yield the views, each with True if it is mirrored.

        SAM proposes masks once for all sizes, as it receives the original image.
        """
        ensemble = settings.ensemble.proposals if settings.uses_proposals else None
        for flipped in (False, True) if self.flip else (False,):
            shared = dict(element)
            if ensemble is not None and isinstance(self.model, FrozenSeg) and "original_image" in element:
                original = element["original_image"]
                shared["original_image"] = _flip(original) if flipped else original
                shared["proposals"] = self.model.propose_for(shared, ensemble)
            for view in element["views"]:
                yield flipped, {**shared, "image": _flip(view) if flipped else view}


def _flip(image: Tensor) -> Tensor:
    return torch.flip(image, dims=(-1,))
