"""Pulsed calls are stacks of lines, the pulse rate apart, under an envelope."""

from __future__ import annotations

import numpy as np
import pytest

from seacall.audio.calls import Animal
from seacall.audio.pulsed import PulsedStyle, choose_pulsed, formant_levels
from seacall.audio.synth import Tone, render

RATE = 48_000
STYLE = PulsedStyle(
    share=1.0,
    rate_hz=(250.0, 1_500.0),
    formant_hz=(1_200.0, 5_000.0),
    duration_s=(0.85, 0.3),
)


@pytest.mark.parametrize("formant_hz", [1_500.0, 4_000.0])
def test_the_strongest_line_is_near_the_formant(formant_hz: float) -> None:
    rng = np.random.default_rng(0)
    levels_db = formant_levels(rng, 200.0, formant_hz)
    tone = Tone(1.0, (200.0, 200.0), harmonics_db=levels_db)
    power = np.abs(np.fft.rfft(render((tone,), sample_rate=RATE, duration_s=1.0))) ** 2
    lines = power[200 : 200 * 40 : 200]
    assert max(levels_db) == 0.0
    assert 200.0 * (1 + lines.argmax()) == pytest.approx(formant_hz, rel=0.35)
    # All energy lies on the lines: between them is nothing.
    assert lines.sum() > 0.85 * power.sum()
    assert power[300] < 1e-3 * power.max()


@pytest.mark.parametrize("seed", range(20))
def test_a_call_keeps_to_its_rates_and_stays_short(seed: int) -> None:
    tone = choose_pulsed(np.random.default_rng(seed), STYLE, animal=Animal())
    assert 240.0 <= min(tone.knots_hz) <= max(tone.knots_hz) <= 1_800.0
    assert 0.1 <= tone.duration_s <= 2.5
    assert len(tone.harmonics_db) >= 3


def test_calls_step_from_one_rate_to_another() -> None:
    ratios = []
    for seed in range(50):
        knots_hz = choose_pulsed(
            np.random.default_rng(seed), STYLE, animal=Animal()
        ).knots_hz
        ratios.append(max(knots_hz) / min(knots_hz))
    assert np.median(ratios) > 1.15
    assert min(ratios) >= 1.0
