"""Disk cache of SAM proposals, keyed by the image, the SAM and the settings; files are handled by ``ArrayCache``.

Logits are stored as bytes in steps of 1/16 between -8 and 8, compressed. Signs are exact, and so are masks; inside the
range a logit is off by 1/32 at most and its sigmoid by 0.008, outside of it the sigmoid by 0.0004.

Letters: M masks, h×w low resolution.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from frozenseg.cache import ArrayCache, Arrays
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals

VERSION = 1  # of the files
STEP = 1 / 16
FIELDS = ("logits", "predicted_ious", "stability", "areas", "placement", "min_region_area")


class ProposalCache:
    """SAM proposals by content. Files are complete or absent, so that processes may share the folder.

    Args:
        folder: folder of the files; created by the first write.
        limit: GiB; beyond it the least recently used files are deleted. 0 for no limit.
    """

    def __init__(self, folder: str | Path, limit: float = 0) -> None:
        self._arrays = ArrayCache(folder, limit)

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self._arrays.folder

    def load(self, image: Tensor, sam: str, settings: ProposalSettings) -> Proposals | None:
        """Return the proposals of an image, or None if the cache does not hold them.

        Args:
            image: (3, H, W) uint8 RGB.
            sam: hash of SAM's weights, and its precision (:meth:`Frozen.identity`).
            settings: of the proposals.
        """
        arrays = self._arrays.load(_key(image, sam, settings), required=FIELDS)
        return None if arrays is None else _from_arrays(arrays)

    def save(self, proposals: Proposals, image: Tensor, sam: str, settings: ProposalSettings) -> Path:
        """Store the proposals of an image; returns their file."""
        return self._arrays.save(_key(image, sam, settings), _to_arrays(proposals))


def _key(image: Tensor, sam: str, settings: ProposalSettings) -> str:
    """Return the hash of everything that the proposals depend on."""
    relevant = {name: value for name, value in asdict(settings).items() if name != "points_per_batch"}
    digest = hashlib.sha256(json.dumps([VERSION, sam, relevant, list(image.shape)], sort_keys=True).encode())
    digest.update(image.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _to_arrays(proposals: Proposals) -> Arrays:
    # the index of the step that a logit is in, read as its middle: positive values stay positive, 0 stays outside
    steps = ((proposals.logits / STEP).ceil() - 1).clamp(-128, 127).to(torch.int8)
    placement = proposals.placement
    return {
        "logits": steps.cpu().numpy(),
        "predicted_ious": proposals.predicted_ious.float().cpu().numpy(),
        "stability": proposals.stability.float().cpu().numpy(),
        "areas": proposals.areas.cpu().numpy(),
        "placement": np.array([*placement.size, *placement.inside, placement.side]),
        "min_region_area": np.array(proposals.min_region_area),
    }


def _from_arrays(arrays: Arrays) -> Proposals:
    height, width, inside_height, inside_width, side = arrays["placement"].tolist()
    return Proposals(
        logits=(torch.from_numpy(arrays["logits"]).float() + 0.5) * STEP,
        predicted_ious=torch.from_numpy(arrays["predicted_ious"]),
        stability=torch.from_numpy(arrays["stability"]),
        areas=torch.from_numpy(arrays["areas"]),
        placement=Placement((height, width), (inside_height, inside_width), side),
        min_region_area=int(arrays["min_region_area"]),
    )
