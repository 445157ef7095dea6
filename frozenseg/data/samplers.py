"""Samplers: order of the images and their division among processes, which depend only on seed and iteration."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class SampleKey(NamedTuple):
    """One image of the training stream.

    Attributes:
        position: position in the stream, counted over all processes from the start of training; seeds the augmentation.
        record: index of the record.
    """

    position: int
    record: int


class TrainingSampler:
    """Endless stream of shuffled passes over a data set.

    Args:
        size: number of records of the data set.
        seed: seed of the shuffling, 0 or more.
        start: number of images to skip.
    """

    def __init__(self, size: int, seed: int, start: int = 0) -> None:
        self.size = size
        self.seed = seed
        self.start = start

    def __iter__(self) -> Iterator[SampleKey]:
        """Iterate over the stream, starting at position ``start``."""
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for position in itertools.count(self.start):
            if position // self.size != epoch:
                epoch = position // self.size
                order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            yield SampleKey(position, int(order[position % self.size]))


class TrainingBatches:
    """Shares of the batches of a training stream for one process; with ``wide``, each batch is all wide or all tall.

    The batches are the same for any number of processes, each of which takes every ``world_size``-th image of them.
    A grouped batch is returned when its group is full. Grouping depends on all earlier images, so the indices of a
    resumed stream are replayed from its start.

    Args:
        sampler: the stream, from its start.
        batch_size: number of images in a batch, over all processes.
        start_iteration: number of batches to skip.
        wide: for each record, True if the image is wider than high; None for no grouping.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        sampler: TrainingSampler,
        batch_size: int,
        start_iteration: int = 0,
        wide: Sequence[bool] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.start_iteration = start_iteration
        self.wide = wide
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Iterate over the shares without end, starting at batch ``start_iteration``."""
        for batch in self._batches():
            yield batch[self.rank :: self.world_size]

    def _batches(self) -> Iterator[list[SampleKey]]:
        if self.wide is not None:
            yield from itertools.islice(self._group(self.sampler, self.wide), self.start_iteration, None)
            return
        start = self.sampler.start + self.start_iteration * self.batch_size
        keys = iter(TrainingSampler(self.sampler.size, self.sampler.seed, start))
        while True:
            yield list(itertools.islice(keys, self.batch_size))

    def _group(self, keys: TrainingSampler, wide: Sequence[bool]) -> Iterator[list[SampleKey]]:
        groups: tuple[list[SampleKey], list[SampleKey]] = ([], [])
        for key in keys:
            group = groups[bool(wide[key.record])]
            group.append(key)
            if len(group) == self.batch_size:
                yield list(group)
                group.clear()


class InferenceSampler:
    """Contiguous share of a data set for one process; the shares differ by at most one image.

    Args:
        size: number of records of the data set.
        rank: rank of this process.
        world_size: number of processes.
    """

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        share, rest = divmod(size, world_size)
        first = rank * share + min(rank, rest)
        self.indices = range(first, first + share + (rank < rest))

    def __iter__(self) -> Iterator[int]:
        """Iterate over the share once."""
        return iter(self.indices)

    def __len__(self) -> int:
        """Return the number of images of the share."""
        return len(self.indices)
