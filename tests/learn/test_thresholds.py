"""Thresholds for a precision, by hand and against counting."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.learn.thresholds import (
    FEW_ANSWERS,
    lowest_threshold,
    thresholds_for_precision,
    wilson_bound,
)

LABELS = ("A", "B", "unknown")


def rows(label: int, scores: list[float], n_classes: int = 3) -> np.ndarray:
    """Clips whose best class is ``label``."""
    table = np.zeros((len(scores), n_classes))
    table[:, label] = scores
    table[:, (label + 1) % n_classes] = 1 - np.array(scores)
    return table


def test_wilsons_bound_by_the_quadratic_that_it_solves():
    """The bound b is where (p - b)^2 = z^2 b (1 - b) / n."""
    z = NormalDist().inv_cdf(0.9)
    for hits, n in ((9, 10), (40, 60), (1, 30)):
        b = float(wilson_bound(np.array(hits), np.array(n), confidence=0.9))
        assert (hits / n - b) ** 2 == pytest.approx(z**2 * b * (1 - b) / n)
        assert b < hits / n


def test_half_a_confidence_is_the_share_itself():
    found = wilson_bound(np.array([3.0]), np.array([4.0]), confidence=0.5)
    assert found[0] == pytest.approx(0.75)


@given(
    st.lists(
        st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([0.5, 0.75, 0.9]),
)
def test_the_threshold_is_the_smallest_score_that_reaches_the_precision(clips, goal):
    scores, right = (np.array(part) for part in zip(*clips, strict=True))
    found = lowest_threshold(
        scores.astype(float), right, precision=goal, confidence=0.5
    )
    reaching = [t for t in scores if right[scores >= t].mean() >= goal - 1e-12]
    assert found == (min(reaching) if reaching else None)


def test_each_species_gets_the_threshold_that_it_earns():
    scores = np.concatenate(
        [rows(0, [0.99] * 20 + [0.6] * 20), rows(1, [0.95] * 10 + [0.55] * 10)]
    )
    targets = np.array([0] * 20 + [1] * 20 + [1] * 20)
    found = thresholds_for_precision(
        scores, targets, labels=LABELS, precision=0.9, confidence=0.5
    )
    assert found.by_label == {"A": 0.99, "B": 0.55}
    assert found.remarks == ()


def test_a_species_that_cannot_reach_the_precision_is_never_answered():
    scores = np.concatenate([rows(0, [0.9] * 30), rows(1, [0.9] * 90)])
    targets = np.array([1] * 15 + [0] * 15 + [1] * 90)
    found = thresholds_for_precision(scores, targets, labels=LABELS, precision=0.8)
    assert found.by_label["A"] == 1.0
    assert found.by_label["B"] == 0.9
    (remark,) = found.remarks
    assert "Never answered" in remark
    assert remark.endswith("0.8: A.")


def test_a_species_with_few_clips_has_the_threshold_of_all_together():
    n = FEW_ANSWERS - 1
    scores = np.concatenate([rows(0, [0.8] * n), rows(1, [0.9] * 50)])
    targets = np.array([0] * n + [1] * 50)
    found = thresholds_for_precision(scores, targets, labels=LABELS, precision=0.9)
    assert found.common == 0.8
    assert found.by_label["A"] == found.common
    (remark,) = found.remarks
    assert remark.startswith(f"Fewer than {FEW_ANSWERS} clips")


def test_the_same_clips_of_more_seeds_count_once():
    scores, targets = rows(0, [0.9] * 12), np.zeros(12, np.int64)
    once = thresholds_for_precision(scores, targets, labels=LABELS, precision=0.9)
    assert once.by_label["A"] == 0.9
    tripled = thresholds_for_precision(
        scores, targets, labels=LABELS, precision=0.9, n_seeds=3
    )
    assert tripled.common == 1.0
    assert "are never answered" in tripled.remarks[0]


def test_clips_that_are_best_called_unknown_are_no_answers():
    scores = np.concatenate([rows(0, [0.9] * 20), rows(2, [0.99] * 20)])
    targets = np.zeros(40, np.int64)
    found = thresholds_for_precision(scores, targets, labels=LABELS, precision=0.9)
    assert found.common == found.by_label["A"] == 0.9
    assert "unknown" not in found.by_label
