"""Steady noise and the faults of recorders, as recordings of what is no animal.

    python runs/steady_noise.py OUT [--n-clips 8] [--seed 0]

Writes OUT/KIND/KIND-00.flac ...: 5 s at 48 kHz, 16 bits. The model in the package is
trained with them as ``unknown``; see ``runs/shipped_table.py --noise``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from seacall.audio.sea import noise_hz, shaped_noise

FloatArray = npt.NDArray[np.float64]
RATE = 48_000
N_SAMPLES = 5 * RATE
PEAK_DB = (-40.0, -1.0)
"""Peaks are drawn from this, dB re full scale."""


def coloured(rng: np.random.Generator, slope_db: float) -> FloatArray:
    """Draw noise whose spectrum level changes by so many dB an octave."""
    hz = noise_hz(N_SAMPLES, sample_rate=RATE)
    octaves = np.log2(np.maximum(hz, 10.0) / 1_000.0)
    y = shaped_noise(rng, slope_db * octaves, N_SAMPLES, sample_rate=RATE)
    return y / y.std()


def white(rng: np.random.Generator) -> FloatArray:
    """All frequencies alike."""
    return coloured(rng, 0.0)


def pink(rng: np.random.Generator) -> FloatArray:
    """3 dB less an octave."""
    return coloured(rng, -3.01)


def brown(rng: np.random.Generator) -> FloatArray:
    """6 dB less an octave."""
    return coloured(rng, -6.02)


def tilted(rng: np.random.Generator) -> FloatArray:
    """Any slope, with humps and hollows of some dB an octave apart."""
    hz = noise_hz(N_SAMPLES, sample_rate=RATE)
    octaves = np.log2(np.maximum(hz, 10.0) / 1_000.0)
    places = np.arange(-7.0, 6.0)
    humps = np.interp(octaves, places, rng.normal(0.0, 5.0, len(places)))
    level_db = rng.uniform(-9.0, 3.0) * octaves + humps
    y = shaped_noise(rng, level_db, N_SAMPLES, sample_rate=RATE)
    return y / y.std()


def band_limited(rng: np.random.Generator) -> FloatArray:
    """Nothing above and below edges that are drawn: another recorder's noise."""
    hz = noise_hz(N_SAMPLES, sample_rate=RATE)
    high_hz = np.exp(rng.uniform(np.log(1_000.0), np.log(22_000.0)))
    low_hz = np.exp(rng.uniform(np.log(10.0), np.log(high_hz / 4)))
    inside = (hz > low_hz) & (hz < high_hz)
    level_db = np.where(inside, rng.uniform(-6.0, 1.0) * np.log2(hz + 10.0), -120.0)
    y = shaped_noise(rng, level_db, N_SAMPLES, sample_rate=RATE)
    return y / y.std()


def hum(rng: np.random.Generator) -> FloatArray:
    """The mains and its harmonics over noise."""
    t = np.arange(N_SAMPLES) / RATE
    base_hz = rng.choice([50.0, 60.0]) * (1 + rng.uniform(-0.002, 0.002))
    fall = rng.uniform(0.3, 0.95)
    y = sum(
        fall**k * np.sin(2 * np.pi * base_hz * (k + 1) * t + rng.uniform(0, 2 * np.pi))
        for k in range(int(rng.integers(1, 40)))
    )
    return y + _below(rng, -10.0, -60.0) * tilted(rng)


def tones(rng: np.random.Generator) -> FloatArray:
    """One to four steady tones over noise."""
    t = np.arange(N_SAMPLES) / RATE
    each_hz = np.exp(rng.uniform(np.log(60.0), np.log(20_000.0), rng.integers(1, 5)))
    y = sum(np.sin(2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi)) for hz in each_hz)
    return y + _below(rng, 10.0, -50.0) * tilted(rng)


def clipped(rng: np.random.Generator) -> FloatArray:
    """Noise beyond the recorder's range."""
    y = tilted(rng)
    limit = rng.uniform(0.2, 2.0)
    return np.clip(y, -limit, limit)


def dropouts(rng: np.random.Generator) -> FloatArray:
    """Noise with pieces missing."""
    y = tilted(rng)
    for _ in range(int(rng.integers(1, 12))):
        start = int(rng.integers(N_SAMPLES))
        y[start : start + int(RATE * rng.uniform(0.005, 0.4))] = 0.0
    return y


def _below(rng: np.random.Generator, high_db: float, low_db: float) -> float:
    return float(10 ** (rng.uniform(low_db, high_db) / 20))


KINDS: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    one.__name__: one
    for one in (
        *(white, pink, brown, tilted, band_limited),
        *(hum, tones, clipped, dropouts),
    )
}
"""Kinds of noise; each counts as a deployment."""


def write_noise(out: Path, *, n_clips: int, seed: int) -> int:
    """Write all kinds; return the number of files."""
    for place, (kind, draw) in enumerate(KINDS.items()):
        (out / kind).mkdir(parents=True, exist_ok=True)
        for k in range(n_clips):
            rng = np.random.default_rng([seed, place, k])
            y = draw(rng)
            y *= 10 ** (rng.uniform(*PEAK_DB) / 20) / np.abs(y).max()
            path = out / kind / f"{kind}-{k:02d}.flac"
            soundfile.write(path, y, RATE, subtype="PCM_16")
    return n_clips * len(KINDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--n-clips", type=int, default=8, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n_files = write_noise(options.out, n_clips=options.n_clips, seed=options.seed)
    print(f"{options.out}: {n_files} recordings")


if __name__ == "__main__":
    main()
