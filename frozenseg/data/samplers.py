"""Which pictures, in which order, on which process: functions of seed and iteration, so that a run can be resumed."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class SampleKey(NamedTuple):
    """A place in the stream of training pictures.

    Attributes:
        position: counted over all processes from the start of training; seeds all that is random about the picture.
        index: of the record.
    """

    position: int
    index: int


class TrainingSampler:
    """An endless stream of shuffled passes over a data set.

    Args:
        size: records of the data set.
        seed: of the shuffling, 0 or more.
        start: pictures to pass over.
    """

    def __init__(self, size: int, seed: int, start: int = 0) -> None:
        self.size = size
        self.seed = seed
        self.start = start

    def __iter__(self) -> Iterator[SampleKey]:
        """Go through the stream from ``start`` on."""
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for position in itertools.count(self.start):
            if position // self.size != epoch:
                epoch = position // self.size
                order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            yield SampleKey(position, int(order[position % self.size]))


class TrainingBatches:
    """One process's shares of the batches of a training stream; with ``wide``, of pictures all wide or all tall.

    The batches are the same for any number of processes, each of which takes every ``world_size``-th picture of them.
    A grouped batch leaves when its group is full. Grouping depends on all pictures before, so a resumed stream is
    replayed from its beginning, indices only.

    Args:
        sampler: the stream, from its beginning.
        batch_size: pictures a batch, over all processes.
        start_iteration: batches to pass over.
        wide: for each record, whether it is wider than high; None for no grouping.
        rank: this process.
        world_size: all processes.
    """

    def __init__(
        self,
        sampler: TrainingSampler,
        batch_size: int,
        start_iteration: int = 0,
        wide: Sequence[bool] | np.ndarray | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.start_iteration = start_iteration
        self.wide = wide
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Go through the shares from ``start_iteration`` on, without end."""
        for batch in self._batches():
            yield batch[self.rank :: self.world_size]

    def _batches(self) -> Iterator[list[SampleKey]]:
        if self.wide is not None:
            yield from itertools.islice(self._group(self.sampler), self.start_iteration, None)
            return
        start = self.sampler.start + self.start_iteration * self.batch_size
        keys = iter(TrainingSampler(self.sampler.size, self.sampler.seed, start))
        while True:
            yield list(itertools.islice(keys, self.batch_size))

    def _group(self, keys: TrainingSampler) -> Iterator[list[SampleKey]]:
        groups: tuple[list[SampleKey], list[SampleKey]] = ([], [])
        for key in keys:
            group = groups[bool(self.wide[key.index])]
            group.append(key)
            if len(group) == self.batch_size:
                yield list(group)
                group.clear()


class InferenceSampler:
    """One process's contiguous share of a data set; the shares differ by at most one picture.

    Args:
        size: records of the data set.
        rank: this process.
        world_size: all processes.
    """

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        share, rest = divmod(size, world_size)
        first = rank * share + min(rank, rest)
        self.indices = range(first, first + share + (rank < rest))

    def __iter__(self) -> Iterator[int]:
        """Go through the share once."""
        return iter(self.indices)

    def __len__(self) -> int:
        """Return the pictures of the share."""
        return len(self.indices)
