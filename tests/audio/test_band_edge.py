from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt
from sounds import noise, tone, write_wav

from seacall.audio.band_edge import band_edge_hz, edge_bin, file_edge_bin
from seacall.errors import AudioError

RATE = 48_000


def low_passed(edge_hz: float, *, sample_rate: int = RATE) -> np.ndarray:
    y = noise(sample_rate=sample_rate, duration_s=2.0, sigma=0.1)
    filtered = sosfilt(butter(12, edge_hz, fs=sample_rate, output="sos"), y)
    return np.float32(np.round(filtered * 2**15) / 2**15)  # as a 16-bit file has it


@pytest.mark.parametrize("edge_hz", [3_000.0, 8_000.0, 15_000.0])
def test_the_edge_of_a_low_pass_is_found(edge_hz):
    # Noise of 0.1 stands 80 dB above rounding to 16 bits. A 12th-order low-pass falls
    # by the 60 dB that count within a factor of 1000 ** (1 / 12) = 1.8.
    found = band_edge_hz(low_passed(edge_hz), sample_rate=RATE)
    assert edge_hz < found < 1.9 * edge_hz


def test_a_lower_edge_gives_a_lower_bin():
    bins = [
        edge_bin(band_edge_hz(low_passed(hz), sample_rate=RATE))
        for hz in (1_000.0, 2_000.0, 4_000.0)
    ]
    assert bins[0] < bins[1] < bins[2]


def test_a_level_change_moves_nothing():
    y = low_passed(5_000.0)
    assert band_edge_hz(0.25 * y, sample_rate=RATE) == pytest.approx(
        band_edge_hz(y, sample_rate=RATE)
    )


@pytest.mark.parametrize(
    "y", [noise(sample_rate=RATE, duration_s=2.0), np.zeros(RATE, np.float32)]
)
def test_without_an_edge_it_is_the_nyquist_frequency(y):
    assert band_edge_hz(y, sample_rate=RATE) == RATE / 2


@pytest.mark.parametrize("n", [1, 2, 50])
def test_a_few_samples_are_enough(n):
    edge = band_edge_hz(np.ones(n, np.float32), sample_rate=RATE)
    assert 0 <= edge <= RATE / 2


def test_a_tone_over_a_floor_ends_the_band():
    y = tone(6_000.0, sample_rate=RATE, duration_s=1.0)
    y = y + noise(sample_rate=RATE, duration_s=1.0, sigma=1e-4)
    assert band_edge_hz(y, sample_rate=RATE) == pytest.approx(6_000, rel=0.05)


def test_a_file_is_measured_at_its_own_rate(tmp_path):
    y = low_passed(3_000.0)
    path = write_wav(tmp_path / "a.wav", y, RATE)
    expected = edge_bin(band_edge_hz(y[:RATE], sample_rate=RATE))
    assert file_edge_bin(path, duration_s=1.0) == expected


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        file_edge_bin(tmp_path / "none.wav", duration_s=1.0)
