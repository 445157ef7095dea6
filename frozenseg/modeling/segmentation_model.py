"""Interface between a segmentation model and its users: training, evaluation and prediction."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from frozenseg.modeling.inference_settings import EnsembleSettings, InferenceSettings
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.vocabulary import Vocabulary


class SegmentationModel(nn.Module, ABC):
    """A module with a training vocabulary and default inference settings.

    Args:
        vocabulary: the training vocabulary; also the default one at inference.
        postprocessor: default outputs and their thresholds.
        ensemble: default use of CLIP's class scores and of the SAM proposals.

    Attributes:
        training_vocabulary: the vocabulary that the losses are computed for.
        inference_settings: the settings of calls of :meth:`forward` that pass none.
    """

    def __init__(self, *, vocabulary: Vocabulary, postprocessor: Postprocessor, ensemble: EnsembleSettings) -> None:
        super().__init__()
        self.training_vocabulary = vocabulary
        self.inference_settings = InferenceSettings(vocabulary, vocabulary.seen_by(vocabulary), postprocessor, ensemble)

    @abstractmethod
    def forward(
        self,
        batch: list[dict[str, Any]],
        masks_of_step: Sequence[int] | None = None,
        settings: InferenceSettings | None = None,
    ) -> dict[str, Tensor] | list[dict[str, Any]]:
        """Train on a batch or segment it (Detectron2's contract).

        Args:
            batch: one dictionary an image: ``image`` (3, h, w) uint8 RGB; ``height`` and ``width`` of the outputs;
                in training ``instances`` with ``gt_classes`` (n,) int64 and ``gt_masks`` (n, h, w) bool, and ``seed``
                if the random points of the losses are to depend on the image alone.
            masks_of_step: if the batch is one micro-batch of a training step, the number of target masks of every
                image that this process has in the step.
            settings: of this call in eval mode; None for ``inference_settings``. The model is not changed.

        Returns:
            In training the weighted losses; in eval mode one dictionary an image with those of ``sem_seg``,
            ``panoptic_seg``, ``instances`` and ``recall_seg`` that are switched on.
        """

    @abstractmethod
    def frozen_hashes(self) -> dict[str, str]:
        """Return the hash of each frozen encoder's weights, by attribute name."""

    def forget_frozen_outputs(self) -> None:  # noqa: B027 (nothing to forget by default)
        """Forget values that were computed from the frozen encoders, after their weights have been replaced."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Default vocabulary at inference."""
        return self.inference_settings.vocabulary

    @property
    def seen(self) -> tuple[bool, ...]:
        """Flags of the default vocabulary, True for classes that count as seen in training."""
        return self.inference_settings.seen

    @property
    def postprocessor(self) -> Postprocessor:
        """Default outputs and their thresholds."""
        return self.inference_settings.postprocessor

    @property
    def ensemble_settings(self) -> EnsembleSettings:
        """Default use of CLIP's class scores and of the SAM proposals."""
        return self.inference_settings.ensemble

    def settings_for(
        self,
        vocabulary: Vocabulary,
        seen: Sequence[bool] | None = None,
        postprocessor: Postprocessor | None = None,
        ensemble: EnsembleSettings | None = None,
    ) -> InferenceSettings:
        """Return the default settings with another vocabulary and, if passed, other outputs or another ensemble.

        Args:
            vocabulary: C classes.
            seen: one flag a class; None for the classes that share a name with the training vocabulary, in any
                spelling with capitals and underscores.
            postprocessor: None for the default. Whether labels or scores are returned stays as it is, see
                :meth:`return_labels`.
            ensemble: None for the default.
        """
        if postprocessor is None:
            postprocessor = self.postprocessor
        return InferenceSettings(
            vocabulary,
            vocabulary.seen_by(self.training_vocabulary, normalize=True) if seen is None else tuple(seen),
            replace(postprocessor, labels=self.postprocessor.labels),
            self.ensemble_settings if ensemble is None else ensemble,
        )

    def set_vocabulary(self, vocabulary: Vocabulary, seen: Sequence[bool] | None = None) -> None:
        """Set the default vocabulary at inference; see :meth:`settings_for`."""
        self.inference_settings = self.settings_for(vocabulary, seen)

    def set_inference_settings(self, postprocessor: Postprocessor, ensemble: EnsembleSettings) -> None:
        """Set the default outputs and the default ensemble; see :meth:`settings_for`."""
        self.inference_settings = self.settings_for(self.vocabulary, self.seen, postprocessor, ensemble)

    def return_labels(self) -> None:
        """Return the best class of every pixel, ``sem_seg`` (height, width) int64, instead of a score for each class.

        This saves the memory of a large vocabulary's scores.
        """
        labels = replace(self.postprocessor, labels=True)
        self.inference_settings = replace(self.inference_settings, postprocessor=labels)

    @contextmanager
    def using(self, settings: InferenceSettings) -> Iterator[None]:
        """Switch to eval mode with other default settings; restore the settings and the mode at the end of the block.

        For callers that do not call :meth:`forward` themselves. Those that do pass ``settings`` to it.
        """
        previous, training = self.inference_settings, self.training
        self.inference_settings = settings
        self.eval()
        try:
            yield
        finally:
            self.inference_settings = previous
            self.train(training)
