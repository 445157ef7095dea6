"""Outputs of the runtime as a result of the segmenter."""

import torch
from PIL import Image

from frozenseg.export.runtime_outputs import SegmentedImage
from frozenseg.inference.result import Result
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary


def result_of_runtime(image: Image.Image, vocabulary: Vocabulary, segmented: SegmentedImage) -> Result:
    """Return the outputs of the runtime for an image as a :class:`Result`, with its drawings and exports."""
    detected = segmented.instances
    instances = Instances(
        (image.height, image.width),
        pred_masks=torch.from_numpy(detected.masks),
        pred_boxes=torch.from_numpy(detected.boxes),
        scores=torch.from_numpy(detected.scores),
        pred_classes=torch.from_numpy(detected.classes),
    )
    panoptic = torch.from_numpy(segmented.panoptic), segmented.segments
    return Result(image, vocabulary, panoptic, instances, torch.from_numpy(segmented.semantic))
