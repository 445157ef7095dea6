"""Reader of SAM masks in the format of the released code: one pickle for each image, with logits at image size.

The released code enlarged low-resolution logits to image size. This is a linear map, so that its pseudo-inverse
restores the low-resolution logits. No code in a pickle is executed (``safe_pickle.py``).

Letters: M masks, h×w low resolution, H×W the image, S side of the input of SAM.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.modeling.sam.automatic_masks.placement import Placement, weights_along
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals
from frozenseg.safe_pickle import UNREADABLE_PICKLE, PickledArray, load_pickle

REDUCTION = 4  # side of SAM's input / side of its logits


def read_released_masks(path: Path, size: tuple[int, int], side: int) -> Proposals:
    """Read the masks of an image.

    Args:
        path: pickle of an array (M, H, W), of a list of arrays (H, W), or of a dictionary with one of these.
        size: H and W.
        side: S.

    Returns:
        The masks; their predicted IoU and stability are not in the file and NaN.

    Raises:
        DataError: the file is missing, damaged, or holds anything but masks of this size.
    """
    try:
        with path.open("rb") as file:
            content = load_pickle(file)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path} with SAM masks: each image NAME.ext needs a NAME.pkl.") from error
    except UNREADABLE_PICKLE as error:
        raise DataError(f"{path} cannot be read: {error}; expected arrays in plain containers.") from error
    masks = _find_masks(content)
    if masks is None or masks.ndim != 3 or masks.shape[1:] != size or masks.dtype.kind != "f":
        actual = type(content).__name__ if masks is None else f"an array {masks.shape} {masks.dtype}"
        raise DataError(f"{path} holds {actual}; expected logits (masks, {size[0]}, {size[1]}) at image size.")
    return to_proposals(torch.from_numpy(masks.astype(np.float32)), side)


def to_proposals(masks: Tensor, side: int) -> Proposals:
    """Return the low-resolution proposals from which logits at image size, (M, H, W) float32, were enlarged."""
    placement = Placement.of(masks.shape[1], masks.shape[2], side)
    low = side // REDUCTION
    down, across = (
        torch.linalg.pinv(weights_along(low, side, placement.inside[axis], placement.size[axis])) for axis in (0, 1)
    )  # (h, H), (w, W)
    unknown = torch.full((len(masks),), torch.nan)
    return Proposals(
        logits=down @ masks @ across.T,
        predicted_ious=unknown,
        stability=unknown,
        areas=(masks > 0).sum(dim=(1, 2)),
        placement=placement,
        min_region_area=0,
    )


def _find_masks(content: Any) -> np.ndarray | None:
    """Return the array in a pickle's content, or None."""
    if isinstance(content, dict):
        return _find_masks(next(iter(content.values()))) if len(content) == 1 else None
    if isinstance(content, (list, tuple)):
        parts = [part for item in content if (part := _find_masks(item)) is not None]
        complete = len(parts) == len(content) > 0
        equal_sizes = complete and len({part.shape for part in parts}) == 1
        return np.stack(parts) if equal_sizes and parts[0].ndim == 2 else None
    if isinstance(content, PickledArray):
        return content.value
    return content.detach().float().numpy() if isinstance(content, Tensor) else None
