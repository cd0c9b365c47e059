"""Batches for training: every clip once an epoch, in an order that can be repeated."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.data.loader import EpochSampler, ordered_loader, training_loader

sizes = st.integers(1, 70)


def epoch_of(sampler: EpochSampler, epoch: int) -> list[list[int]]:
    sampler.epoch = epoch
    return list(sampler)


@settings(deadline=None)
@given(n=sizes, batch_size=st.integers(1, 20), epoch=sizes, seed=st.integers(0, 9))
def test_every_clip_comes_once_an_epoch(n, batch_size, epoch, seed):
    sampler = EpochSampler(n, batch_size=batch_size, seed=seed)
    batches = epoch_of(sampler, epoch)
    assert sorted(chain.from_iterable(batches)) == list(range(n))
    assert len(batches) == len(sampler)


@settings(deadline=None)
@given(n=st.integers(2, 70), batch_size=st.integers(2, 20))
def test_no_batch_is_a_single_clip_and_none_is_much_too_large(n, batch_size):
    batches = epoch_of(EpochSampler(n, batch_size=batch_size, seed=0), 1)
    assert all(2 <= len(batch) <= batch_size + 1 for batch in batches)


@settings(deadline=None)
@given(
    n=sizes,
    batch_size=st.integers(1, 20),
    world_size=st.integers(2, 5),
    epoch=st.integers(1, 9),
)
def test_processes_share_an_epoch_evenly_and_without_overlap(
    n, batch_size, world_size, epoch
):
    samplers = [
        EpochSampler(n, batch_size=batch_size, seed=3, rank=r, world_size=world_size)
        for r in range(world_size)
    ]
    dealt = [epoch_of(sampler, epoch) for sampler in samplers]
    shapes = [[len(batch) for batch in batches] for batches in dealt]
    assert all(shape == shapes[0] for shape in shapes)
    assert len(shapes[0]) == len(samplers[0])
    clips = [k for batches in dealt for batch in batches for k in batch]
    n_repeated = -n % world_size
    assert set(clips) == set(range(n))
    assert len(clips) == n + n_repeated


@settings(deadline=None)
@given(epoch=st.integers(0, 99), seed=st.integers(0, 99))
def test_seed_and_epoch_alone_decide_the_order(epoch, seed):
    first = EpochSampler(40, batch_size=8, seed=seed)
    epoch_of(first, epoch + 1)  # what came before leaves no trace
    torch.manual_seed(epoch)
    np.random.default_rng().normal()
    second = EpochSampler(40, batch_size=8, seed=seed)
    assert epoch_of(first, epoch) == epoch_of(second, epoch)


def test_another_epoch_and_another_seed_have_another_order():
    sampler = EpochSampler(40, batch_size=8, seed=0)
    orders = [epoch_of(sampler, epoch) for epoch in range(5)]
    orders.append(epoch_of(EpochSampler(40, batch_size=8, seed=1), 0))
    assert len({str(order) for order in orders}) == len(orders)


def test_batches_are_rows_of_the_tensors():
    x, y = torch.arange(10).float(), torch.arange(10)
    sampler = EpochSampler(10, batch_size=4, seed=0)
    batches = list(training_loader((x, y), sampler=sampler))
    for a, b in batches:
        assert torch.equal(a.long(), b)
    assert [b.tolist() for _, b in batches] == epoch_of(sampler, 0)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 99])
def test_the_ordered_loader_keeps_the_order(batch_size):
    batches = list(ordered_loader((torch.arange(10),), batch_size=batch_size))
    assert torch.cat([b for (b,) in batches]).tolist() == list(range(10))
