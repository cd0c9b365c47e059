"""The calibration temperature against data whose temperature is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from seacall.learn.calibrate import calibration_temperature


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 5))
    scores = softmax(logits / temperature, axis=1)
    draws = rng.random((len(logits), 1))
    targets = (scores.cumsum(axis=1) < draws).sum(axis=1).clip(0, 4)
    found = calibration_temperature(logits.astype(np.float32), targets)
    assert found == pytest.approx(temperature, rel=0.05)


def test_logits_that_are_always_right_or_always_wrong_give_a_finite_temperature() -> (
    None
):
    logits = np.eye(4, dtype=np.float32) * 10
    for targets in (np.arange(4), np.arange(4)[::-1].copy()):
        assert 0.04 < calibration_temperature(logits, targets) < 21
