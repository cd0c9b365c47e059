import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from seacall.learn.sweep import Sweep, sweep_of, thinned

ITEMS = st.lists(
    st.tuples(
        st.integers(0, 9).map(lambda x: x / 10), st.booleans(), st.integers(0, 2)
    ),
    max_size=30,
)


def sweep(items, *, n_positives=None, free_h=(1.0, 1.0, 0.5), most=None):
    scores, hits, recordings = (
        np.array([i[0] for i in items], dtype=float),
        np.array([i[1] for i in items], dtype=bool),
        np.array([i[2] for i in items], dtype=int),
    )
    if n_positives is None:
        n_positives = np.bincount(recordings[hits], minlength=3)
    return sweep_of(
        scores, hits, recordings, n_positives=n_positives, free_h=free_h, most=most
    )


@given(ITEMS)
def test_recall_and_false_alarms_rise_as_the_threshold_falls(items):
    found = sweep(items, n_positives=[30, 30, 30])
    assert (np.diff(found.thresholds) < 0).all()
    for values in (found.recall, found.rate, found.pooled().recall):
        assert (np.diff(values, axis=-1) >= 0).all()


@given(ITEMS)
def test_counts_at_each_threshold_are_those_of_counting(items):
    found = sweep(items).pooled()
    for k, threshold in enumerate(found.thresholds):
        over = [hit for score, hit, _ in items if score >= threshold]
        assert found.hits[0, k] == sum(over)
        assert found.false_alarms[0, k] == len(over) - sum(over)


@given(ITEMS.filter(lambda items: any(hit for _, hit, _ in items)))
def test_average_precision_is_that_of_scikit_learn(items):
    truth = [hit for _, hit, _ in items]
    expected = average_precision_score(truth, [score for score, _, _ in items])
    assert sweep(items).pooled().average_precision()[0] == pytest.approx(expected)


@given(ITEMS, st.lists(st.floats(0.01, 40), min_size=2, max_size=4))
def test_recall_at_a_rate_rises_with_the_rate_and_never_promises_more_than_was_seen(
    items, rates
):
    found = sweep(items, n_positives=[30, 30, 30]).pooled()
    recalls = [float(found.recall_at(rate)[0]) for rate in sorted(rates)]
    assert recalls == sorted(recalls)
    for rate, recall in zip(sorted(rates), recalls, strict=True):
        seen = found.recall[0, found.rate[0] <= rate]
        assert recall == max(seen, default=0.0)


def test_an_example_by_hand():
    # 4 annotations in 2 hours without any: 0.9 hit, 0.8 false, 0.7 hit, 0.6 false.
    items = [(0.9, True, 0), (0.8, False, 0), (0.7, True, 0), (0.6, False, 0)]
    found = sweep(items, n_positives=[4, 0, 0], free_h=[2.0, 0.0, 0.0]).pooled()
    assert found.recall[0].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert found.rate[0].tolist() == [0.0, 0.5, 0.5, 1.0]
    assert [found.recall_at(r)[0] for r in (0.1, 0.5, 10)] == [0.25, 0.5, 0.5]
    assert [found.threshold_at(r) for r in (0.1, 0.5, 10)] == [0.9, 0.7, 0.6]
    assert found.average_precision()[0] == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_where_the_surest_detection_is_false_recall_at_a_low_rate_is_zero():
    found = sweep([(0.9, False, 0), (0.8, True, 0)], free_h=[1.0, 0, 0]).pooled()
    assert found.recall_at(0.1)[0] == 0
    assert found.threshold_at(0.1) is None


def test_without_annotations_or_without_free_time_nothing_is_claimed():
    none = sweep([(0.9, False, 0)], n_positives=[0, 0, 0]).pooled()
    assert np.isnan(none.recall_at(1)[0])
    assert np.isnan(none.average_precision()[0])
    full = sweep([(0.9, True, 0)], free_h=[0.0, 0.0, 0.0]).pooled()
    assert np.isnan(full.rate).all()
    assert np.isnan(full.recall_at(1)[0])


def test_nothing_detected_is_recall_zero_at_any_rate():
    found = sweep([], n_positives=[2, 0, 0]).pooled()
    assert found.recall_at(0.1)[0] == 0
    assert found.average_precision()[0] == 0


def test_recall_that_falls_with_the_threshold_is_no_step_backwards():
    # Merging: at the lower threshold two calls became one long detection.
    merged = Sweep(
        thresholds=np.array([0.9, 0.5]),
        hits=np.array([[2.0, 1.0]]),
        false_alarms=np.array([[0.0, 1.0]]),
        n_positives=np.array([2.0]),
        free_h=np.array([1.0]),
    )
    assert merged.average_precision()[0] == 1
    assert merged.recall_at(10)[0] == 1
    assert merged.threshold_at(10) == 0.9


def test_of_many_thresholds_the_highest_and_the_last_are_kept():
    falling = np.linspace(1, 0, 10_000)
    few = thinned(falling, 100)
    assert len(few) == 100
    assert few[:20].tolist() == falling[:20].tolist()
    assert few[-1] == falling[-1]
    assert thinned(falling[:50], 100).tolist() == falling[:50].tolist()


@given(ITEMS, st.integers(2, 5))
def test_fewer_thresholds_give_the_same_counts_where_they_are(items, most):
    exact, few = sweep(items).pooled(), sweep(items, most=most).pooled()
    at = np.searchsorted(-exact.thresholds, -few.thresholds)
    assert few.hits[0].tolist() == exact.hits[0, at].tolist()
    assert few.false_alarms[0].tolist() == exact.false_alarms[0, at].tolist()


def test_resampled_counts_are_sums_over_the_drawn_recordings():
    found = sweep([(0.9, True, 0), (0.5, False, 1), (0.5, True, 2)])
    drawn = found.weighted(np.array([[2.0, 1.0, 0.0]]))
    assert drawn.hits.tolist() == [[2.0, 2.0]]
    assert drawn.false_alarms.tolist() == [[0.0, 1.0]]
    assert drawn.free_h.tolist() == [3.0]
