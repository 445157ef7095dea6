"""SAM's masks as the released code kept them: a pickle a picture, with logits at the picture's own size.

They were made from low-resolution logits by enlarging, which is linear, so that its pseudo-inverse gives those back.
Nothing in such a file is run (``safe_pickle.py``).

Letters: M masks, h×w low resolution, H×W the image, S side of SAM's input.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.modeling.sam.automatic_masks.placement import Placement, weights_along
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals
from frozenseg.safe_pickle import PickledArray, load_pickle

REDUCTION = 4  # of the decoder's logits, from SAM's input
DAMAGED = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, ValueError, TypeError)


def read_released_masks(path: Path, size: tuple[int, int], side: int) -> Proposals:
    """Read the masks of a picture.

    Args:
        path: a pickle of an array (M, H, W), of a list of arrays (H, W), or of a dictionary with one of these.
        size: H and W.
        side: S.

    Returns:
        The masks; what SAM believed of them is not in the file and NaN.

    Raises:
        DataError: the file is missing, asks for more than arrays and plain containers, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = load_pickle(file)
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path} of SAM's masks: each picture NAME.ext needs its NAME.pkl.") from error
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read: {error}; expected arrays in plain containers.") from error
    masks = _find_masks(content)
    if masks is None or masks.ndim != 3 or masks.shape[1:] != size or masks.dtype.kind != "f":
        found = type(content).__name__ if masks is None else f"an array {masks.shape} {masks.dtype}"
        raise DataError(f"{path} holds {found}; expected logits (masks, {size[0]}, {size[1]}), the picture's size.")
    return to_proposals(torch.from_numpy(masks.astype(np.float32)), side)


def to_proposals(masks: Tensor, side: int) -> Proposals:
    """Return the proposals that (M, H, W) float32 logits at image size were enlarged from."""
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
    if isinstance(content, (list, tuple)) and content:
        parts = [_find_masks(part) for part in content]
        alike = all(part is not None and part.shape == parts[0].shape for part in parts)
        return np.stack(parts) if alike and parts[0].ndim == 2 else None
    if isinstance(content, PickledArray):
        return content.value
    return content.detach().float().numpy() if isinstance(content, Tensor) else None
