r"""Auto-annotation function of CVAT: a segmenter as the object that ``cvat-cli`` and CVAT's agents run.

Example::

    cvat-cli task auto-annotate 12 --function-module frozenseg.plugins.cvat --allow-unmatched-labels \
        -p weights=str:toyworld -p "classes=str:red circle; blue square; water"

Labels of the task are matched by name with the first names of the classes.
"""

from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.errors import ConfigError
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.segments import Segment
from frozenseg.vocabulary import Vocabulary

POLYGON_TOLERANCE_OF_CVAT = 0.75  # pixels


class CvatFunction:
    """Detection function: ``spec`` and ``detect``, as ``cvat_sdk.auto_annotation`` defines them.

    Args:
        segmenter: the model.
        vocabulary: its classes; each is a label.
        min_score: smallest score of segments where CVAT names none, 0-1.
        tolerance: largest distance of polygons from the outlines of masks, pixels.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        vocabulary: Vocabulary,
        min_score: float = 0.0,
        tolerance: float = POLYGON_TOLERANCE_OF_CVAT,
    ) -> None:
        self.segmenter, self.vocabulary = segmenter, vocabulary
        self.min_score, self.tolerance = min_score, tolerance
        self._sdk = _sdk()

    @cached_property
    def spec(self) -> Any:
        """``DetectionFunctionSpec`` with a label of masks for each class."""
        labels = [self._sdk.label_spec(name, index, type="mask") for index, name in enumerate(self.vocabulary.names)]
        return self._sdk.DetectionFunctionSpec(labels=labels)

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Return the segments of an image: masks, or polygons if the context requests them, the largest first.

        Args:
            context: ``conf_threshold`` and ``conv_mask_to_poly`` of CVAT.
            image: a frame.
        """
        min_score = self.min_score if context.conf_threshold is None else context.conf_threshold
        result = self.segmenter(image, self.vocabulary, outputs="panoptic").keep(min_score)
        shapes: list[Any] = []
        for segment, mask in result.each_mask("panoptic", largest_first=True):
            shapes += self._polygons(segment, mask) if context.conv_mask_to_poly else [self._mask(segment, mask)]
        return shapes

    def _mask(self, segment: Segment, mask: np.ndarray) -> Any:
        from cvat_sdk.masks import encode_mask

        left, top, width, height = segment.bbox
        points = encode_mask(mask, [left, top, left + width, top + height])
        return self._sdk.mask(segment.label_id, points)

    def _polygons(self, segment: Segment, mask: np.ndarray) -> list[Any]:
        """Return the parts of a segment (H, W) as polygons; several form a group."""
        rings = mask_polygons(mask, self.tolerance)
        group = {"group": segment.id} if len(rings) > 1 else {}
        return [self._sdk.polygon(segment.label_id, ring.ravel().tolist(), **group) for ring in rings]


def create(
    classes: str,
    weights: str = "toyworld",
    stuff: str = "",
    device: str = "auto",
    min_score: float = 0.0,
    tolerance: float = POLYGON_TOLERANCE_OF_CVAT,
) -> CvatFunction:
    """Build the function from the parameters of ``cvat-cli -p NAME=TYPE:VALUE``.

    Args:
        classes: ``"cat,kitten; dog"``, or the name of a benchmark.
        weights: as for :meth:`Segmenter.from_pretrained`.
        stuff: first names of the classes that are not countable.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        min_score: smallest score of segments where CVAT names none, 0-1.
        tolerance: of polygons, pixels.

    Raises:
        ConfigError: cvat-sdk is not installed, or the weights are unknown.
        DataError: a class has no name.
    """
    _sdk()
    segmenter = Segmenter.from_pretrained(weights, device=device)
    return CvatFunction(segmenter, segmenter.vocabulary_of(classes, stuff), min_score, tolerance)


def _sdk() -> Any:
    """Return the module ``cvat_sdk.auto_annotation``."""
    try:
        import cvat_sdk.auto_annotation as sdk
    except ImportError as error:
        raise ConfigError(f"The function for CVAT needs cvat-sdk ({error}): pip install 'frozenseg[cvat]'.") from error
    return sdk
