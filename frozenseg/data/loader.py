"""Data sets of a run, opened for training and for evaluation, and their loaders with worker processes.

The augmentation of a training image depends only on the seed and on its position in the stream. Therefore the batches
do not depend on the number of workers, and a resumed run gets the same batches as an uninterrupted one.
"""

import pickle
import random
import re
import signal
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from frozenseg import distributed
from frozenseg.config import CfgNode
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.data.checks.files import FILE_FIELDS, refuse_objects_without_mask, validate_objects, validate_records
from frozenseg.data.class_maps import AnnotationRules
from frozenseg.data.dataset import OpenedDataset, ResolvedDataset
from frozenseg.data.mapper import EvalMapper, Sample, TrainMapper, build_train_mapper
from frozenseg.data.read_ahead import read_ahead
from frozenseg.data.samplers import InferenceSampler, SampleKey, TrainingBatches, TrainingSampler
from frozenseg.data.segments import target_field
from frozenseg.errors import ConfigError, DataError
from frozenseg.log import get_logger
from frozenseg.structures.record import Record, image_name

logger = get_logger(__name__)
MODEL_STREAM = 1  # separates the random numbers of the model from those of the augmentation
DEAD_WORKER = re.compile(r"DataLoader worker \(pid")  # start of torch's error message
GROUND_TRUTH_FIELDS = {  # kind of model output → record fields with the files of its ground truth
    "panoptic": ("pan_seg_file_name",),
    "semantic": ("sem_seg_file_name", "instance_file_name"),  # Cityscapes' IoU reads the instance ids
    "instance": ("instance_file_name",),
    "recall": ("sem_seg_file_name",),
}
SHARED_FIELDS = ("rules", "label_coding")  # of records: one object for all records of a data set
MAX_REPLACEMENTS = 20  # unreadable images in a row before training stops


@dataclass(frozen=True)
class LoadResult:
    """Result of loading one image in a worker process.

    Attributes:
        sample: the batch element; None if the image cannot be loaded.
        problems: messages about images that could not be loaded.
        fatal: True if no replacement could be loaded either.
    """

    sample: Sample | None
    problems: tuple[str, ...] = ()
    fatal: bool = False

    def pin_memory(self) -> "LoadResult":
        """Return the result with its image in page-locked memory, from which it is copied to a GPU without waiting."""
        if self.sample is None:
            return self
        pinned = {name: value.pin_memory() for name, value in self.sample.items() if isinstance(value, torch.Tensor)}
        return replace(self, sample={**self.sample, **pinned})


class PackedRecords(Sequence[Record]):
    """Records packed into one block of bytes, which worker processes share instead of copying.

    Args:
        records: dictionaries that can be pickled. Objects in :data:`SHARED_FIELDS` are stored once.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._shared: list[Any] = []
        index_of: dict[int, int] = {}  # by identity
        packed = [pickle.dumps(self._without_shared(record, index_of), protocol=-1) for record in records]
        self._ends = np.cumsum([len(item) for item in packed], dtype=np.int64)
        self._bytes = np.frombuffer(b"".join(packed), dtype=np.uint8)

    def __getitem__(self, index: int) -> Record:  # type: ignore[override]
        """Return a copy of one record."""
        start = 0 if index == 0 else self._ends[index - 1]
        record: Record = pickle.loads(self._bytes[start : self._ends[index]].tobytes())  # noqa: S301 (packed above)
        return record | {field: self._shared[record[field]] for field in SHARED_FIELDS if field in record}

    def _without_shared(self, record: Record, index_of: dict[int, int]) -> Record:
        """Return a record with indices instead of shared objects."""
        indices = {}
        for field in SHARED_FIELDS:
            if field in record:
                indices[field] = index_of.setdefault(id(record[field]), len(self._shared))
                if indices[field] == len(self._shared):
                    self._shared.append(record[field])
        return record | indices

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._ends)


class MappedDataset(Dataset[LoadResult]):
    """Records that are mapped to batch elements when they are requested.

    Args:
        records: of the data set.
        mapper: record and generator → batch element.
        seed: seed of the augmentation.
        replace_bad: True to replace a record that cannot be loaded by the next one.
    """

    def __init__(
        self, records: Sequence[Record], mapper: Callable[..., Sample], seed: int = 0, replace_bad: bool = False
    ) -> None:
        self.records = PackedRecords(records)
        self.mapper = mapper
        self.seed = seed
        self.replace_bad = replace_bad

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.records)

    def __getitem__(self, key: SampleKey | int) -> LoadResult:
        """Load one image; errors are returned as messages, which the main process raises or logs.

        A training image gets a ``seed`` for the random numbers of the model.
        """
        position, index = (key, key) if isinstance(key, int) else key
        problems: list[str] = []
        for step in range(min(MAX_REPLACEMENTS, len(self)) if self.replace_bad else 1):
            rng = np.random.default_rng([self.seed, position])
            try:
                sample = self.mapper(self.records[(index + step) % len(self)], rng)
            except DataError as error:
                problems.append(str(error))
                continue
            if isinstance(key, SampleKey):
                sample["seed"] = int(np.random.default_rng([self.seed, position, MODEL_STREAM]).integers(1 << 62))
            return LoadResult(sample, tuple(problems))
        return LoadResult(None, tuple(problems), fatal=self.replace_bad)


class CheckedLoader(Iterable[list[Sample]]):
    """Batches of a torch loader; problems of its workers are raised or logged in the main process.

    Args:
        loader: yields lists of :class:`LoadResult`.
        num_images: number of images of the data set.
        skip_bad: log images that cannot be loaded and continue, instead of raising an error.
        in_background: load one batch ahead in a thread; for loaders without worker processes.

    Attributes:
        num_skipped: number of images that this process has skipped so far.
    """

    def __init__(
        self, loader: DataLoader[LoadResult], num_images: int, skip_bad: bool = False, in_background: bool = False
    ) -> None:
        self.loader = loader
        self.in_background = in_background
        self.num_images = num_images
        self.skip_bad = skip_bad
        self.num_skipped = 0

    def __iter__(self) -> Iterator[list[Sample]]:
        """Iterate over the batches; a batch without any loaded image is skipped.

        Raises:
            DataError: an image cannot be loaded, or a worker process has died.
        """
        batches = _with_worker_errors(self.loader)
        for batch in read_ahead(batches) if self.in_background else batches:
            for result in batch:
                self._report(result)
            if samples := [result.sample for result in batch if result.sample is not None]:
                yield samples

    def __len__(self) -> int:
        """Return the number of batches; TypeError for an endless stream."""
        return len(self.loader)

    def _report(self, result: LoadResult) -> None:
        for problem in result.problems:
            if result.fatal or not self.skip_bad:
                raise DataError(problem)
            self.num_skipped += 1
            logger.warning("Skipped: %s", problem)


@dataclass(frozen=True)
class TrainDataset:
    """The data sets of a training run, opened.

    Attributes:
        cfg: reads DATASETS.SKIP_BAD, DATASETS.STRICT, DATALOADER, INPUT, SOLVER.IMS_PER_BATCH, SOLVER.IMAGES_AT_ONCE
            and SEED.
        plan: division of the images of a step among processes.
        mapper: record and generator → batch element.
        parts: the data sets, whose records are concatenated.
    """

    cfg: CfgNode
    plan: BatchPlan
    mapper: TrainMapper
    parts: Sequence[OpenedDataset]

    @classmethod
    def open(cls, cfg: CfgNode, datasets: Sequence[ResolvedDataset]) -> "TrainDataset":
        """Read the records and check that the images and the annotations that training reads exist.

        Args:
            cfg: see the attributes.
            datasets: at least one.

        Raises:
            ConfigError: no data set, an unknown mapper, or a batch that cannot be divided among the processes.
            DataError: files are missing, or a data set has no annotations to train on.
        """
        if not datasets:
            raise ConfigError("DATASETS.TRAIN is empty: name a data set, for example toyworld_train.")
        plan, mapper = BatchPlan.from_config(cfg), build_train_mapper(cfg)
        parts = [_open_for_training(dataset, cfg.DATASETS.STRICT) for dataset in datasets]
        if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
            _refuse_without_instances(parts)
        return cls(cfg, plan, mapper, parts)

    def batches(self, start_iteration: int = 0) -> "CheckedLoader":
        """Return this process's share of each batch, as an endless stream.

        Args:
            start_iteration: batches to skip, for a resumed run.
        """
        cfg, plan = self.cfg, self.plan
        records = [record for part in self.parts for record in part.records]
        if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
            records = drop_without_instances(records)
        seed = _shared_seed(cfg.SEED)
        grouped = cfg.DATALOADER.ASPECT_RATIO_GROUPING and all("width" in record for record in records)
        wide = [record["width"] > record["height"] for record in records] if grouped else None
        sampler = TrainingSampler(len(records), seed)
        loader = DataLoader(
            MappedDataset(records, self.mapper, seed, replace_bad=cfg.DATASETS.SKIP_BAD),
            batch_sampler=TrainingBatches(
                sampler, plan.images, start_iteration, wide, distributed.rank(), plan.processes
            ),
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            collate_fn=_as_list,
            worker_init_fn=_ignore_stop_signals,
            pin_memory=torch.cuda.is_available(),
        )
        return CheckedLoader(loader, len(records), cfg.DATASETS.SKIP_BAD)


@dataclass(frozen=True)
class EvalDataset:
    """Data set to evaluate on, opened.

    Attributes:
        cfg: reads DATASETS.SKIP_BAD, DATASETS.STRICT, DATALOADER.NUM_WORKERS, INPUT and TEST.
        opened: the records.
    """

    cfg: CfgNode
    opened: OpenedDataset

    @property
    def records(self) -> Sequence[Record]:
        """One record for each image, on all processes."""
        return self.opened.records

    @classmethod
    def open(cls, cfg: CfgNode, dataset: ResolvedDataset, outputs: Collection[str] = ()) -> "EvalDataset":
        """Read the records and check that the images and the annotations of the requested outputs exist.

        Args:
            cfg: see the attributes.
            dataset: data set to evaluate on.
            outputs: kinds of model output to score, keys of :data:`GROUND_TRUTH_FIELDS`.

        Raises:
            DataError: files are missing, or an annotation file is not of its format.
        """
        annotations = {field for output in outputs for field in GROUND_TRUTH_FIELDS[output]}
        records = dataset.load_records()
        if cfg.DATASETS.STRICT:
            refuse_objects_without_mask(records, dataset.metadata)
        opened = _open(dataset, records, [field for field in FILE_FIELDS[1:] if field in annotations])
        if "instance" in outputs:
            validate_objects(opened.records, dataset.metadata, cfg.DATASETS.STRICT)
        return cls(cfg, opened)

    def batches(
        self, read_ground_truth: Callable[[Record], Any] | None = None, done: Container[str] = frozenset()
    ) -> "CheckedLoader":
        """Return the images that this process evaluates, one in each batch.

        Args:
            read_ground_truth: reads the ground truth of a record, in the workers; it becomes ``ground_truth`` of
                an element.
            done: names of images to leave out, see :func:`image_name`.
        """
        records = [record for record in self.records if image_name(record) not in done]
        loader = DataLoader(
            MappedDataset(records, EvalMapper.from_config(self.cfg, read_ground_truth)),
            batch_size=1,
            sampler=InferenceSampler(len(records), distributed.rank(), distributed.world_size()),
            num_workers=self.cfg.DATALOADER.NUM_WORKERS,
            collate_fn=_as_list,
            worker_init_fn=_ignore_stop_signals,
            pin_memory=torch.cuda.is_available(),
        )
        in_background = loader.num_workers == 0
        return CheckedLoader(loader, len(records), self.cfg.DATASETS.SKIP_BAD, in_background)


def drop_without_instances(records: Sequence[Record]) -> list[Record]:
    """Return the records without those that have ``annotations``, but no instance other than crowd regions."""
    return [
        record
        for record in records
        if "annotations" not in record or any(not item.get("iscrowd", 0) for item in record["annotations"])
    ]


def _refuse_without_instances(parts: Sequence[OpenedDataset]) -> None:
    if not any(drop_without_instances(part.records) for part in parts):
        images, names = sum(len(part.records) for part in parts), ", ".join(part.name for part in parts)
        raise DataError(
            f"No image is left to train on: none of the {images} images of {names} has an object with a mask that is "
            "not a crowd, and DATALOADER.FILTER_EMPTY_ANNOTATIONS leaves such images out. Check the annotations with "
            "`frozenseg validate`, or set DATALOADER.FILTER_EMPTY_ANNOTATIONS False."
        )


def _open_for_training(dataset: ResolvedDataset, strict: bool) -> OpenedDataset:
    """Open a data set; records with a label image as target get ``rules``, the annotation rules to read it."""
    records = dataset.load_records()
    if strict:
        refuse_objects_without_mask(records, dataset.metadata)
    field = target_field(records, dataset.name)
    opened = _open(dataset, records, [field] if field in FILE_FIELDS else [])
    if field != "sem_seg_file_name":
        return opened
    rules = AnnotationRules.from_metadata(dataset.metadata)
    return replace(opened, records=[{**record, "rules": rules} for record in records])


def _open(dataset: ResolvedDataset, records: Sequence[Record], annotations: Sequence[str]) -> OpenedDataset:
    fields = ("file_name", *annotations)
    validate_records(records, dataset.metadata, fields)
    return OpenedDataset(dataset.name, dataset.metadata, records, fields)


def _shared_seed(seed: int) -> int:
    """Return the seed; if it is negative, return one that rank 0 draws for all processes."""
    return seed if seed >= 0 else distributed.gather(random.SystemRandom().randrange(1 << 31))[0]


def dead_worker_error(error: RuntimeError, workers: int) -> DataError | None:
    """Return a DataError if an error means that a worker process of a torch loader has died, otherwise None.

    Torch raises such an error from a signal handler, at any line that the main process is executing.

    Args:
        error: any error.
        workers: number of worker processes.
    """
    if not DEAD_WORKER.match(str(error)):
        return None
    return DataError(
        f"A process that loads images has died ({str(error).splitlines()[0].rstrip('. ')}). Most often the system "
        f"has killed it because memory ran out: set DATALOADER.NUM_WORKERS below {workers}, or to 0 to see the error "
        "itself."
    )


def _with_worker_errors(loader: DataLoader[LoadResult]) -> Iterator[list[LoadResult]]:
    try:
        yield from loader
    except RuntimeError as error:
        if worker_error := dead_worker_error(error, loader.num_workers):
            raise worker_error from error
        raise


def _ignore_stop_signals(worker: int) -> None:
    """Keep a worker running when a scheduler signals all processes, so that the main process can finish its step."""
    del worker
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _as_list(items: list[LoadResult]) -> list[LoadResult]:
    return items
