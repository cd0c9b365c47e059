from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score, recall_score

from seacall.learn.bootstrap import bootstrap_weights
from seacall.learn.calibrate import calibration_temperature
from seacall.learn.protocol_figures import FIGURES, NOT_SCORED, measure_system
from seacall.learn.protocol_tables import Asked, calibrated_apart, count_tables

LABELS = (
    "Striped Dolphin",
    "Common Dolphin",
    "Beluga",
    "Fin Whale",
    "Walrus",
    "unknown",
)
STRIPED, COMMON, BELUGA, FIN, WALRUS, UNKNOWN = range(6)


def asked(targets, deployments, recordings=None, **changes):
    recordings = recordings or [f"r{k}" for k in range(len(targets))]
    return Asked(
        labels=LABELS,
        targets=np.array(targets),
        deployments=tuple(deployments),
        recordings=tuple(recordings),
        **changes,
    )


def one_hot(answers):
    return np.eye(len(LABELS))[np.array(answers)]


def values(measured):
    return {key: estimate.value for key, estimate in measured.figures.items()}


def measure(scores, clips, *, raw=None, weights=None):
    return measure_system(
        scores[None], clips, raw=None if raw is None else raw[None], weights=weights
    )


def test_an_answer_with_a_species_that_is_not_scored_is_an_error():
    clips = asked([STRIPED, STRIPED, BELUGA, BELUGA], "aabb")
    found = values(measure(one_hot([STRIPED, WALRUS, BELUGA, BELUGA]), clips))
    # Striped: 1 hit, 2 truths, 1 answer: F1 = 2 / 3. Beluga: 1. Walrus counts nothing.
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == 0.75


def test_species_figures_are_those_of_scikit_learn(rng):
    targets, answers = rng.integers(0, 4, 200), rng.integers(0, 6, 200)
    clips = asked(targets.tolist(), [str(k % 7) for k in range(200)])
    found = values(measure(one_hot(answers), clips))
    some = {"labels": [0, 1, 2, 3], "zero_division": 0}
    assert found["macro_f1"] == pytest.approx(
        f1_score(targets, answers, average="macro", **some)
    )
    assert found["weighted_f1"] == pytest.approx(
        f1_score(targets, answers, average="weighted", **some)
    )
    family = np.array([0, 0, 1, 2, 3, 4])
    expected = recall_score(
        family[targets], family[answers], labels=[0, 1, 2], average="macro"
    )
    assert found["family_balanced_accuracy"] == pytest.approx(expected)


def test_family_and_group_answers_are_the_largest_sums_of_scores():
    # Beluga is the best species, but the two dolphins together are the best family.
    scores = np.array([[0.3, 0.3, 0.35, 0.05, 0.0, 0.0]])
    found = values(measure(scores, asked([STRIPED], "a")))
    assert found["accuracy"] == 0
    assert found["family_balanced_accuracy"] == 1
    assert found["group_balanced_accuracy"] == 1


def test_clips_of_a_recording_are_averaged_before_they_are_answered():
    # Alone 1 of 3 clips is right; the sure one carries the recording.
    scores = np.array(
        [
            [0.95, 0.05, 0, 0, 0, 0],
            [0.4, 0.6, 0, 0, 0, 0],
            [0.3, 0.7, 0, 0, 0, 0],
            [0, 1, 0, 0, 0, 0],
        ]
    )
    clips = asked([STRIPED] * 3 + [COMMON], "aaab", ["x", "x", "x", "y"])
    found = values(measure(scores, clips))
    assert found["accuracy"] == 0.5
    assert found["recording_accuracy"] == 1
    assert found["recording_macro_f1"] == 1


def test_pairs_of_species_and_deployment_are_pooled_and_counted_once():
    targets = [STRIPED, STRIPED, STRIPED, BELUGA, BELUGA]
    answers = [STRIPED, STRIPED, BELUGA, FIN, BELUGA]
    # (Striped, a): 2 of 2; (Striped, b): wrong; (Beluga, b): a tie, the first class of
    # which, Beluga, is right.
    found = values(measure(one_hot(answers), asked(targets, "aabbb")))
    assert found["pairs_right"] == pytest.approx(2 / 3)


def test_a_recording_of_two_species_is_pooled_by_species():
    clips = asked([STRIPED, BELUGA], "aa", ["tape", "tape"])
    found = values(measure(one_hot([STRIPED, BELUGA]), clips))
    assert found["recording_accuracy"] == 1


def test_the_fall_back_is_counted_at_each_level():
    scores = np.array(
        [
            [0.9, 0.1, 0, 0, 0, 0],  # species, right
            [0.1, 0.9, 0, 0, 0, 0],  # species, wrong
            [0.5, 0.4, 0.1, 0, 0, 0],  # dolphin, right
            [0.4, 0.1, 0.4, 0.1, 0, 0],  # toothed whale, right
            [0.2, 0.1, 0.1, 0.3, 0.3, 0],  # nothing
        ]
    )
    clips = asked([STRIPED] * 5, "aabbc", threshold=0.7)
    found = values(measure(scores, clips, raw=scores))
    assert [found[f"{level}_share"] for level in ("species", "family", "group")] == [
        0.4,
        0.2,
        0.2,
    ]
    assert [found[f"{level}_right"] for level in ("species", "family", "group")] == [
        0.5,
        1,
        1,
    ]
    assert found["answered_share"] == 0.8
    assert found["answered_right"] == 0.75


def test_what_is_never_answered_has_no_share_of_right_answers():
    scores = np.full((2, 6), 1 / 6)
    found = values(measure(scores, asked([0, 1], "ab", threshold=0.9), raw=scores))
    assert found["species_share"] == 0
    assert found["species_right"] is None


def test_a_look_up_has_neither_calibration_nor_fall_back():
    measured = measure(one_hot([0, 1]), asked([0, 1], "ab"))
    assert set(measured.figures) == {k for k, f in FIGURES.items() if f.of == "all"}
    assert not measured.reliability


def test_a_figure_is_the_mean_over_the_seeds():
    clips = asked([STRIPED, BELUGA], "ab")
    scores = np.stack([one_hot([STRIPED, BELUGA]), one_hot([STRIPED, STRIPED])])
    measured = measure_system(scores, clips, raw=None, weights=None)
    assert measured.by_seed["accuracy"] == [1.0, 0.5]
    assert measured.figures["accuracy"].value == 0.75


def test_every_interval_contains_its_figure(rng):
    n = 400
    targets = rng.integers(0, 5, n)
    deployments = [str(k) for k in rng.integers(0, 25, n)]
    logits = rng.normal(size=(2, n, 6)) + 2 * np.eye(6)[targets]
    scores = softmax(logits, axis=2)
    clips = asked(targets.tolist(), deployments, threshold=0.5)
    weights = bootstrap_weights(clips.n_deployments, rng=rng, n_resamples=400)
    measured = measure_system(scores, clips, raw=scores, weights=weights)
    for key, estimate in measured.figures.items():
        low, high = estimate.interval
        # A calibration error is biased: bins of fewer clips lie further from their
        # mean. All others are ratios of sums.
        if not key.startswith("calibration"):
            assert low <= estimate.value <= high, key
        assert low < high


def test_resampling_is_of_whole_deployments():
    clips = asked([STRIPED] * 4, "aaab")
    scores = one_hot([STRIPED, STRIPED, STRIPED, BELUGA])
    weights = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    measured = measure_system(scores[None], clips, raw=None, weights=weights)
    # Twice the first deployment: all right; twice the second: none.
    assert measured.headline_draws.tolist() == [1.0, 0.0, pytest.approx(6 / 7)]


def test_tables_of_deployments_add_up_to_the_table_of_all(rng):
    targets = rng.integers(0, 5, 60)
    scores = rng.dirichlet(np.ones(6), 60)
    apart = asked(targets.tolist(), [str(k % 5) for k in range(60)])
    together = asked(targets.tolist(), ["all"] * 60)
    many = count_tables(scores, apart, raw=scores)
    one = count_tables(scores, together, raw=scores)
    for kind in ("species", "family", "group", "recordings", "bins", "fall_back"):
        np.testing.assert_allclose(many[kind].sum(axis=0), one[kind][0])


def test_the_confusion_matrix_gathers_answers_outside_of_what_is_scored():
    clips = asked([STRIPED, STRIPED, BELUGA], "aab")
    measured = measure(one_hot([STRIPED, WALRUS, FIN]), clips)
    names, counts = measured.confusion["species"]
    assert names == ("Striped Dolphin", "Beluga", NOT_SCORED)
    assert counts.tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]
    names, counts = measured.confusion["family"]
    assert names == ("Delphinidae", "Monodontidae", NOT_SCORED)
    assert counts.tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_species_have_their_clips_and_deployments():
    clips = asked([STRIPED, STRIPED, BELUGA], "abb")
    first, second = measure(one_hot([STRIPED, FIN, BELUGA]), clips).classes
    assert (first.label, first.support, first.n_deployments) == (LABELS[0], 2, 2)
    assert (first.recall, first.precision) == (0.5, 1.0)
    assert (second.support, second.n_deployments, second.f1) == (1, 1, 1.0)


def test_each_deployment_is_calibrated_by_the_others(rng):
    targets = rng.integers(0, 6, 90)
    groups = np.arange(90) % 3
    logits = (rng.normal(size=(90, 6)) + 2 * np.eye(6)[targets]).astype(np.float32)
    scores = calibrated_apart(logits, targets, groups)
    for group in range(3):
        own = groups == group
        temperature = calibration_temperature(logits[~own], targets[~own])
        expected = softmax(logits[own] / temperature, axis=1)
        np.testing.assert_allclose(scores[own], expected, rtol=1e-5)


def test_a_deployments_own_labels_do_not_move_its_scores(rng):
    targets = rng.integers(0, 6, 60)
    groups = np.arange(60) % 4
    logits = rng.normal(size=(60, 6)).astype(np.float32) + np.eye(6)[targets]
    logits = logits.astype(np.float32)
    other = targets.copy()
    other[groups == 2] = (other[groups == 2] + 1) % 6
    before = calibrated_apart(logits, targets, groups)[groups == 2]
    after = calibrated_apart(logits, other, groups)[groups == 2]
    assert (before == after).all()
