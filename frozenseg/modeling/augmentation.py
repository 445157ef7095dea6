"""Test-time augmentation: the mean of the semantic scores over a picture's sizes and its mirror image.

Only semantic scores have a mean: queries of one view are not those of another, so masks of several views do not belong
together, and the other read-outs are refused.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.structures.argmax import best_class

Element = dict[str, Any]


def augmented(model: MaskClassifier, cfg: CfgNode) -> nn.Module:
    """Return the model, or where TEST.AUG.ENABLED says so one that looks at every picture several times."""
    return AugmentedModel(model, flip=cfg.TEST.AUG.FLIP) if cfg.TEST.AUG.ENABLED else model


class AugmentedModel(nn.Module):
    """A model that segments all views of a picture.

    Args:
        model: its words and its read-out are those of the moment; labels are given where it gives them.
        flip: look at the mirror image of every view, too.
    """

    def __init__(self, model: MaskClassifier, flip: bool = True) -> None:
        super().__init__()
        self.model, self.flip = model, flip
        self.train(model.training)

    def forward(self, batch: list[Element]) -> list[dict[str, Tensor]]:
        """Segment a batch; see :meth:`MaskClassifier.forward`.

        Args:
            batch: each with ``views``, a list of (3, h, w) uint8 RGB.

        Returns:
            ``sem_seg`` of each, (C, height, width) float32, or (height, width) int64.
        """
        before = self.model.postprocessor
        self.model.postprocessor = replace(before, labels=False)
        try:
            means = (self._mean_scores(element) for element in batch)
            return [{"sem_seg": best_class(scores) if before.labels else scores} for scores in means]
        finally:
            self.model.postprocessor = before

    def _mean_scores(self, element: Element) -> Tensor:
        mean: Tensor | None = None
        for number, (flipped, view) in enumerate(self._views(element), start=1):
            [output] = self.model([view])
            scores = output["sem_seg"].flip(-1) if flipped else output["sem_seg"]  # (C, height, width)
            mean = scores if mean is None else mean.lerp_(scores, 1 / number)
        return mean

    def _views(self, element: Element) -> Iterator[tuple[bool, Element]]:
        """Give the views, each with whether it is mirrored. SAM is asked once for all sizes: it sees the original."""
        for flipped in (False, True) if self.flip else (False,):
            own = dict(element)
            if "original_image" in element and self.model.uses_proposals:
                own["original_image"] = _flip(element["original_image"]) if flipped else element["original_image"]
                own["proposals"] = self.model.propose_for(own)
            for view in element["views"]:
                yield flipped, {**own, "image": _flip(view) if flipped else view}


def _flip(image: Tensor) -> Tensor:
    return torch.flip(image, dims=(-1,))
