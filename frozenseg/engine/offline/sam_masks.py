"""SAM's own masks of whole data sets, made ahead: the pictures are shared among the processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional

from frozenseg import distributed
from frozenseg.data.catalog import DatasetCatalog
from frozenseg.data.images import read_image
from frozenseg.device import pick_device
from frozenseg.engine.offline.released_masks import read_released_masks
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.frozen import precision_named
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, propose_masks
from frozenseg.modeling.sam.build import build_sam

logger = get_logger(__name__)
MIB = 2**20


class Pictures(Dataset[Tensor | str]):
    """Pictures by file, (3, H, W) uint8 RGB; in the place of one that cannot be decoded stands why."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = files

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor | str:
        """Read one."""
        try:
            return functional.pil_to_tensor(read_image(self.files[index]))
        except DataError as error:
            return str(error)


def fill_mask_cache(cfg: Any, names: Sequence[str], released: Path | None = None) -> int:
    """Propose masks for all pictures of data sets that have none in the cache yet; returns the exit code, 0.

    Args:
        cfg: reads MODEL.SAM_NAME, MODEL.SAM_WEIGHTS, MODEL.FROZEN_DTYPE, MODEL.DEVICE, the keys of TEST about SAM's
            masks, DATALOADER.NUM_WORKERS and DATASETS.SKIP_BAD.
        names: of the data sets.
        released: folder of pickles to take the masks from, instead of proposing them.

    Raises:
        DataError: a data set is unknown, or a picture or its pickle cannot be read and SKIP_BAD is off.
    """
    files = sorted({record["file_name"] for name in names for record in DatasetCatalog.get(name)})
    mine = files[distributed.rank() :: distributed.world_size()]
    settings = ProposalEnsemble.from_config(cfg).masks
    device = pick_device(cfg.MODEL.DEVICE)
    sam = build_sam(cfg.MODEL.SAM_NAME, cfg.MODEL.SAM_WEIGHTS).to(device)
    sam.precision = precision_named(cfg.MODEL.FROZEN_DTYPE)
    cache, identity = ProposalCache(cfg.TEST.SAM_MASK_CACHE, cfg.TEST.SAM_MASK_CACHE_GIB), sam.identity()

    def make(image: Tensor, file: str) -> Proposals:
        if released is None:
            return propose_masks(sam, image.to(device), settings)
        size = (image.shape[1], image.shape[2])
        return read_released_masks(released / f"{Path(file).stem}.pkl", size, sam.image_size)

    loader = DataLoader(Pictures(mine), batch_size=None, num_workers=cfg.DATALOADER.NUM_WORKERS)
    made, left_out, size = 0, 0, 0
    quiet = not distributed.is_main_process()
    for file, image in zip(mine, progress(loader, "making masks", len(mine), quiet), strict=True):
        try:
            if isinstance(image, str):
                raise DataError(image)
            if cache.load(image, identity, settings) is None:
                path = cache.save(make(image, file), image, identity, settings)
                made, size = made + 1, size + path.stat().st_size
        except DataError as error:
            if not cfg.DATASETS.SKIP_BAD:
                raise
            left_out += 1
            logger.warning("Left out: %s", error)
    _tell(len(files), made, left_out, size, cache.folder)
    return 0


def _tell(pictures: int, made: int, left_out: int, size: int, folder: Path) -> None:
    """Say what all processes together have done; ``size`` in bytes."""
    counts = torch.tensor([made, left_out, size], dtype=torch.float64)
    made, left_out, size = (int(number) for number in distributed.sum_over_ranks(counts).tolist())
    logger.info(
        "%d of %d pictures had masks already; %d more have them now, %.2f MiB each; %d were left out: %s",
        pictures - made - left_out,
        pictures,
        made,
        size / MIB / max(made, 1),
        left_out,
        folder,
    )
