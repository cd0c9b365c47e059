"""From logits to scores as a network, beside the first implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pamguard_models import LABELS, PLATT, PROFILE, RULE, small_card

from seacall.deploy.pamguard_scores import KNOWNNESS, EventStrength, ScoresWithRefusals
from seacall.models import unknown
from seacall.models.backend import scores_from_logits
from seacall.models.checkpoint import Calibration, UnknownRule

N_PATCHES = 1


def clips(rng, n=60):
    """Clips in which more and more stands out, and one silence, beside their logits."""
    log_mel = 0.1 * rng.standard_normal((n, N_PATCHES, 96, 64)) - 5
    for k in range(n):
        log_mel[k, 0, 20:50, 10 + k % 40] += 0.05 * k
    log_mel[0] = -9.2
    logits = 3 * rng.standard_normal((n, len(LABELS)))
    return logits.astype(np.float32), log_mel.astype(np.float32)


def both(card, logits, log_mel):
    with torch.inference_mode():
        network = ScoresWithRefusals(card).eval()
        found = network(torch.from_numpy(logits), torch.from_numpy(log_mel)).numpy()
    reasons = unknown.refusals(logits, log_mel, card)
    return found, unknown.refuse(scores_from_logits(logits, card), reasons), reasons


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration(method="temperature", temperature=1.7),
        Calibration(method="vector", temperature=0.8, offsets=(0.1, -0.3, 0.2, 0)),
        PLATT,
    ],
    ids=lambda calibration: calibration.method,
)
def test_scores_are_calibrated_as_the_card_says(rng, calibration):
    card = small_card(calibration=calibration, unknown=UnknownRule())
    found, expected, reasons = both(card, *clips(rng))
    assert reasons.count("") == 59  # of 60, one is silence
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("method", KNOWNNESS)
def test_a_rule_refuses_the_same_clips(rng, method):
    logits, log_mel = clips(rng)
    lowest = float(np.median(unknown.knownness(logits, method)))
    card = small_card(unknown=UnknownRule(method=method, lowest=lowest))
    found, expected, reasons = both(card, logits, log_mel)
    assert 20 < reasons.count("") < 40
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_combined_measures_and_the_gate_refuse_the_same_clips(rng):
    found, expected, reasons = both(small_card(unknown=RULE), *clips(rng))
    assert {"", unknown.SILENT, unknown.NO_EVENT, unknown.STRANGE} == set(reasons)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("n_frames", [96, 97])
def test_an_event_is_as_strong_as_in_the_first_implementation(rng, n_frames):
    log_mel = rng.normal(-5, 2, (5, 1, n_frames, 64)).astype(np.float32)
    expected = unknown.event_strength_db(log_mel, PROFILE)
    db = torch.from_numpy(log_mel[:, 0]) * (20 / np.log(10))
    found = EventStrength(n_frames)(db.float()).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
