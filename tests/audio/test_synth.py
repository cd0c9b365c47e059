"""Simulated sounds obey the physics that they are described with."""

from __future__ import annotations

import numpy as np
import pytest
import sounds
from scipy.signal import find_peaks, stft, welch

from seacall.audio.calls import Animal, choose_animal, choose_up_call
from seacall.audio.repertoire import KINDS, Kind
from seacall.audio.sea import (
    Sea,
    Ship,
    noise_hz,
    rain_spectrum_db,
    sea_noise,
    shaped_noise,
    ship_noise,
    wenz_db,
)
from seacall.audio.synth import (
    Clicks,
    Tone,
    band_hz,
    click_train,
    contour_hz,
    render,
    span_s,
    sweep,
)
from seacall.audio.transmission import (
    SPEED_OF_SOUND_M_S,
    Recorder,
    call_gain,
    image_paths,
    propagate,
    record,
    recorder_response,
    self_noise,
    snr_db,
    thorp_db_per_km,
)

RATE = 48_000


def centroid_hz(y: sounds.FloatArray, sample_rate: int = RATE) -> float:
    power = np.abs(np.fft.rfft(y)) ** 2
    hz = np.fft.rfftfreq(len(y), 1.0 / sample_rate)
    return float((hz * power).sum() / power.sum())


@pytest.mark.parametrize(
    "tone",
    [
        sweep(4_000.0, 12_000.0, duration_s=0.8, start_s=0.1),
        sweep(12_000.0, 4_000.0, duration_s=0.8, start_s=0.1),
        Tone(0.8, (9e3, 9e3), 0.1, vibrato_hz=4.0, vibrato_depth=0.15),
        Tone(0.8, (5e3, 9e3, 6e3, 12e3), 0.1),
    ],
)
def test_a_whistles_energy_lies_on_its_contour(tone: Tone) -> None:
    y = render((tone,), sample_rate=RATE, duration_s=1.0)
    hz, t, z = stft(y, RATE, nperseg=1024, noverlap=768)
    inside = (t > tone.start_s + 0.1) & (t < tone.end_s - 0.1)
    peak_hz = hz[np.abs(z[:, inside]).argmax(axis=0)]
    assert np.abs(peak_hz - contour_hz(tone, t[inside] - tone.start_s)).max() < 150.0


def test_a_whistle_is_silent_before_its_start_and_after_its_end() -> None:
    y = render(
        (sweep(5e3, 9e3, duration_s=0.5, start_s=0.2),),
        sample_rate=RATE,
        duration_s=1.0,
    )
    heard = np.flatnonzero(np.abs(y) > 1e-6) / RATE
    assert heard.min() == pytest.approx(0.2, abs=2e-3)
    assert heard.max() == pytest.approx(0.7, abs=2e-3)


def test_harmonics_have_the_levels_that_were_asked_for() -> None:
    tone = Tone(1.0, (1_000.0, 1_000.0), harmonics_db=(0.0, -6.0, -20.0))
    y = render((tone,), sample_rate=RATE, duration_s=1.0)
    level = np.abs(np.fft.rfft(y))
    db = 20 * np.log10(level[[1_000, 2_000, 3_000]] / level[1_000])
    np.testing.assert_allclose(db, [0.0, -6.0, -20.0], atol=0.1)


def test_a_harmonic_above_half_the_sample_rate_does_not_fold_back() -> None:
    tone = Tone(1.0, (10_000.0, 10_000.0), harmonics_db=(0.0, 0.0, 0.0))
    y = render((tone,), sample_rate=RATE, duration_s=1.0)
    level = np.abs(np.fft.rfft(y))
    assert level[18_000] < 1e-4 * level[10_000]  # where 30 kHz would fold to


@pytest.mark.parametrize("interval_s", [0.05, 0.0123457])
def test_clicks_lie_the_interval_apart(interval_s: float) -> None:
    train = click_train(
        interval_s, n_clicks=20, centre_hz=8e3, bandwidth_hz=6e3, start_s=0.1
    )
    y = render((train,), sample_rate=96_000, duration_s=1.3)
    peaks, _ = find_peaks(y, height=0.6, distance=300)
    assert len(peaks) == 20
    np.testing.assert_allclose(peaks / 96_000, train.times_s, atol=0.6 / 96_000)


def test_a_click_has_its_centre_bandwidth_and_a_peak_of_one() -> None:
    click = Clicks((0.5,), 8_000.0, 4_000.0)
    y = render((click,), sample_rate=RATE, duration_s=1.0)
    db = 20 * np.log10(np.abs(np.fft.rfft(y)) + 1e-12)
    assert db.argmax() == pytest.approx(8_000, abs=20)
    assert db.max() - db[6_000] == pytest.approx(3.01, abs=0.1)
    assert y.max() == pytest.approx(1.0, abs=0.02)


def test_a_click_at_the_edge_is_cut_off() -> None:
    y = render((Clicks((0.0, 1.0), 8e3, 4e3),), sample_rate=RATE, duration_s=1.0)
    assert len(y) == RATE
    assert np.abs(y[[0, -1]]).max() > 0.3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_every_species_is_heard_in_its_declared_band(kind: Kind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    call = kind.choose(rng, choose_animal(rng), 3.0)
    centre_hz = centroid_hz(render(call, sample_rate=96_000, duration_s=3.0), 96_000)
    assert kind.band_hz[0] < centre_hz < kind.band_hz[1]


@pytest.mark.parametrize("duration_s", [0.5, 8.0])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_most_energy_lies_in_the_calls_own_band_and_span(
    kind: Kind, duration_s: float
) -> None:
    rng = np.random.default_rng(7)
    call = kind.choose(rng, choose_animal(rng), duration_s)
    y = render(call, sample_rate=96_000, duration_s=duration_s)
    low_hz, high_hz = band_hz(call)
    start_s, end_s = span_s(call)
    assert 0.0 <= start_s < duration_s
    part = y[round(start_s * 96_000) : round(end_s * 96_000)]
    power = np.abs(np.fft.rfft(part)) ** 2
    hz = np.fft.rfftfreq(len(part), 1.0 / 96_000)
    inside = power[(hz >= low_hz) & (hz <= high_hz)].sum()
    assert inside > 0.9 * power.sum()
    # A click's rise before its peak, the span's start, is all that may lie outside.
    assert (part**2).sum() > 0.5 * (y**2).sum()


def test_an_animal_keeps_its_signature_and_differs_from_others() -> None:
    def contours(animal: Animal, seed: int) -> list[tuple[float, ...]]:
        calls = [
            KINDS[0].choose(np.random.default_rng([seed, n]), animal, 2.0)
            for n in range(30)
        ]
        return [u.knots_hz for call in calls for u in call if isinstance(u, Tone)]

    def shared(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> float:
        """Part of the contours of a that b has too, within what varies."""
        return float(
            np.mean([any(_alike(one, other) for other in b) for one in a]),
        )

    first = contours(Animal(signature=1), 0)
    assert shared(first, contours(Animal(signature=1), 1)) > 0.3
    assert shared(first, contours(Animal(signature=2), 1)) < 0.2


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) > 2 and np.allclose(one, other, rtol=0.08)


def test_an_up_call_rises() -> None:
    knots_hz = choose_up_call(np.random.default_rng(0), pitch=1.0, tempo=1.0).knots_hz
    assert 50.0 < knots_hz[0] < knots_hz[1] < knots_hz[2] < 250.0


def test_sea_noise_follows_the_curves_it_is_drawn_from() -> None:
    rng = np.random.default_rng(0)
    y = sea_noise(rng, Sea(8.0, 0.5), sample_rate=RATE, duration_s=20.0)
    hz, power = welch(y, RATE, nperseg=4096)
    inside = (hz > 100.0) & (hz < 20_000.0)
    target = wenz_db(hz[inside], wind_m_s=8.0, shipping=0.5)
    assert np.abs(10 * np.log10(power[inside]) - target).mean() < 0.5


def test_wind_noise_falls_by_20_db_per_decade() -> None:
    one, ten = wenz_db([2_000.0, 20_000.0], wind_m_s=10.0, shipping=0.0)
    assert one - ten == pytest.approx(20.0, abs=3.5)


def test_wind_is_heard_at_1_khz_and_ships_at_50_hz() -> None:
    def change_db(hz: float, a: tuple[float, float], b: tuple[float, float]) -> float:
        levels = [float(wenz_db(hz, wind_m_s=w, shipping=s)) for w, s in (a, b)]
        return levels[1] - levels[0]

    assert change_db(1_000.0, (2.0, 0.5), (12.0, 0.5)) > 8.0
    assert change_db(50.0, (2.0, 0.5), (12.0, 0.5)) < 1.0
    assert change_db(50.0, (5.0, 0.0), (5.0, 1.0)) > 15.0


def test_rain_peaks_at_15_khz() -> None:
    hz = np.arange(100.0, 40_000.0, 100.0)
    level_db = rain_spectrum_db(hz, peak_db=70.0)
    assert hz[level_db.argmax()] == pytest.approx(15_000.0)
    assert level_db.max() == pytest.approx(70.0, abs=0.01)


def test_white_noise_has_the_power_of_its_density_times_its_band() -> None:
    n = 200_001
    flat = np.full(len(noise_hz(n, sample_rate=RATE)), -50.0)
    y = shaped_noise(np.random.default_rng(0), flat, n, sample_rate=RATE)
    assert len(y) == n
    assert np.var(y) == pytest.approx(1e-5 * RATE / 2, rel=0.02)


def test_a_ship_beats_and_has_engine_tones() -> None:
    ship = Ship(level_db=90.0, blade_hz=6.0, firing_hz=25.0, beat_depth=0.8)
    rng = np.random.default_rng(0)
    y = ship_noise(rng, ship, sample_rate=RATE, duration_s=10.0)
    hz, power = welch(y, RATE, nperseg=2 * RATE)
    assert power[np.searchsorted(hz, 25.0)] > 10 * power[np.searchsorted(hz, 32.0)]
    high = np.diff(y, 2)  # cavitation alone, without the tones
    beat = np.abs(np.fft.rfft(high**2))[: 20 * 10]
    assert beat[1:].argmax() + 1 == 60  # 6 Hz at 0.1 Hz per bin


def test_echoes_arrive_when_geometry_says() -> None:
    paths = image_paths(
        range_m=400.0, source_depth_m=30.0, receiver_depth_m=50.0, water_depth_m=100.0
    )
    surface_s = (np.hypot(400.0, 80.0) - np.hypot(400.0, 20.0)) / SPEED_OF_SOUND_M_S
    assert paths[0] == (0.0, 1.0)
    assert paths[1][0] == pytest.approx(surface_s)
    assert paths[1][1] < 0.0  # the surface turns the sign
    y = propagate(sounds.impulse(0.1), sample_rate=RATE, paths=paths)
    echo = 0.1 + surface_s + np.array([-1, 0, 1]) / RATE
    assert y[np.round(echo * RATE).astype(int)].min() == pytest.approx(
        paths[1][1], 0.05
    )


def test_water_absorbs_high_frequencies_first() -> None:
    low, high = thorp_db_per_km([1_000.0, 10_000.0])
    assert low == pytest.approx(0.069, abs=0.01)
    assert high == pytest.approx(1.19, abs=0.05)
    y = propagate(
        sounds.tone(10_000.0), sample_rate=RATE, paths=((0.0, 1.0),), range_m=5_000.0
    )
    lost_db = 20 * np.log10(0.5 / np.abs(y[RATE // 4 : RATE // 2]).max())
    assert lost_db == pytest.approx(5 * high, abs=0.2)


def test_a_recorder_is_3_db_down_at_its_corners_and_shows_its_resonance() -> None:
    recorder = Recorder(20.0, 15_000.0, resonances=((2_000.0, 5.0, 6.0),))
    hz = np.array([20.0, 400.0, 2_000.0, 15_000.0])
    db = 20 * np.log10(np.abs(recorder_response(hz, recorder)))
    np.testing.assert_allclose(db, [-3.0, 0.0, 6.0, -3.0], atol=0.2)


def test_a_recorder_turns_its_full_scale_pressure_into_one() -> None:
    recorder = Recorder(10.0, 20_000.0, full_scale_db=150.0)
    pressure = sounds.tone(1_000.0, amplitude=10 ** (150 / 20))
    y = record(np.stack([pressure, 0.5 * pressure]), recorder, sample_rate=RATE)
    assert np.abs(y[:, RATE // 2 :]).max(axis=1) == pytest.approx([1.0, 0.5], rel=0.02)
    own = self_noise(np.random.default_rng(0), recorder, RATE, sample_rate=RATE)
    assert 20 * np.log10(own.std()) == pytest.approx(30 - 150 + 43.8, abs=0.2)


@pytest.mark.parametrize("target_db", [-10.0, 0.0, 12.0])
def test_the_ratio_of_call_and_noise_is_the_target(target_db: float) -> None:
    call = sounds.tone(5_000.0, duration_s=1.0)
    noise = sounds.noise(sigma=0.2)
    where = {"sample_rate": RATE, "span_s": (0.2, 0.8), "band_hz": (4e3, 6e3)}
    gain = call_gain(call, noise, target_db=target_db, **where)  # type: ignore[arg-type]
    # By hand: a sine's power, and the part of white noise's in 2 of 24 kHz.
    power = (gain * 0.5) ** 2 / 2
    by_hand_db = 10 * np.log10(power / (0.2**2 * 2e3 / 24e3))
    assert by_hand_db == pytest.approx(target_db, abs=0.5)
    measured_db = snr_db(gain * call, noise, **where)  # type: ignore[arg-type]
    assert measured_db == pytest.approx(target_db, abs=1e-6)


def test_a_silent_call_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="silent"):
        snr_db(
            sounds.silence(),
            sounds.noise(),
            sample_rate=RATE,
            span_s=(0.0, 1.0),
            band_hz=(1e3, 2e3),
        )
