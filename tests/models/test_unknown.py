"""What is unknown: physics of the gate, and scores against independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from scipy.special import softmax
from scipy.stats import entropy
from sounds import chirp, noise, tone

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.config import PROFILES, ClipSettings, FrontEndSettings
from seacall.models.unknown import (
    KNOWNNESS,
    NO_EVENT,
    SILENT,
    STRANGE,
    event_strength_db,
    is_silent,
    knownness,
    refusals,
    refuse,
)

RATE = 48_000
WIDE = FrontEndSettings(
    profile=PROFILES["wide-48k"], clip=ClipSettings(duration_s=2.0, fit="pad")
)
ALL = [
    FrontEndSettings(profile=p, clip=ClipSettings(duration_s=2.0, fit="pad"))
    for p in PROFILES.values()
]


def patches(y: np.ndarray, front_end: FrontEndSettings = WIDE) -> np.ndarray:
    y = y.astype(np.float32)
    clip = condition_array(y, sample_rate=RATE, settings=front_end)
    return clip_inputs(clip, front_end).log_mel[None]


def strength(y: np.ndarray, front_end: FrontEndSettings = WIDE) -> float:
    return float(event_strength_db(patches(y, front_end), front_end.profile)[0])


@pytest.mark.parametrize("front_end", ALL, ids=lambda f: f.profile.name)
@pytest.mark.parametrize("level", [0.0, 0.5, -1.0])
def test_silence_and_a_constant_are_silent(front_end, level):
    y = np.full(2 * RATE, level)
    assert is_silent(patches(y, front_end), front_end.profile).tolist() == [True]


@pytest.mark.parametrize("front_end", ALL, ids=lambda f: f.profile.name)
def test_a_single_cell_that_moves_is_seen_wherever_it_is(front_end):
    factor = (20 if front_end.profile.spectrum == "magnitude" else 10) / np.log(10)
    for frame in range(2 * 96):
        cells = np.zeros((2, 1, 2, 96, 64), np.float32)
        cells[:, 0].reshape(2, 2 * 96, 64)[:, frame, 7] = [0.04 / factor, 0.06 / factor]
        faint, moving = (is_silent(one, front_end.profile)[0] for one in cells)
        at_the_edge = frame < 3 or frame >= 2 * 96 - 3
        assert faint
        assert moving == at_the_edge


@pytest.mark.parametrize("front_end", ALL, ids=lambda f: f.profile.name)
def test_a_faint_sound_is_not_silent(front_end):
    y = noise(duration_s=2.0, sigma=1e-4)
    assert not is_silent(patches(y, front_end), front_end.profile)[0]
    click = np.zeros(2 * RATE)
    click[RATE] = 0.5
    assert not is_silent(patches(click, front_end), front_end.profile)[0]


def test_a_short_call_in_padded_silence_is_not_silent():
    call = chirp(4_000, 8_000, duration_s=0.2)
    assert not is_silent(patches(call), WIDE.profile)[0]


@pytest.mark.parametrize("sigma", [1e-3, 0.01, 0.1])
def test_steady_noise_has_no_event_at_any_level(sigma):
    assert strength(noise(duration_s=2.0, sigma=sigma)) < 4.0


def test_hum_has_no_event():
    y = tone(50, duration_s=2.0) + tone(100, duration_s=2.0, amplitude=0.2)
    assert strength(y + noise(duration_s=2.0, sigma=1e-3)) < 4.0


@pytest.mark.parametrize("snr_amplitude", [0.05, 0.2])
def test_a_whistle_stands_out_and_more_so_when_louder(snr_amplitude):
    background = noise(duration_s=2.0, sigma=0.01)
    whistle = np.zeros(2 * RATE)
    whistle[RATE // 2 : RATE] = chirp(
        6_000, 7_000, duration_s=0.5, amplitude=snr_amplitude
    )
    quiet, loud = strength(background), strength(background + whistle)
    assert loud > quiet + 6.0
    assert strength(background + 2 * whistle) > loud


def test_strength_does_not_depend_on_the_gain_of_the_recorder():
    y = noise(duration_s=2.0, sigma=0.05)
    y[RATE : RATE + 9_600] += tone(9_000, duration_s=0.2)
    assert strength(y) == pytest.approx(strength(0.25 * y), abs=0.3)


def test_strength_is_in_db_for_both_kinds_of_spectrum():
    """One band of all that is 20 dB up for a tenth of the time."""
    for name in PROFILES:
        profile = PROFILES[name]
        step = 2.302585 * (1 if profile.spectrum == "magnitude" else 2)
        log_mel = np.zeros((1, 5, 96, 64), np.float32)
        log_mel[0, 2, :48, 10] = step
        assert event_strength_db(log_mel, profile)[0] == pytest.approx(20.0, abs=1e-3)


LOGITS = np.random.default_rng(0).normal(0, 3, (40, 5))


def test_knownness_by_other_formulas():
    p = softmax(LOGITS, axis=1)
    expected = {
        "max_logit": LOGITS[:, :4].max(axis=1),
        "energy": np.log(np.exp(LOGITS[:, :4]).sum(axis=1)),
        "max_score": p[:, :4].max(axis=1),
        "entropy": -entropy(p, axis=1),
        "not_unknown": np.log((1 - p[:, 4]) / p[:, 4]),
    }
    assert set(expected) == set(KNOWNNESS)
    for name, values in expected.items():
        np.testing.assert_allclose(knownness(LOGITS, name), values, atol=1e-9)


def test_a_method_that_does_not_exist_lists_those_that_do():
    with pytest.raises(ValueError, match="max_logit, energy"):
        knownness(LOGITS, "magic")


def test_refusals_name_the_first_reason_that_holds():
    loud = np.random.default_rng(0).normal(0, 1, (96, 64))
    log_mel = np.stack([np.zeros((96, 64)), loud, loud, loud])[:, None]
    log_mel[2:, 0, 40:60, 7] += 8
    logits = np.array([[9.0, 0, 0, 0], [9, 0, 0, 0], [1, 0, 0, 0], [9, 0, 0, 0]])
    rule = {"method": "max_logit", "lowest": 5.0, "lowest_event_db": 20.0}
    found = refusals(logits, log_mel.astype(np.float32), tiny.card(unknown=rule))
    assert found == [SILENT, NO_EVENT, STRANGE, ""]
    plain = refusals(logits, log_mel.astype(np.float32), tiny.card())
    assert plain == [SILENT, "", "", ""]


def test_a_refused_clip_is_all_unknown_and_the_others_stay():
    scores = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    found = refuse(scores, [SILENT, ""])
    np.testing.assert_array_equal(found, np.array([[0, 1], [0.8, 0.2]], np.float32))
    assert scores[0, 0] == np.float32(0.9)
