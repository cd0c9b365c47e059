"""Batches for training: every clip once an epoch, in an order that can be repeated."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.data.fixed import to_fixed
from seacall.data.loader import (
    EpochSampler,
    as_float,
    equal_shares,
    group_numbers,
    ordered_loader,
    training_loader,
)

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


# ------------------------------------------------------------------ balance


labelled = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60
)


def drawn(balance: str, rows: list[tuple[int, int]], **more) -> list[int]:
    targets = np.array([row[0] for row in rows])
    deployments = [str(row[1]) for row in rows]
    groups = group_numbers(balance, targets, deployments)
    sampler = EpochSampler(len(rows), batch_size=7, seed=1, groups=groups, **more)
    return list(chain.from_iterable(epoch_of(sampler, 3)))


def spread(counts: Counter) -> int:
    return max(counts.values()) - min(counts.values())


@settings(deadline=None)
@given(rows=labelled)
def test_classes_are_drawn_equally_often_to_one(rows):
    order = drawn("class", rows)
    assert len(order) == len(rows)
    counts = Counter({row[0]: 0 for row in rows})
    counts.update(rows[k][0] for k in order)
    assert spread(counts) <= 1


@settings(deadline=None)
@given(rows=labelled)
def test_deployments_share_equally_what_their_class_got(rows):
    order = drawn("deployment", rows)
    classes = Counter({row[0]: 0 for row in rows})
    classes.update(rows[k][0] for k in order)
    assert spread(classes) <= 1
    for label in classes:
        counts = Counter({row[1]: 0 for row in rows if row[0] == label})
        counts.update(rows[k][1] for k in order if rows[k][0] == label)
        assert spread(counts) <= 1


@settings(deadline=None)
@given(rows=labelled, balance=st.sampled_from(["class", "deployment"]))
def test_within_a_group_clips_are_drawn_equally_often_to_one(rows, balance):
    counts = Counter(drawn(balance, rows))
    key = (lambda k: rows[k][0]) if balance == "class" else (lambda k: rows[k])
    for group in {key(k) for k in range(len(rows))}:
        own = [counts[k] for k in range(len(rows)) if key(k) == group]
        assert max(own) - min(own) <= 1


def test_a_rare_class_is_drawn_as_often_as_a_common_one():
    rows = [(0, 0)] * 90 + [(1, 0)] * 9 + [(2, 0)]
    counts = Counter(rows[k][0] for k in drawn("class", rows))
    assert sorted(counts.values()) == [33, 33, 34]
    assert Counter(drawn("class", rows))[99] in {33, 34}


def test_processes_share_a_balanced_epoch():
    rows = [(0, 0)] * 20 + [(1, 0)] * 4
    parts = [drawn("class", rows, rank=r, world_size=2) for r in range(2)]
    counts = Counter(rows[k][0] for part in parts for k in part)
    assert counts == {0: 12, 1: 12}


def test_without_balance_every_clip_comes_once():
    assert sorted(drawn("none", [(0, 0), (0, 1), (1, 0)])) == [0, 1, 2]


def test_deployments_are_needed_to_balance_them():
    with pytest.raises(ValueError, match="needs the clips' deployments"):
        group_numbers("deployment", np.array([0, 1]), None)


# ------------------------------------------------------------------ views


@settings(deadline=None)
@given(n=sizes, n_views=st.integers(2, 5), epoch=st.integers(1, 9))
def test_an_epoch_draws_one_view_of_every_clip(n, n_views, epoch):
    sampler = EpochSampler(n, batch_size=8, seed=0, n_views=n_views)
    order = list(chain.from_iterable(epoch_of(sampler, epoch)))
    assert sorted(k % n for k in order) == list(range(n))
    assert max(order) < n * n_views


def test_all_views_are_drawn_in_the_long_run():
    sampler = EpochSampler(10, batch_size=8, seed=0, n_views=4)
    order = [k for e in range(400) for batch in epoch_of(sampler, e) for k in batch]
    counts = Counter(k // 10 for k in order)
    assert all(count == pytest.approx(1000, abs=150) for count in counts.values())


def test_one_view_leaves_the_order_as_it_is():
    one = epoch_of(EpochSampler(30, batch_size=8, seed=0, n_views=1), 2)
    assert one == epoch_of(EpochSampler(30, batch_size=8, seed=0), 2)


def test_fixed_point_becomes_the_floats_that_it_stands_for():
    x = torch.linspace(-13, 13, 99)
    found = as_float(torch.from_numpy(to_fixed(x.numpy())))
    torch.testing.assert_close(found, x, rtol=0, atol=2**-11)
    assert as_float(x) is x


def test_the_shares_of_clips_are_how_often_they_are_drawn():
    rng = np.random.default_rng(0)
    species = rng.integers(3, size=40)
    deployment = rng.integers(5, size=40)
    groups = group_numbers("deployment", species, [f"{d}" for d in deployment])
    sampler = EpochSampler(40, batch_size=8, seed=0, groups=groups)
    drawn = np.zeros(40)
    for sampler.epoch in range(2_000):
        np.add.at(drawn, np.concatenate(list(sampler)), 1)
    shares = equal_shares(40, groups)
    np.testing.assert_allclose(drawn / drawn.sum(), shares, rtol=0.1)
    for c in range(3):
        assert shares[species == c].sum() == pytest.approx(1 / 3)


def test_without_groups_all_clips_have_the_same_share():
    assert equal_shares(4, ()).tolist() == [0.25] * 4
