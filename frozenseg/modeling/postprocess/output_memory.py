"""Memory of the outputs of an image, estimated before the work.

Letters: Q queries, C classes, height×width the output.
"""

import torch

from frozenseg.cache import GIB
from frozenseg.device import available_memory
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.modeling.layers.row_strips import VALUES_PER_STRIP_ON_GPU
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.structures.image_list import ImageSize

logger = get_logger(__name__)
UNCHECKED = GIB  # outputs that need less are not compared with the available memory
LARGE_SHARE = 0.5  # of the available memory; a larger estimate is logged
FLOAT, LABEL, ID = 4, 8, 4  # bytes of a value
STRIPS = 4  # strips of rows that exist at a time


def output_bytes(postprocessor: Postprocessor, queries: int, classes: int, size: ImageSize) -> dict[str, int]:
    """Estimate the largest number of bytes that each output of an image needs, by its name.

    Args:
        postprocessor: the requested outputs.
        queries: Q.
        classes: C.
        size: height and width of the outputs.
    """
    pixels = size.height * size.width
    needed = {"masks": FLOAT * STRIPS * VALUES_PER_STRIP_ON_GPU}
    if postprocessor.semantic:
        needed["semantic"] = pixels * (2 * LABEL if postprocessor.labels else FLOAT * classes)
    if postprocessor.panoptic:
        needed["panoptic"] = pixels * (2 * (LABEL + 1) + 2 * ID)
    if postprocessor.instance:
        needed["instance"] = pixels * min(postprocessor.detections, queries * classes)
    if postprocessor.recall:
        needed["recall"] = pixels * 2 * queries
    return needed


def check_output_memory(
    postprocessor: Postprocessor, queries: int, classes: int, size: ImageSize, device: torch.device
) -> None:
    """Check that the outputs of an image fit into the memory of a device; log an estimate above half of it.

    Args:
        postprocessor: the requested outputs.
        queries: Q.
        classes: C.
        size: height and width of the outputs.
        device: of the model.

    Raises:
        DataError: they do not fit; the message has the estimate and the settings that reduce it.
    """
    parts = output_bytes(postprocessor, queries, classes, size)
    total = sum(parts.values())
    if total < UNCHECKED:
        return
    available = available_memory(device)
    if available is None or total < LARGE_SHARE * available:
        return
    listed = ", ".join(f"{name} {needed / GIB:.1f}" for name, needed in parts.items() if needed > GIB / 20)
    estimate = (
        f"The outputs of an image of {size.width}×{size.height} pixels need about {total / GIB:.1f} GiB ({listed}), "
        f"and {available / GIB:.1f} GiB of memory are available on {device.type}"
    )
    if total < available:
        warn_once(logger, "%s.", estimate, key="output memory")
        return
    raise DataError(
        f"{estimate}: cut the image into tiles, lower TEST.DETECTIONS_PER_IMAGE ({postprocessor.detections} masks), or "
        "switch outputs off with MODEL.MASK_FORMER.TEST.{SEMANTIC,PANOPTIC,INSTANCE,RECALL}_ON."
    )
