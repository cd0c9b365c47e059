"""Open-set figures against scikit-learn, by hand, and on sounds whose kind is known."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sounds import noise, write_wav

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.errors import AudioError
from seacall.learn.unknown import (
    METHODS,
    Heard,
    auroc,
    fpr_at_recall,
    hear,
    limit_for,
    measure_unknown,
    oscr,
)
from seacall.learn.unknown_kinds import (
    SIMULATED,
    kind_folders,
    recorded_clips,
    simulated_clips,
)
from seacall.learn.unknown_rule import choose_rule, fit_weights, rate_methods
from seacall.models.backend import load_classifier
from seacall.models.unknown import (
    KNOWNNESS,
    LOG_EVENT,
    is_silent,
    knownness,
    measures,
    reasons_to_refuse,
)

FRONT_END = tiny.FRONT_END.front_end()
VALUES = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


def truth(known, unknown):
    return np.r_[np.ones(len(known)), np.zeros(len(unknown))], np.r_[known, unknown]


@given(VALUES, VALUES)
def test_auroc_is_scikit_learns(known, unknown):
    assert auroc(known, unknown) == pytest.approx(roc_auc_score(*truth(known, unknown)))


@given(VALUES, VALUES, st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_false_positives_at_a_recall_are_those_of_the_roc_curve(known, unknown, recall):
    fpr, tpr, _ = roc_curve(*truth(known, unknown), drop_intermediate=False)
    expected = fpr[tpr >= recall - 1e-9].min()
    assert fpr_at_recall(known, unknown, recall=recall) == pytest.approx(expected)


def test_the_limit_keeps_no_fewer_than_asked_for():
    known = np.arange(100)
    assert limit_for(known, recall=0.95) == 5
    assert (known >= limit_for(known, recall=0.951)).mean() >= 0.951


@given(VALUES, VALUES)
def test_the_area_of_oscr_is_auroc_where_every_known_clip_is_right(known, unknown):
    found = oscr(known, np.ones(len(known), bool), unknown)
    assert found.area == pytest.approx(auroc(known, unknown))


def test_oscr_by_hand():
    # From the top: right known, unknown, wrong known, right known, unknown.
    found = oscr([5, 3, 2], [True, False, True], [4, 1])
    np.testing.assert_allclose(found.fpr, [0, 0, 0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(found.ccr, [0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert found.area == pytest.approx(0.5 * (1 / 3 + 2 / 3))


@given(VALUES, VALUES)
def test_oscr_never_exceeds_the_accuracy(known, unknown):
    right = np.arange(len(known)) % 3 == 0
    found = oscr(known, right, unknown)
    assert found.ccr[-1] == pytest.approx(right.mean())
    assert found.area <= right.mean() + 1e-9
    assert (np.diff(found.ccr) >= 0).all()


def test_figures_of_no_clips_are_refused():
    with pytest.raises(ValueError, match="need clips of both, got 0 and 1"):
        auroc([], [1.0])


# ------------------------------------------------------------------ kinds of sound


@pytest.mark.parametrize("kind", SIMULATED)
def test_every_kind_is_drawn_the_same_from_the_same_seed(kind):
    first, again = (
        simulated_clips(kind, FRONT_END, rng=np.random.default_rng(3), n_clips=2)
        for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.log_mel, other.log_mel)
        assert np.isfinite(one.log_mel).all()
    silent = is_silent(np.stack([one.log_mel for one in first]), FRONT_END.profile)
    assert silent.all() == (kind == "silence")


def test_kinds_of_a_folder_are_its_sub_folders(tmp_path):
    a = write_wav(tmp_path / "rain" / "a.wav", noise())
    b = write_wav(tmp_path / "ship" / "deep" / "b.wav", noise())
    assert kind_folders(tmp_path) == {"rain": [a], "ship": [b]}
    write_wav(tmp_path / "loose.wav", noise())
    with pytest.raises(AudioError, match="and no recordings beside them"):
        kind_folders(tmp_path)
    with pytest.raises(AudioError, match="no such folder"):
        kind_folders(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="needs a folder for each kind"):
        kind_folders(tmp_path / "empty")


def test_no_more_clips_of_a_recording_are_taken_than_asked_for(tmp_path):
    path = write_wav(
        tmp_path / "a.wav", noise(duration_s=5.0, sample_rate=16_000), 16_000
    )
    assert len(list(recorded_clips(path, FRONT_END, n_most=3))) == 3
    assert len(list(recorded_clips(path, FRONT_END))) == 5


# ------------------------------------------------------------------ the measurement


def heard(logits: np.ndarray, events: float) -> Heard:
    return Heard(logits, event_strength=np.full(len(logits), events))


def test_the_method_that_tells_best_is_chosen_and_keeps_the_known():
    rng = np.random.default_rng(0)
    known = rng.normal(0, 0.1, (200, 3))
    known[:, 0] += 8
    # Its best logit is as high as that of known clips; only the odds tell.
    strange = np.full((100, 3), 8.0) + rng.normal(0, 0.1, (100, 3))
    rule = choose_rule(heard(known, 9.0), {"noise": heard(strange, 1.0)})
    assert rule.method in {"max_score", "entropy", "not_unknown"}
    assert rule.lowest_event_db == 9.0
    kept = knownness(known, rule.method) >= rule.lowest
    assert kept.mean() == pytest.approx(0.99, abs=0.006)
    assert "200 known clips" in rule.fitted_on
    assert "noise" in rule.fitted_on


def test_measures_that_tell_only_together_are_combined():
    """Known clips have a high logit and an event; each kind lacks one of the two."""
    rng = np.random.default_rng(0)

    def clips(level: float, events: float) -> Heard:
        logits = rng.normal(0, 1, (200, 3))
        logits[:, 0] += level
        return Heard(logits, event_strength=np.exp(rng.normal(events, 0.3, 200)))

    known = clips(5.0, 3.0)
    kinds = {"a": clips(0.0, 3.0), "b": clips(5.0, 1.5), "c": clips(1.0, 2.0)}
    rated = rate_methods(known, kinds)
    rule = choose_rule(known, kinds)
    assert rule.method == max(rated, key=rated.get) == "combined"
    assert set(rule.weights) == {*KNOWNNESS, LOG_EVENT}
    assert rule.weights[LOG_EVENT] > 0
    card = tiny.card(labels=("A", "B", "unknown"), unknown=rule)
    kept = [reason == "" for reason in reasons(known, rule)]
    assert np.mean(kept) >= 0.98
    assert known.by("rule", card).min() < rule.lowest
    refused = [reason != "" for reason in reasons(kinds["b"], rule)]
    assert np.mean(refused) > 0.5


def reasons(heard: Heard, rule) -> list[str]:
    return reasons_to_refuse(
        heard.logits,
        silent=np.zeros(len(heard.logits), bool),
        event_strength=heard.event_strength,
        rule=rule,
    )


def test_weights_are_those_of_logistic_regression():
    rng = np.random.default_rng(0)
    known = Heard(rng.normal(0, 1, (80, 3)) + np.array([2, 0, 0]), rng.gamma(3, 2, 80))
    other = Heard(rng.normal(0, 1, (50, 3)), rng.gamma(2, 2, 50))
    x = np.concatenate(
        [
            np.column_stack(list(measures(h.logits, h.event_strength).values()))
            for h in (known, other)
        ]
    )
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    y = np.r_[np.ones(80), np.zeros(50)]
    expected = LogisticRegression(C=100.0, tol=1e-10, max_iter=10_000).fit(
        z, y, sample_weight=np.where(y == 1, 0.5 / 80, 0.5 / 50)
    )
    found = np.array(list(fit_weights(known, [other]).values()))
    np.testing.assert_allclose(found * x.std(axis=0), expected.coef_[0], atol=0.01)


def test_logits_that_tell_nothing_choose_no_method():
    known = np.zeros((50, 3))
    rule = choose_rule(heard(known, 9.0), {"noise": heard(known, 1.0)})
    assert rule.method == "none"
    assert rule.lowest is None
    assert rule.lowest_event_db == 9.0


def test_silence_is_told_from_noise_by_the_gate_and_answered_unknown(tiny_model):
    classifier = load_classifier(tiny_model)
    clips = [
        clip_inputs(
            condition_array(
                noise(duration_s=1.0, seed=k).astype(np.float32),
                sample_rate=48_000,
                settings=FRONT_END,
            ),
            FRONT_END,
        )
        for k in range(20)
    ]
    silence = simulated_clips(
        "silence", FRONT_END, rng=np.random.default_rng(0), n_clips=5
    )
    known, unknown = hear(classifier, clips), hear(classifier, silence)
    assert len(known.logits) == 20
    card = classifier.card
    assert unknown.share_unknown(card) == 1.0
    np.testing.assert_array_equal(unknown.scores(card)[:, -1], 1.0)
    kinds = {"silence": unknown}
    found = measure_unknown(known, np.ones(20, bool), kinds, card=card)["silence"]
    assert found["n_clips"] == 5
    assert set(METHODS) < set(found)
    assert found["event_strength"]["auroc"] == 1.0
    assert found["as_shipped"] == {"auroc": 1.0, "fpr95": 0.0, "oscr": 1.0}


def test_no_clips_cannot_be_heard(tiny_model):
    with pytest.raises(ValueError, match="no clips"):
        hear(load_classifier(tiny_model), [])
