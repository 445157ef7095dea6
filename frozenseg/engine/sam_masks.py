"""SAM's own masks of whole data sets, made ahead: the pictures are shared among the processes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional

from frozenseg import distributed
from frozenseg.data.catalog import DatasetCatalog
from frozenseg.data.images import read_image
from frozenseg.device import pick_device
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.sam.build import build_sam
from frozenseg.modeling.sam.proposal_cache import ProposalCache
from frozenseg.modeling.sam.proposals import propose_masks

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


def fill_mask_cache(cfg: Any, names: Sequence[str]) -> int:
    """Propose masks for all pictures of data sets that have none in the cache yet; returns the exit code, 0.

    Args:
        cfg: reads MODEL.SAM_NAME, MODEL.SAM_WEIGHTS, MODEL.DEVICE, the keys of TEST about SAM's masks,
            DATALOADER.NUM_WORKERS and DATASETS.SKIP_BAD.
        names: of the data sets.

    Raises:
        DataError: a data set is unknown, or a picture cannot be decoded and SKIP_BAD is off.
    """
    files = sorted({record["file_name"] for name in names for record in DatasetCatalog.get(name)})
    mine = files[distributed.rank() :: distributed.world_size()]
    ensemble = ProposalEnsemble.from_config(cfg)
    device = pick_device(cfg.MODEL.DEVICE)
    sam = build_sam(cfg.MODEL.SAM_NAME, cfg.MODEL.SAM_WEIGHTS).to(device)
    cache, identity = ProposalCache(cfg.TEST.SAM_MASK_CACHE, cfg.TEST.SAM_MASK_CACHE_GIB), sam.weights_hash()
    loader = DataLoader(Pictures(mine), batch_size=None, num_workers=cfg.DATALOADER.NUM_WORKERS)
    made, size = 0, 0
    quiet = not distributed.is_main_process()
    for image in progress(loader, "proposing masks", len(mine), quiet):
        if isinstance(image, str):
            if not cfg.DATASETS.SKIP_BAD:
                raise DataError(image)
            logger.warning("Left out: %s", image)
        elif cache.load(image, identity, ensemble.masks) is None:
            path = cache.save(propose_masks(sam, image.to(device), ensemble.masks), image, identity, ensemble.masks)
            made, size = made + 1, size + path.stat().st_size
    total, bytes_written = distributed.sum_over_ranks(torch.tensor([made, size], dtype=torch.float64)).tolist()
    logger.info(
        "%d of %d pictures had masks already; %d more have them now, %.2f MiB each: %s",
        len(files) - total,
        len(files),
        total,
        bytes_written / MIB / max(total, 1),
        cache.folder,
    )
    return 0
