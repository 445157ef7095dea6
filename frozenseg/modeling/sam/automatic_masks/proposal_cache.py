"""Proposed masks on disk, found again by what they were made from: the picture, the SAM, the settings.

Logits are kept as bytes in steps of 1/16 between -8 and 8, compressed. A sign never changes, so masks are exact; inside
the range a logit is off by 1/32 at most, its sigmoid by 0.008; beyond it the sigmoid by 0.0004.

Letters: M masks, h×w low resolution.
"""

import contextlib
import hashlib
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from frozenseg.atomic import replacing
from frozenseg.log import get_logger
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals

logger = get_logger(__name__)
VERSION = 1  # of the files
STEP = 1 / 16
GIB = 2**30
LOOK_EVERY = 50  # files written between two looks at the size of the folder


class ProposalCache:
    """Masks by content. Files are whole or absent, so that processes may share the folder.

    Args:
        folder: where the files lie; made when first needed.
        limit: GiB; where the folder grows beyond, the files that have not been used for longest go. 0 for no limit.
    """

    def __init__(self, folder: str | Path, limit: float = 0) -> None:
        self.folder, self.limit = Path(folder).expanduser(), limit
        self._written = 0

    def load(self, image: Tensor, sam: str, settings: ProposalSettings) -> Proposals | None:
        """Return the masks of a picture, or None where there are none yet.

        Args:
            image: (3, H, W) uint8 RGB.
            sam: hash of SAM's weights, and the precision that it works in.
            settings: that the masks are proposed by.
        """
        path = self._path(image, sam, settings)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                found = _from_arrays({name: content[name] for name in content.files})
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            logger.warning("%s is damaged and is made anew: %s", path, error)
            return None
        with contextlib.suppress(OSError):  # the folder may be another's, or another process has made room
            os.utime(path)  # used just now
        return found

    def save(self, found: Proposals, image: Tensor, sam: str, settings: ProposalSettings) -> Path:
        """Keep the masks of a picture; returns their file."""
        path = self._path(image, sam, settings)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **_to_arrays(found))
        self._written += 1
        if self.limit and self._written % LOOK_EVERY == 1:
            self._shrink(keep=path)
        return path

    def _path(self, image: Tensor, sam: str, settings: ProposalSettings) -> Path:
        about = {name: value for name, value in asdict(settings).items() if name != "points_per_batch"}
        digest = hashlib.sha256(json.dumps([VERSION, sam, about, list(image.shape)], sort_keys=True).encode())
        digest.update(image.cpu().contiguous().numpy().tobytes())
        key = digest.hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.npz"

    def _shrink(self, keep: Path) -> None:
        files = []
        for path in self.folder.glob("*/*.npz"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process was faster
            files.append((state.st_mtime, state.st_size, path))
        surplus = sum(size for _, size, _ in files) - self.limit * GIB
        for _, size, path in sorted(files):
            if surplus <= 0:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                surplus -= size


def _to_arrays(found: Proposals) -> dict[str, np.ndarray]:
    # the step that a logit lies in, read back as its middle: what is positive stays so, 0 stays outside
    steps = ((found.logits / STEP).ceil() - 1).clamp(-128, 127).to(torch.int8)
    placement = found.placement
    return {
        "logits": steps.cpu().numpy(),
        "predicted_ious": found.predicted_ious.float().cpu().numpy(),
        "stability": found.stability.float().cpu().numpy(),
        "areas": found.areas.cpu().numpy(),
        "placement": np.array([*placement.size, *placement.inside, placement.side]),
        "min_region_area": np.array(found.min_region_area),
    }


def _from_arrays(content: dict[str, np.ndarray]) -> Proposals:
    height, width, inside_height, inside_width, side = content["placement"].tolist()
    return Proposals(
        logits=(torch.from_numpy(content["logits"]).float() + 0.5) * STEP,
        predicted_ious=torch.from_numpy(content["predicted_ious"]),
        stability=torch.from_numpy(content["stability"]),
        areas=torch.from_numpy(content["areas"]),
        placement=Placement((height, width), (inside_height, inside_width), side),
        min_region_area=int(content["min_region_area"]),
    )
