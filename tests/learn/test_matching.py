from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.learn.matching import Pairs, best_pairs, hits_in_order, overlapping

PLACES = st.floats(0, 20).map(lambda x: round(x, 2))
STRETCHES = st.lists(
    st.tuples(PLACES, st.floats(0.25, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=5
).map(lambda pairs: np.array(pairs, dtype=float).reshape(-1, 2))


def plain_iou(a, b):
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return max(shared, 0) / (a[1] - a[0] + b[1] - b[0] - max(shared, 0))


def enough(first, second, least):
    pairs = overlapping(first, second)
    return pairs.only(pairs.iou >= least)


def best_by_trying(first, second, least):
    """The oracle: every way to give detections to annotations."""
    best = (0, 0.0)
    places = [*range(len(second)), *[-1] * len(first)]
    for order in set(permutations(places, len(first))):
        ious = [
            plain_iou(first[i], second[j])
            for i, j in enumerate(order)
            if j >= 0 and plain_iou(first[i], second[j]) >= least
        ]
        best = max(best, (len(ious), sum(ious)))
    return best


@given(STRETCHES, STRETCHES)
def test_overlapping_pairs_are_those_of_comparing_all(first, second):
    pairs = overlapping(first, second)
    found = dict(
        zip(zip(pairs.first, pairs.second, strict=True), pairs.iou, strict=True)
    )
    expected = {
        (i, j): iou
        for i, a in enumerate(first)
        for j, b in enumerate(second)
        if (iou := plain_iou(a, b)) > 0
    }
    assert found == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(
    STRETCHES.filter(lambda s: len(s) <= 4),
    STRETCHES.filter(lambda s: len(s) <= 4),
    st.sampled_from([0.1, 0.3, 0.5]),
)
def test_the_matching_is_the_best_of_all_possible_ones(first, second, least):
    pairs = enough(first, second, least)
    partner = best_pairs(pairs, n_first=len(first))
    ious = [plain_iou(first[i], second[j]) for i, j in enumerate(partner) if j >= 0]
    assert all(iou >= least - 1e-12 for iou in ious)
    assert len(set(partner[partner >= 0])) == len(ious)
    n, total = best_by_trying(first, second, least)
    assert len(ious) == n
    assert sum(ious) == pytest.approx(total)


@given(STRETCHES, STRETCHES, st.sampled_from([0.1, 0.3, 0.5]))
def test_at_every_threshold_there_are_as_many_hits_as_in_a_largest_matching(
    first, second, least
):
    pairs = enough(first, second, least)
    hits = hits_in_order(pairs, n_first=len(first), n_second=len(second))
    for k in range(len(first) + 1):
        best = best_pairs(pairs.only(pairs.first < k), n_first=k)
        assert hits[:k].sum() == (best >= 0).sum()
    assert hits.sum() <= min(len(first), len(second))


def test_two_detections_of_one_call_are_one_hit_and_one_false_alarm():
    # ropensci/ohun#6: with "any overlap" both would count.
    call = np.array([[10.0, 12.0]])
    found = np.array([[10.0, 11.5], [10.5, 12.0]])
    hits = hits_in_order(enough(found, call, 0.5), n_first=2, n_second=1)
    assert hits.tolist() == [True, False]


def test_one_long_detection_answers_one_of_two_calls():
    calls = np.array([[0.0, 2.0], [2.0, 4.0]])
    pairs = enough(np.array([[0.0, 4.0]]), calls, 0.5)
    assert hits_in_order(pairs, n_first=1, n_second=2).sum() == 1


def test_the_first_moves_on_where_the_second_has_no_other_choice():
    pairs = Pairs(*(np.array(x) for x in ([0, 0, 1], [0, 1, 0], [1.0] * 3, [0.9] * 3)))
    assert hits_in_order(pairs, n_first=2, n_second=2).all()
    assert best_pairs(pairs, n_first=2).tolist() == [1, 0]


def test_a_chain_of_thousands_is_matched_without_recursion():
    n = 3000
    # Each detection fits two neighbours, the better one first; all but one move.
    first = np.r_[np.repeat(np.arange(n), 2), n]
    second = np.r_[np.column_stack([np.arange(n), np.arange(n) + 1]).ravel(), 0]
    iou = np.r_[np.tile([0.9, 0.6], n), 0.5]
    pairs = Pairs(first, second, np.ones(2 * n + 1), iou)
    hits = hits_in_order(pairs, n_first=n + 1, n_second=n + 1)
    assert hits.all()
    assert (best_pairs(pairs, n_first=n + 1) >= 0).all()
