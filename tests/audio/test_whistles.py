"""Whistles have the frequencies, durations and shapes that papers give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import stft

from seacall.audio.calls import Animal
from seacall.audio.synth import render
from seacall.audio.whistles import (
    SHAPES,
    WhistleStyle,
    choose_styled_whistle,
    log_normal,
)

STYLE = WhistleStyle(
    (9_900.0, 2_500.0),
    (15_900.0, 2_900.0),
    (0.49, 0.3),
    1.2,
    (0.12, 0.47, 0.11, 0.06, 0.1, 0.14),
)


def only(shape: str) -> WhistleStyle:
    shares = tuple(float(shape == name) for name in SHAPES)
    return WhistleStyle((8e3, 1e3), (16e3, 1e3), (0.6, 0.1), 2.0, shares, 0.0)  # type: ignore[arg-type]


def test_log_normal_numbers_have_the_mean_and_spread_asked_for() -> None:
    rng = np.random.default_rng(0)
    values = np.array([log_normal(rng, (0.5, 0.3)) for _ in range(20_000)])
    assert values.min() > 0
    assert values.mean() == pytest.approx(0.5, rel=0.02)
    assert values.std() == pytest.approx(0.3, rel=0.05)


def test_many_whistles_have_the_published_means() -> None:
    rng = np.random.default_rng(0)
    tones = [choose_styled_whistle(rng, STYLE, animal=Animal()) for _ in range(2_000)]
    lowest = np.array([min(tone.knots_hz) for tone in tones])
    # Flat whistles do not reach their limits.
    bent = [t.knots_hz for t in tones if max(t.knots_hz) > 1.15 * min(t.knots_hz)]
    assert np.mean([tone.duration_s for tone in tones]) == pytest.approx(0.49, rel=0.05)
    assert np.median(lowest) == pytest.approx(9_900.0, rel=0.1)
    assert np.mean([max(knots) for knots in bent]) == pytest.approx(15_900.0, rel=0.07)
    rising = np.mean([np.all(np.diff(tone.knots_hz) > 0) for tone in tones])
    assert rising == pytest.approx(0.47, abs=0.08)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_a_whistle_is_heard_in_the_shape_that_was_drawn(shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tone = choose_styled_whistle(rng, only(shape), animal=Animal())
    y = render((tone,), sample_rate=96_000, duration_s=tone.duration_s)
    hz, t, z = stft(y, 96_000, nperseg=1024, noverlap=768)
    track = hz[np.abs(z).argmax(axis=0)][(t > 0.05) & (t < tone.duration_s - 0.05)]
    rise, middle = track[-1] - track[0], track[len(track) // 2]
    span = np.ptp(track)
    expected = {
        "constant": span < 0.25 * middle,
        "upsweep": rise > 0.6 * span,
        "downsweep": rise < -0.6 * span,
        "concave": track.min() < min(track[0], track[-1]) and span > 1_000,
        "convex": track.max() > max(track[0], track[-1]) and span > 1_000,
        "sine": _turns(track) >= 2,
    }
    assert expected[shape]


def _turns(track: np.ndarray) -> int:  # type: ignore[type-arg]
    steps = np.sign(np.diff(track[np.r_[True, np.diff(track) != 0]]))
    return int(np.sum(steps[1:] != steps[:-1]))


def test_an_animals_pitch_and_tempo_move_its_whistles() -> None:
    plain = choose_styled_whistle(np.random.default_rng(1), STYLE, animal=Animal())
    large = choose_styled_whistle(
        np.random.default_rng(1), STYLE, animal=Animal(pitch=0.8, tempo=1.5)
    )
    np.testing.assert_allclose(large.knots_hz, 0.8 * np.array(plain.knots_hz))
    assert large.duration_s == pytest.approx(1.5 * plain.duration_s)
