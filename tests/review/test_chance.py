"""What samples can say: intervals, drops, agreement, against theory and others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from seacall.review.agreement import agreement_of, cohen_kappa, krippendorff_alpha
from seacall.review.chance import (
    design_effect,
    dropped,
    evidence_of_drop,
    share_interval,
)
from seacall.review.nouns import Target, Verdict


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (3, 20), (180, 200)])
def test_intervals_of_shares_are_those_of_scipy(k, n):
    exact = stats.binomtest(k, n).proportion_ci(method="exact")
    np.testing.assert_allclose(share_interval(k, n), exact, atol=1e-9)


def test_nothing_is_known_of_an_empty_sample():
    assert share_interval(0, 0) == (0.0, 1.0)
    assert evidence_of_drop(0, 0, expected=0.9) == pytest.approx(1.0)
    assert not dropped([], [], expected=0.9, false_alarm=0.05)


@pytest.mark.parametrize("precision", [0.7, 0.9, 0.98])
def test_chance_raises_no_alarm_more_than_5_percent_of_the_time(rng, precision):
    """However often it is looked at: here after each of 200 verdicts."""
    n_runs, n = 1_000, 200
    good = rng.random((n_runs, n)) < precision
    k = np.cumsum(good, axis=1)
    n_alarms = 0
    for run in k:
        odd = [
            evidence_of_drop(run[j], j + 1 - run[j], expected=precision)
            for j in range(9, n, 10)
        ]
        n_alarms += max(odd) >= 20
    assert n_alarms / n_runs <= 0.05


def test_chance_raises_no_alarm_where_recordings_differ_either(rng):
    """Ten detections of each recording, of which all tend to be right or wrong."""
    n_alarms, n_runs = 0, 300
    for _ in range(n_runs):
        shares = rng.beta(1.8, 0.2, size=30)  # 0.9 on average
        good = (rng.random((30, 10)) < shares[:, None]).ravel().tolist()
        clusters = np.repeat(np.arange(30), 10).tolist()
        n_alarms += dropped(good, clusters, expected=0.9, false_alarm=0.05)
    assert n_alarms / n_runs <= 0.05


def test_a_drop_from_90_to_70_percent_is_told_within_100_verdicts(rng):
    told = 0
    for _ in range(200):
        good = (rng.random(100) < 0.7).tolist()
        told += dropped(good, list(range(100)), expected=0.9, false_alarm=0.05)
    assert told / 200 >= 0.9


def test_evidence_is_the_mean_ratio_of_likelihoods():
    q = np.linspace(0, 0.8, 200_001)
    ratio = (q / 0.8) ** 12 * ((1 - q) / 0.2) ** 9
    mean = np.trapezoid(ratio, q) / 0.8
    assert evidence_of_drop(12, 9, expected=0.8) == pytest.approx(mean, rel=1e-6)


def test_a_recording_of_copies_counts_as_one_draw():
    good = [True] * 40 + [False] * 10
    clusters = [k // 5 for k in range(50)]
    assert design_effect(good, clusters) == pytest.approx(5 * 10 / 9)
    assert design_effect(good, list(range(50))) == pytest.approx(50 / 49, abs=0.03)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2))
def test_kappa_is_that_of_scikit_learn(pairs):
    ours = cohen_kappa(pairs)
    if len({name for pair in pairs for name in pair}) > 1:
        theirs = cohen_kappa_score(*zip(*pairs, strict=True))
        assert ours == pytest.approx(theirs)
    else:
        assert ours is None


def test_alpha_is_that_of_krippendorff_s_example():
    """Computing Krippendorff's Alpha-Reliability (2011), C: four observers."""
    a = "1 2 3 3 2 1 4 1 2 . . ."
    b = "1 2 3 3 2 2 4 1 2 5 . 3"
    c = ". 3 3 3 2 3 4 2 2 5 1 ."
    d = "1 2 3 3 2 4 4 1 2 5 1 ."
    rows = [line.split() for line in (a, b, c, d)]
    units = [[v for v in unit if v != "."] for unit in zip(*rows, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha([["x", "x"]]) is None


def verdict(reviewer, answer, label=""):
    return Verdict(1, 0, reviewer, Target("a", 1, "Orca", 0, 1), answer, label)


def test_agreement_is_of_what_reviewers_take_the_sound_for():
    said = [
        [verdict("A", "accept"), verdict("B", "accept")],
        [verdict("A", "correct", "Fin"), verdict("B", "reject")],
        [verdict("A", "reject"), verdict("B", "reject")],
        [verdict("A", "accept"), verdict("B", "unsure")],
        [verdict("A", "accept")],
    ]
    found = agreement_of(said)
    assert found.n_shared == 3
    assert found.share == pytest.approx(2 / 3)
    theirs = cohen_kappa_score(["o", "f", ""], ["o", "", ""])
    assert found.kappas == {"A / B": pytest.approx(theirs)}
    assert agreement_of([]).as_json()["alpha"] is None
