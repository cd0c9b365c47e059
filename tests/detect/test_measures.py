"""What is measured of clips, against sounds whose level, band and SNR are known."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import chirp, noise, tone

from seacall.audio.frontend import condition_array
from seacall.audio.logmel import log_mel
from seacall.config import PROFILES, FrontEndSettings, Profile
from seacall.detect.measures import FLOOR_DB, band_edges, clip_measures
from seacall.detection import DetectSettings

EACH = pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
DURATION_S = 5.0


def measured(y: np.ndarray, profile: Profile) -> dict[str, float]:
    """Measure one conditioned clip."""
    clip = y.astype(np.float32)
    found = clip_measures(clip[None], log_mel(clip, profile)[None], profile)
    return {name: float(value[0]) for name, value in found.items()}


def sea(profile: Profile, *, sigma: float = 0.01, seed: int = 0) -> np.ndarray:
    return noise(
        sample_rate=profile.sample_rate, duration_s=DURATION_S, sigma=sigma, seed=seed
    )


def burst(profile: Profile, hz: float, *, amplitude: float) -> np.ndarray:
    """A tone from 2.1 s to 3.0 s of a clip."""
    rate = profile.sample_rate
    y = np.zeros(round(DURATION_S * rate))
    part = tone(hz, sample_rate=rate, duration_s=0.9, amplitude=amplitude)
    y[round(2.1 * rate) :][: len(part)] = part
    return y


# Level


@EACH
def test_a_sine_of_full_scale_has_3_01_db_less_than_full_scale(profile):
    y = tone(1_000, sample_rate=profile.sample_rate, duration_s=5.0, amplitude=1.0)
    assert measured(y, profile)["level_db"] == pytest.approx(-3.0103, abs=1e-3)


@EACH
@pytest.mark.parametrize("level_db", [-20, -60, -90])
def test_the_level_is_the_root_mean_square(profile, level_db):
    y = sea(profile, sigma=10 ** (level_db / 20))
    expected = 20 * np.log10(y.std())
    assert measured(y, profile)["level_db"] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("offset", [1e-4, 0.01, -0.05, 0.5])
def test_an_offset_is_no_sound(offset):
    profile = PROFILES["wide-48k"]
    y = sea(profile, sigma=1e-4)
    # float32 keeps samples around 0.5 to 6e-8: far below 1e-4.
    assert measured(y + offset, profile)["level_db"] == pytest.approx(-80, abs=0.05)


@EACH
@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_silence_and_a_constant_give_finite_numbers(profile, value):
    found = measured(np.full(round(5 * profile.sample_rate), value), profile)
    assert found["level_db"] == FLOOR_DB
    assert found["snr_db"] == pytest.approx(0, abs=1e-3)
    edges = band_edges(profile)
    assert (found["low_hz"], found["high_hz"]) == (edges[0], edges[-1])


@pytest.mark.parametrize("n", [1, 7, 65_536, 65_537, 240_000])
def test_clips_of_any_length_and_number_are_measured_one_by_one(n):
    profile = PROFILES["wide-48k"]
    patches = log_mel(sea(profile).astype(np.float32), profile)[None]
    y = np.stack([sea(profile, seed=k)[:n] * (k + 1) for k in range(3)])
    y = y.astype(np.float32)
    found = clip_measures(y, np.repeat(patches, 3, axis=0), profile)["level_db"]
    expected = np.maximum(
        20 * np.log10(np.maximum(y.std(axis=1, dtype=float), 1e-10)), FLOOR_DB
    )
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_no_clips_have_no_measures():
    profile = PROFILES["wide-48k"]
    found = clip_measures(
        np.empty((0, 240_000), np.float32),
        np.empty((0, 5, 96, 64), np.float32),
        profile,
    )
    assert all(value.shape == (0,) for value in found.values())


def test_a_tone_of_known_pressure_has_its_level_in_the_water():
    # 126 dB re 1 uPa: 2 Pa, of which -200 dB re 1 V/uPa makes 0.2 mV. 60 dB of gain
    # give 0.2 V, a root mean square of 0.08 of a full scale of 2.5 V.
    profile = PROFILES["wide-48k"]
    pressure_upa = 2e6
    volts = pressure_upa * 10 ** (-200 / 20) * 10 ** (60 / 20)
    y = tone(3_000, duration_s=5.0, amplitude=np.sqrt(2) * volts / 2.5)
    chain = DetectSettings(sensitivity_db=-200, gain_db=60, full_scale_v=2.5)
    level_db = measured(y, profile)["level_db"] + chain.level_offset_db
    assert level_db == pytest.approx(20 * np.log10(pressure_upa), abs=1e-3)


# Signal to noise


@EACH
@pytest.mark.parametrize("hz", [4_000.0, 6_200.0])
@pytest.mark.parametrize("snr_db", [10.0, 20.0, 35.0])
def test_the_snr_of_a_burst_is_that_of_its_mel_band(profile, hz, snr_db):
    kept = profile.model_copy(update={"background": "kept"})
    factor = 20 if profile.spectrum == "magnitude" else 10
    background = sea(profile)

    def mel_db(y: np.ndarray) -> np.ndarray:
        frames = np.exp(log_mel(y.astype(np.float32), kept).astype(float))
        return factor * np.log10(frames[2, 40:60].mean(axis=0))

    # The amplitude that gives the wanted ratio in the tone's own band.
    alone = mel_db(burst(profile, hz, amplitude=0.1))
    band = alone.argmax()
    ratio = alone[band] - mel_db(background)[band]
    amplitude = 0.1 * 10 ** ((snr_db - ratio) / 20)
    y = background + burst(profile, hz, amplitude=amplitude)
    # What stands out is tone and noise together.
    expected = 10 * np.log10(1 + 10 ** (snr_db / 10))
    assert measured(y, profile)["snr_db"] == pytest.approx(expected, abs=2.0)


@EACH
def test_steady_noise_hardly_stands_out_and_its_band_is_all_of_it(profile):
    for seed in range(5):
        found = measured(sea(profile, seed=seed), profile)
        assert 1 < found["snr_db"] < 6
        assert found["low_hz"] < profile.fmin + 60
        assert found["high_hz"] > 0.96 * profile.fmax


@EACH
def test_the_snr_does_not_depend_on_the_level(profile):
    y = sea(profile, sigma=0.1) + burst(profile, 5_000, amplitude=0.1)
    found = [measured(y * gain, profile)["snr_db"] for gain in (1.0, 0.1)]
    assert found[0] == pytest.approx(found[1], abs=0.3)


def test_a_constant_background_taken_out_changes_no_snr():
    removed = PROFILES["wide-48k"]
    kept = removed.model_copy(update={"background": "kept"})
    y = sea(removed) + burst(removed, 5_000, amplitude=0.02)
    one, two = measured(y, removed), measured(y, kept)
    assert one == pytest.approx(two, abs=1e-3)


# Band


@EACH
@pytest.mark.parametrize("hz", [500.0, 3_300.0, 5_000.0, 7_000.0])
def test_the_band_holds_the_tone_and_little_else(profile, hz):
    y = sea(profile) + burst(profile, hz, amplitude=0.05)
    found = measured(y, profile)
    width = np.diff(band_edges(profile))[np.searchsorted(band_edges(profile), hz) - 1]
    slack = 100  # the window's main lobe is 160 Hz wide
    assert found["low_hz"] - 1 <= hz <= found["high_hz"] + 1
    assert found["high_hz"] - found["low_hz"] < 3 * width + slack


@EACH
def test_the_band_of_a_sweep_is_its_range(profile):
    rate = profile.sample_rate
    y = sea(profile)
    up = chirp(3_500, 6_500, sample_rate=rate, duration_s=2.0, amplitude=0.1)
    y[rate : rate + len(up)] += up
    found = measured(y, profile)
    assert found["low_hz"] == pytest.approx(3_500, abs=400)
    assert found["high_hz"] == pytest.approx(6_500, abs=500)


@EACH
def test_two_tones_are_spanned_and_a_fainter_one_is_not(profile):
    y = sea(profile, sigma=0.001) + burst(profile, 4_000, amplitude=0.1)
    both = measured(y + burst(profile, 7_000, amplitude=0.1), profile)
    assert both["low_hz"] < 4_000 < 7_000 < both["high_hz"]
    one = measured(y + burst(profile, 7_000, amplitude=0.01), profile)
    assert one["high_hz"] < 4_600


@pytest.mark.parametrize("rate", [2_000, 16_000, 44_100])
def test_nothing_above_half_the_recordings_rate_stands_out(rate):
    # 1.3 s, repeated to fill a clip: each seam is a click in bands that hold nothing.
    front_end = FrontEndSettings(profile=PROFILES["wide-48k"])
    y = noise(sample_rate=rate, duration_s=1.3, sigma=0.05)
    y += tone(440, sample_rate=rate, duration_s=1.3, amplitude=0.05)
    y += np.linspace(-0.5, 0.5, len(y))
    clip = condition_array(y.astype(np.float32), sample_rate=rate, settings=front_end)
    patches = log_mel(clip, front_end.profile)[None]
    found = clip_measures(clip[None], patches, front_end.profile, sample_rate=rate)
    everywhere = clip_measures(clip[None], patches, front_end.profile)
    assert found["high_hz"][0] < 1.05 * rate / 2 < everywhere["high_hz"][0]
    assert found["snr_db"][0] < everywhere["snr_db"][0] - 6
    assert found["level_db"] == everywhere["level_db"]


@EACH
def test_at_least_one_band_is_left_at_the_lowest_rates(profile):
    y = sea(profile).astype(np.float32)[None]
    found = clip_measures(y, log_mel(y[0], profile)[None], profile, sample_rate=1)
    assert found["low_hz"] < found["high_hz"]


@EACH
def test_bands_lie_side_by_side_and_cover_the_profile(profile):
    edges = band_edges(profile)
    assert edges.shape == (profile.n_mels + 1,)
    assert (np.diff(edges) > 0).all()
    assert profile.fmin < edges[0]
    assert edges[-1] < profile.fmax
