"""Calibrations against data whose calibration is known, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from seacall.learn.calibrate import (
    METHODS,
    calibrate,
    calibration_temperature,
    chosen,
    clip_losses,
    fit,
    fit_platt,
    fit_vector,
    platt,
)
from seacall.learn.held_out import HeldOut
from seacall.models.calibrated import calibrated


def drawn(logits: np.ndarray, seed: int = 1) -> np.ndarray:
    """Draw classes with the probabilities that logits say."""
    draws = np.random.default_rng(seed).random((len(logits), 1))
    return (
        (softmax(logits, axis=1).cumsum(axis=1) < draws)
        .sum(axis=1)
        .clip(0, logits.shape[1] - 1)
    )


def some_logits(n: int, n_classes: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (n, n_classes))


def held_out(logits, targets, n_deployments=8) -> HeldOut:
    return HeldOut(
        labels=(*"ABCDEFGH"[: logits.shape[1] - 1], "unknown"),
        logits=logits,
        targets=targets,
        deployments=tuple(f"d{k % n_deployments}" for k in range(len(targets))),
    )


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    logits = some_logits(20_000)
    targets = drawn(logits / temperature)
    found = calibration_temperature(logits.astype(np.float32), targets)
    assert found == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("shift", [0, 1])
def test_always_right_and_always_wrong_logits_give_no_temperature(shift: int) -> None:
    logits = np.eye(4, dtype=np.float32) * 10
    assert calibration_temperature(logits, (np.arange(4) + shift) % 4) is None


def test_the_offsets_that_made_the_labels_are_found():
    logits, offsets = some_logits(20_000), np.array([1.0, -1.0, 0.5, 0.0, -0.5])
    found = fit_vector(logits, drawn(logits / 2 + offsets))
    assert found.temperature == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(found.offsets, offsets, atol=0.15)


def test_few_clips_hold_the_offsets_near_0():
    logits = np.zeros((3, 4))
    few = fit_vector(logits, np.zeros(3, np.int64))
    many = fit_vector(np.zeros((300, 4)), np.zeros(300, np.int64))
    assert 0 < few.offsets[0] < 0.6
    assert many.offsets[0] > 2 * few.offsets[0]


def test_platt_is_logistic_regression_where_clips_are_many():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, 5_000)
    yes = rng.random(5_000) < 1 / (1 + np.exp(-(0.7 * x - 1.2)))
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(x[:, None], yes)
    slope, offset = platt(x, yes)
    assert slope == pytest.approx(float(expected.coef_[0, 0]), rel=0.01)
    assert offset == pytest.approx(float(expected.intercept_[0]), rel=0.01)


def test_platts_targets_keep_separable_classes_from_certainty():
    x = np.array([-1.0, -1.0, 1.0, 1.0])
    slope, offset = platt(x, x > 0)
    # Two of each: the targets are 3/4 and 1/4, so p = 3/4 at x = 1.
    assert slope == pytest.approx(np.log(3), abs=1e-3)
    assert offset == pytest.approx(0, abs=1e-3)


def test_a_class_that_its_logit_speaks_against_gets_no_negative_slope():
    x = np.linspace(-2, 2, 100)
    slope, _ = platt(x, x < 0)
    assert slope == 0


def test_a_class_without_a_clip_keeps_its_log_odds():
    logits = some_logits(200)
    found = fit_platt(logits, drawn(logits) % 3)
    assert found.slopes[3:] == (1.0, 1.0)
    assert found.offsets[3:] == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_every_kind_keeps_what_is_calibrated_already(method):
    logits = some_logits(4_000)
    found = fit(method, logits, drawn(logits))
    scores = calibrated(logits, found)
    assert np.abs(scores - softmax(logits, axis=1)).mean() < 0.02


def test_scores_that_are_too_sure_are_mended_on_deployments_not_fitted_on():
    logits = some_logits(3_000)
    fitted = calibrate(held_out(logits, drawn(logits / 3)))
    found = fitted.calibration
    assert found.method != "none"
    assert found.error_before > 0.15
    assert found.error_after < 0.03
    assert found.fitted_on == "3,000 clips of 8 deployments"
    assert fitted.before[0].sum() == fitted.after[0].sum() == 3_000
    np.testing.assert_allclose(fitted.scores.sum(axis=1), 1, atol=1e-5)


def test_the_error_is_measured_without_the_deployment_that_is_measured():
    """Where each deployment needs its own temperature, a fit to all seems better."""
    logits = np.repeat([[3.0, 0.0]], 200, axis=0)
    targets = np.r_[np.zeros(100, np.int64), np.ones(100, np.int64)]
    table = HeldOut(("A", "unknown"), logits, targets, ("a",) * 100 + ("b",) * 100)
    fitted = calibrate(table, methods=["vector"])
    in_sample = calibrated(logits, fitted.calibration)[:, 0].mean()
    assert in_sample == pytest.approx(0.5, abs=0.1)
    assert fitted.calibration.error_after > 0.8


def test_the_kind_is_chosen_by_deployments_left_out():
    logits = some_logits(2_000)
    slopes = np.array([0.2, 1.5, 0.4, 1.0, 0.7])
    by_class = drawn(logits * slopes + np.array([2.0, -2.0, 1.0, 0.0, -1.0]))
    groups = np.arange(2_000) % 7
    losses = clip_losses(logits, by_class, groups)
    assert chosen(losses, groups) in {"vector", "platt"}
    assert losses["temperature"].mean() < losses["none"].mean()


def test_a_gain_that_one_deployment_makes_alone_is_chance():
    groups = np.repeat([0, 1, 2, 3], 25)
    plain = np.ones(100)
    lucky, steady = plain - 0.4 * (groups == 0), plain - 0.1
    assert chosen({"none": plain, "platt": lucky}, groups) == "none"
    assert chosen({"none": plain, "platt": steady}, groups) == "platt"


def test_one_deployment_is_fitted_but_its_error_is_not_claimed():
    logits = some_logits(500)
    fitted = calibrate(held_out(logits, drawn(logits / 2), n_deployments=1))
    assert fitted.calibration.error_after is None
    assert fitted.calibration.error_before is not None
