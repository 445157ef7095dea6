"""SAM proposals of whole data sets, computed ahead into the mask cache; the processes share the images."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from frozenseg import distributed
from frozenseg.config import CfgNode
from frozenseg.data.catalog import DatasetCatalog
from frozenseg.data.checks.files import FILE_FIELDS
from frozenseg.data.record_images import read_record_image
from frozenseg.device import pick_device
from frozenseg.engine.offline.released_masks import read_released_masks
from frozenseg.errors import ConfigError, DataError
from frozenseg.log import get_logger, progress
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.frozen import precision_named
from frozenseg.modeling.sam.automatic_masks.proposal_cache import ProposalCache
from frozenseg.modeling.sam.automatic_masks.proposals import Proposals, propose_masks
from frozenseg.modeling.sam.build import build_sam
from frozenseg.structures.image_tensor import image_tensor
from frozenseg.structures.record import Record

logger = get_logger(__name__)
MIB = 2**20


class ImageFiles(Dataset[Tensor | str]):
    """Images of records, (3, H, W) uint8 RGB; the error message instead of an image that cannot be decoded.

    Args:
        records: one for each image.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.records)

    def __getitem__(self, index: int) -> Tensor | str:
        """Read an image."""
        try:
            image = image_tensor(read_record_image(self.records[index]))
        except DataError as error:
            return str(error)
        return image


def fill_mask_cache(cfg: CfgNode, names: Sequence[str], released: Path | None = None) -> int:
    """Add the proposals of all images of data sets to the mask cache, unless they are in it; return the exit code, 0.

    Args:
        cfg: reads MODEL.SAM_NAME, MODEL.SAM_WEIGHTS, MODEL.FROZEN_DTYPE, MODEL.DEVICE, the keys of TEST about SAM
            proposals, DATALOADER.NUM_WORKERS and DATASETS.SKIP_BAD.
        names: names of the data sets.
        released: folder with pickles of the released code to convert, instead of running SAM.

    Raises:
        ConfigError: TEST.USE_SAM_MASKS is False.
        DataError: a data set is unknown, or an image or its pickle cannot be read and SKIP_BAD is off.
    """
    record_of = {record["file_name"]: record for name in names for record in DatasetCatalog.get(name)}
    all_files = sorted(record_of)
    files = all_files[distributed.rank() :: distributed.world_size()]
    ensemble = ProposalEnsemble.from_config(cfg)
    if ensemble is None:
        raise ConfigError("TEST.USE_SAM_MASKS is False; set it to True to fill the cache of SAM proposals.")
    settings = ensemble.masks
    device = pick_device(cfg.MODEL.DEVICE)
    sam = build_sam(cfg.MODEL.SAM_NAME, cfg.MODEL.SAM_WEIGHTS).to(device)
    sam.precision = precision_named(cfg.MODEL.FROZEN_DTYPE)
    cache, identity = ProposalCache(cfg.TEST.SAM_MASK_CACHE, cfg.TEST.SAM_MASK_CACHE_GIB), sam.identity()

    def proposals_of(image: Tensor, file: str) -> Proposals:
        if released is None:
            return propose_masks(sam, image.to(device), settings)
        size = (image.shape[1], image.shape[2])
        return read_released_masks(released / f"{Path(file).stem}.pkl", size, sam.image_size)

    loader = DataLoader(
        ImageFiles([_image_fields(record_of[file]) for file in files]),
        batch_size=None,
        num_workers=cfg.DATALOADER.NUM_WORKERS,
    )
    added, skipped, size = 0, 0, 0
    quiet = not distributed.is_main_process()
    for file, image in zip(files, progress(loader, "SAM proposals", len(files), quiet), strict=True):
        try:
            if isinstance(image, str):
                raise DataError(image)
            if cache.load(image, identity, settings) is None:
                path = cache.save(proposals_of(image, file), image, identity, settings)
                added, size = added + 1, size + path.stat().st_size
        except DataError as error:
            if not cfg.DATASETS.SKIP_BAD:
                raise
            skipped += 1
            logger.warning("Skipped: %s", error)
    _log_counts(len(all_files), added, skipped, size, cache.folder)
    return 0


def _image_fields(record: Record) -> Record:
    """Return the fields of a record that decide about its image."""
    return {field: record[field] for field in ("height", "width", *FILE_FIELDS) if field in record}


def _log_counts(images: int, added: int, skipped: int, size: int, folder: Path) -> None:
    """Log the sums over all processes; ``size`` in bytes."""
    counts = torch.tensor([added, skipped, size], dtype=torch.float64)
    added, skipped, size = (int(number) for number in distributed.sum_over_ranks(counts).tolist())
    logger.info(
        "%d of %d images were in the cache; %d were added, %.2f MiB each; %d were skipped: %s",
        images - added - skipped,
        images,
        added,
        size / MIB / max(added, 1),
        skipped,
        folder,
    )
