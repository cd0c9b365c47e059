"""What a recording chain adds has the level, pitch and decay that it should."""

from __future__ import annotations

import numpy as np
import pytest
import sounds
from scipy.signal import hilbert, welch

from seacall.audio.chain import Chain, play_back, reverberate, with_chain_noise

RATE = 48_000


def added(chain: Chain, *, seed: int = 0) -> sounds.FloatArray:
    noise = sounds.noise(duration_s=4.0, sigma=0.1)
    rng = np.random.default_rng(seed)
    return with_chain_noise(rng, noise, chain, sample_rate=RATE) - noise


def test_a_plain_chain_changes_nothing() -> None:
    y = sounds.noise()
    rng = np.random.default_rng(0)
    plain = Chain()
    assert np.array_equal(with_chain_noise(rng, y, plain, sample_rate=RATE), y)
    assert np.array_equal(reverberate(y, plain, sample_rate=RATE), y)
    assert np.array_equal(play_back(y, plain, sample_rate=RATE), y)


@pytest.mark.parametrize(
    "chain",
    [Chain(hiss_db=-6.0), Chain(flow_db=-6.0), Chain(hum_db=-6.0)],
    ids=["hiss", "flow", "hum"],
)
def test_what_is_added_has_its_level_against_the_noise(chain: Chain) -> None:
    level_db = 20 * np.log10(added(chain).std() / 0.1)
    assert level_db == pytest.approx(-6.0, abs=0.1)


def test_hiss_rises_and_flow_noise_falls() -> None:
    def levels_db(chain: Chain, *at_hz: float) -> sounds.FloatArray:
        hz, power = welch(added(chain), RATE, nperseg=4096)
        return np.array([10 * np.log10(power[np.searchsorted(hz, f)]) for f in at_hz])

    hiss = levels_db(Chain(hiss_db=0.0), 500.0, 1_000.0, 16_000.0)
    assert hiss[1] == pytest.approx(hiss[0], abs=2.0)
    assert hiss[2] - hiss[0] == pytest.approx(9.0, abs=2.0)
    flow = levels_db(Chain(flow_db=0.0, flow_slope_db=-6.0), 100.0, 1_600.0)
    assert flow[1] - flow[0] == pytest.approx(-24.0, abs=2.5)


@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
def test_hum_lies_on_multiples_of_the_mains(hum_hz: float) -> None:
    level = np.abs(np.fft.rfft(added(Chain(hum_db=0.0, hum_hz=hum_hz))))
    strongest = np.sort(level.argsort()[-3:]) / 4.0  # 4 s: bins of 0.25 Hz
    np.testing.assert_allclose(strongest % hum_hz, 0.0, atol=0.3)


@pytest.mark.parametrize("reverberation_s", [0.3, 0.6])
def test_a_pools_echoes_fall_by_60_db_in_the_reverberation_time(
    reverberation_s: float,
) -> None:
    chain = Chain(reverberation_s=reverberation_s, echoes_db=0.0, seed=3)
    y = reverberate(sounds.impulse(0.1), chain, sample_rate=RATE)
    first = round(0.1 * RATE)
    echoes = y[first + 1 :]
    assert np.sum(echoes**2) == pytest.approx(1.0, rel=1e-6)
    left_db = 10 * np.log10(np.cumsum(echoes[::-1] ** 2)[::-1])  # Schroeder 1965
    n = round(0.5 * reverberation_s * RATE)
    assert left_db[0] - left_db[n] == pytest.approx(30.0, abs=1.5)


def test_the_same_pool_echoes_the_same() -> None:
    one, other = Chain(reverberation_s=0.2, seed=1), Chain(reverberation_s=0.2, seed=2)
    y = sounds.impulse(0.1)
    first = reverberate(y, one, sample_rate=RATE)
    assert np.array_equal(first, reverberate(y, one, sample_rate=RATE))
    assert not np.allclose(first, reverberate(y, other, sample_rate=RATE))


def test_flutter_swings_the_pitch_by_its_depth() -> None:
    y = sounds.tone(2_000.0, duration_s=2.0)
    chain = Chain(flutter=0.01, flutter_hz=2.0)
    heard = play_back(y, chain, sample_rate=RATE)
    phase = np.unwrap(np.angle(hilbert(heard)))
    hz = np.gradient(phase) * RATE / (2 * np.pi)
    hz = np.convolve(hz, np.ones(480) / 480, mode="same")[RATE // 4 : -RATE // 4]
    assert hz.max() == pytest.approx(2_020.0, abs=2.0)
    assert hz.min() == pytest.approx(1_980.0, abs=2.0)


def test_an_overloaded_tape_is_flatter_and_gets_odd_harmonics() -> None:
    y = sounds.tone(1_000.0, duration_s=1.0, amplitude=0.5)
    heard = play_back(y, Chain(drive=2.0), sample_rate=RATE)
    assert np.abs(heard).max() < np.abs(y).max()
    level = np.abs(np.fft.rfft(heard))
    assert level[3_000] > 0.05 * level[1_000]
    assert level[2_000] < 1e-3 * level[1_000]


def test_silence_stays_silence() -> None:
    silent = sounds.silence()
    loud = Chain(
        hiss_db=0.0, hum_db=0.0, flow_db=0.0, reverberation_s=0.3, flutter=0.01, drive=2
    )
    rng = np.random.default_rng(0)
    y = with_chain_noise(rng, silent, loud, sample_rate=RATE)
    y = play_back(reverberate(y, loud, sample_rate=RATE), loud, sample_rate=RATE)
    assert not y.any()
