"""Model of FiftyOne: a segmenter that ``dataset.apply_model`` runs. Imported where FiftyOne is installed."""

from collections.abc import Iterable
from typing import Any, Literal

import fiftyone.core.labels as fo_labels
import fiftyone.core.models as fo_models
import numpy as np

from frozenseg.errors import ConfigError
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.result import Result
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.vocabulary import Vocabulary

FiftyOneOutput = Literal["instances", "segments", "semantic"]
KIND_OF_OUTPUT: dict[str, OutputKind] = {"instances": "instance", "segments": "panoptic", "semantic": "semantic"}
NO_CLASS_OF_MASKS = 0  # FiftyOne's background


class FiftyOneModel(fo_models.Model):
    """Segmenter with the interface of FiftyOne's models.

    Args:
        segmenter: the model.
        vocabulary: its classes.
        output: ``segments``: the segments of things and stuff as ``Detections`` with masks; ``instances``: those of
            things; ``semantic``: a ``Segmentation``.
        min_score: smallest score of segments, 0-1.

    Raises:
        ConfigError: the output is unknown.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        vocabulary: Vocabulary,
        output: FiftyOneOutput = "segments",
        min_score: float = 0.0,
    ) -> None:
        if output not in KIND_OF_OUTPUT:
            raise ConfigError(f"output is {output!r}, expected one of {', '.join(KIND_OF_OUTPUT)}.")
        self.segmenter, self.vocabulary = segmenter, vocabulary
        self.kind, self.min_score = KIND_OF_OUTPUT[output], min_score

    @property
    def media_type(self) -> str:
        """``image``."""
        return "image"

    @property
    def ragged_batches(self) -> bool:
        """False: the images of a batch may have different sizes."""
        return False

    @property
    def transforms(self) -> None:
        """None: the segmenter resizes and normalises images."""
        return

    @property
    def preprocess(self) -> bool:
        """False: there are no transforms."""
        return False

    @property
    def mask_targets(self) -> dict[int, str]:
        """Name of each value in the masks of ``semantic``, for ``dataset.default_mask_targets``."""
        return dict(enumerate(self.vocabulary.names, start=NO_CLASS_OF_MASKS + 1))

    def predict(self, arg: Any) -> Any:
        """Return the labels of an image.

        Args:
            arg: (H, W, 3) uint8 RGB array, or another image as the segmenter takes it.
        """
        return self.predict_all([arg])[0]

    def predict_all(self, args: Iterable[Any]) -> list[Any]:
        """Return the labels of several images.

        Args:
            args: images as for :meth:`predict`.
        """
        results = self.segmenter.predict(iter(args), self.vocabulary, outputs=self.kind, batch=8, workers=0)
        return [self._labels(result.keep(self.min_score)) for _, result in results]

    def _labels(self, result: Result) -> Any:
        if self.kind == "semantic":
            labels = result.require("semantic").cpu().numpy() + NO_CLASS_OF_MASKS + 1  # -1: no class
            return fo_labels.Segmentation(mask=labels.astype(np.uint8 if labels.max() < 256 else np.uint16))
        width, height = result.image.size
        detections = []
        for segment, mask in result.each_mask(self.kind):
            left, top, across, down = segment.bbox
            detections.append(
                fo_labels.Detection(
                    label=segment.name,
                    bounding_box=[left / width, top / height, across / width, down / height],
                    mask=mask[top : top + down, left : left + across],
                    confidence=segment.score,
                )
            )
        return fo_labels.Detections(detections=detections)
