"""Orders: permutations, fair shares, and the same order after a resume."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenseg.data.samplers import InferenceSampler, TrainingBatches, TrainingSampler


def test_each_pass_is_a_permutation_and_passes_differ():
    keys = list(islice(TrainingSampler(10, seed=0), 30))
    assert [key.position for key in keys] == list(range(30))
    passes = [[key.record for key in keys[start : start + 10]] for start in (0, 10, 20)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert passes[0] != passes[1] != passes[2]


def test_seed_decides():
    orders = [[key.record for key in islice(TrainingSampler(50, seed), 50)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_batches_of_one_stream(world_size, grouped):
    wide = [index % 3 == 0 for index in range(7)] if grouped else None
    whole = list(islice(TrainingBatches(TrainingSampler(7, 3), 6, wide=wide), 5))
    for rank in range(world_size):
        shares = islice(TrainingBatches(TrainingSampler(7, 3), 6, 0, wide, rank, world_size), 5)
        assert list(shares) == [batch[rank::world_size] for batch in whole]


def test_start_skips_images():
    whole = list(islice(TrainingSampler(7, 3), 20))
    assert list(islice(TrainingSampler(7, 3, start=13), 7)) == whole[13:]


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 12), st.booleans())
def test_resumed_batches_are_those_of_an_unbroken_run(size, batch_size, start, grouped):
    wide = [index % 3 == 0 for index in range(size)] if grouped else None
    whole = list(islice(TrainingBatches(TrainingSampler(size, 0), batch_size, 0, wide), 20))
    resumed = list(islice(TrainingBatches(TrainingSampler(size, 0), batch_size, start, wide), 5))
    assert resumed == whole[start : start + 5]


def test_groups_are_pure_and_lose_no_image():
    wide = [True, False, False, True, False]
    batches = list(islice(TrainingBatches(TrainingSampler(5, 0), 2, wide=wide), 10))
    assert all(wide[first.record] == wide[second.record] for first, second in batches)
    positions = sorted(key.position for batch in batches for key in batch)
    assert len(set(positions)) == 20
    assert positions[-1] <= 21  # at most one image waits in each group


@given(st.integers(0, 40), st.integers(1, 6))
def test_inference_shares_are_contiguous_and_even(size, world_size):
    samplers = [InferenceSampler(size, rank, world_size) for rank in range(world_size)]
    assert [index for sampler in samplers for index in sampler] == list(range(size))
    lengths = [len(sampler) for sampler in samplers]
    assert max(lengths) - min(lengths) <= 1
