import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from seacall.learn.judging import judge_events, judge_windows
from seacall.learn.listened import Scored
from seacall.learn.stretches import as_stretches
from seacall.learn.sweep import sweep_of

HOUR = as_stretches([(0, 3600)])
STRETCHES = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 20)).map(lambda p: (p[0], sum(p))),
    max_size=8,
)


def scored(*found):
    return Scored(
        as_stretches((a, b) for a, b, _ in found), np.array([s for *_, s in found])
    )


def events(found, calls, counted=HOUR, *, iou=0.5):
    return judge_events(found, as_stretches(calls), counted, iou=iou)


def in_windows(found, calls, counted=HOUR, *, window_s=10.0):
    return judge_windows(found, as_stretches(calls), counted, window_s=window_s)


@given(STRETCHES, STRETCHES, st.floats(0.1, 0.9), st.lists(st.floats(0, 1), min_size=8))
def test_hits_are_never_more_than_annotations_or_detections(found, calls, iou, scores):
    judged = events(
        scored(*((a, b, s) for (a, b), s in zip(found, scores, strict=False))),
        calls,
        iou=iou,
    )
    assert judged.n_hits <= min(len(found), len(calls))
    assert judged.n_hits + judged.n_false_alarms == len(found)
    assert judged.n_on_calls <= judged.n_false_alarms
    assert (np.diff(judged.scores) <= 0).all()


def test_hours_without_a_call_are_those_that_no_annotation_covers():
    judged = events(scored(), [(0, 900), (600, 1800)])
    assert judged.free_h == pytest.approx(0.5)
    assert judged.n_positives == 2


def test_what_lies_where_nobody_looked_is_neither_hit_nor_false_alarm():
    looked = as_stretches([(0, 100)])
    found = scored((10, 20, 0.9), (200, 210, 0.8), (98, 104, 0.7), (95, 101, 0.6))
    judged = events(found, [(10, 20), (150, 160)], looked)
    # The third lies mostly outside; the second annotation does not count.
    assert judged.scores.tolist() == [0.9, 0.6]
    assert judged.hits.tolist() == [True, False]
    assert judged.n_positives == 1
    assert judged.free_h == pytest.approx(90 / 3600)


def test_a_detection_that_reaches_far_out_still_answers_its_call():
    judged = events(scored((8, 18, 0.9)), [(8, 12)], as_stretches([(8, 12)]), iou=0.4)
    assert judged.hits.tolist() == [True]


def test_a_second_detection_of_a_call_is_a_false_alarm_on_a_call():
    judged = events(scored((10, 20, 0.9), (11, 19, 0.8)), [(10, 20)])
    assert (judged.n_hits, judged.n_false_alarms, judged.n_on_calls) == (1, 1, 1)


def test_of_equal_scores_it_does_not_matter_which_comes_first():
    one = events(scored((10, 12, 0.5), (30, 40, 0.5)), [(30, 40)])
    other = events(scored((30, 40, 0.5), (10, 12, 0.5)), [(30, 40)])
    assert one.n_hits == other.n_hits == 1


def test_a_window_holds_a_call_that_shares_half_of_the_shorter_with_it():
    # 60 windows of 60 s. A call of 2 s across an edge is in both; one of 30 s, of which
    # 20 s lie in one window, is in that one, and the other is neither with nor without.
    judged = in_windows(scored(), [(59, 61), (160, 190)], window_s=60.0)
    assert judged.n_positives == 3
    assert judged.free_h == pytest.approx((60 - 4) / 60)


def test_a_window_has_the_highest_score_of_the_clips_on_it():
    clips = scored((0, 5, 0.2), (5, 10, 0.9), (8, 13, 0.95), (10, 15, 0.4))
    judged = in_windows(clips, [(0, 10)], as_stretches([(0, 20)]))
    # The clip from 8 to 13 lies mostly in the second window.
    assert dict(zip(judged.scores, judged.hits, strict=True)) == {
        0.9: True,
        0.95: False,
    }


def test_a_clip_longer_than_the_windows_speaks_for_those_that_it_covers():
    judged = in_windows(scored((0, 5, 0.8)), [], as_stretches([(0, 8)]), window_s=2.0)
    assert judged.scores.tolist() == [0.8, 0.8, 0.8]
    assert judged.free_h == pytest.approx(8 / 3600)


def test_average_precision_over_windows_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    present = rng.random(200) < 0.3
    scores = rng.random(200).round(2) * 0.5 + present * 0.3
    calls = [(10 * k, 10 * k + 10) for k in np.flatnonzero(present)]
    clips = scored(*((10 * k, 10 * k + 10, s) for k, s in enumerate(scores)))
    judged = in_windows(clips, calls, as_stretches([(0, 2000)]))
    found = sweep_of(
        judged.scores,
        judged.hits,
        np.zeros(len(judged.scores), int),
        n_positives=[judged.n_positives],
        free_h=[judged.free_h],
    )
    expected = average_precision_score(present, scores)
    assert found.average_precision()[0] == pytest.approx(expected)
    assert judged.free_h == pytest.approx((~present).sum() * 10 / 3600)


@given(STRETCHES, STRETCHES, st.sampled_from([2.0, 5.0, 7.5]))
def test_windows_with_and_without_never_add_up_to_more_than_there_is(
    found, calls, window_s
):
    whole = as_stretches([(0, 120)])
    judged = in_windows(
        scored(*((a, b, 0.5) for a, b in found)), calls, whole, window_s=window_s
    )
    assert judged.n_positives * window_s + judged.free_h * 3600 <= 120 + 1e-6
    assert judged.n_hits <= judged.n_positives
    assert judged.n_false_alarms * window_s <= judged.free_h * 3600 + 1e-6
