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


@pytest.mark.parametrize("shift", [0, 1])
def test_always_right_and_always_wrong_logits_give_no_temperature(shift: int) -> None:
    logits = np.eye(4, dtype=np.float32) * 10
    assert calibration_temperature(logits, (np.arange(4) + shift) % 4) is None
