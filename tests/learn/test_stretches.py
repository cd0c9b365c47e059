import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.learn.stretches import (
    as_stretches,
    common,
    joined,
    length_s,
    shared_s,
    windows,
    without,
)

# Whole seconds, so that sums are exact and each second can be asked about by itself.
PAIRS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=8,
)


def seconds(stretches):
    """The oracle: the set of whole seconds that are covered."""
    return {s for a, b in stretches for s in range(round(a), round(b))}


@given(PAIRS, PAIRS)
def test_stretches_are_sets_of_seconds(a, b):
    one, other = as_stretches(a), as_stretches(b)
    assert seconds(joined(one)) == seconds(a)
    assert seconds(common(one, other)) == seconds(a) & seconds(b)
    assert seconds(without(one, other)) == seconds(a) - seconds(b)
    assert length_s(one) == len(seconds(a))
    found = [len(seconds([pair]) & seconds(b)) for pair in a]
    assert shared_s(one, other).tolist() == found


@given(PAIRS)
def test_joined_stretches_are_in_order_and_apart(a):
    edges = joined(as_stretches(a)).ravel()
    assert (np.diff(edges) > 0).all()


def test_stretches_that_touch_but_for_rounding_are_one():
    pair = as_stretches([(11.6325, 15.51), (15.510000000000002, 19.3875)])
    assert joined(pair).tolist() == [[11.6325, 19.3875]]


@given(PAIRS, st.sampled_from([0.5, 1.0, 2.0, 3.0, 7.0]))
def test_windows_lie_in_their_stretch_and_lose_less_than_half_a_window_of_each(a, w):
    whole = joined(as_stretches(a))
    laid = windows(whole, w)
    assert length_s(laid) == pytest.approx(np.diff(laid).sum())
    assert shared_s(laid, whole) == pytest.approx(np.diff(laid).ravel())
    assert length_s(without(whole, laid)) < w / 2 * len(whole) + 1e-9
    if len(laid):
        assert np.diff(laid).max() <= w + 1e-9
        assert np.diff(laid).min() >= w / 2 - 1e-5


def test_windows_of_three_times_a_tenth_do_not_make_a_sliver():
    laid = windows(as_stretches([(0.0, 0.3)]), 0.1)
    assert len(laid) == 3
    assert laid[-1, 1] == 0.3
