"""Clips of sounds that no animal of the labels made: simulated, or from folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seacall.audio.clips import recording_clips
from seacall.audio.frontend import (
    ClipInputs,
    clip_inputs,
    condition_array,
)
from seacall.audio.io import AUDIO_SUFFIXES, find_recordings
from seacall.audio.sea import Sea, Ship, sea_noise, ship_noise
from seacall.config import FrontEndSettings
from seacall.errors import AudioError

FloatArray = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float], FloatArray]
"""From a generator, a sample rate in Hz and a length in s to a waveform."""

SIMULATION_RATE = 48_000
N_SIMULATED = 20
"""Clips of each simulated kind."""
MOST_CLIPS = 12
"""Clips taken from one recording: a minute at 5 s each."""


def _silence(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    """Nothing at all, or a constant: a dead hydrophone."""
    level = float(rng.choice([0.0, rng.uniform(-0.5, 0.5)]))
    return np.full(round(rate * duration_s), level)


def _hum(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    """Mains hum at 50 or 60 Hz with falling harmonics, over the recorder's noise."""
    t = np.arange(round(rate * duration_s)) / rate
    base = float(rng.choice([50.0, 60.0]))
    phases = rng.uniform(0, 2 * np.pi, 8)
    tones = [
        0.6**k * np.sin(2 * np.pi * base * (k + 1) * t + phase)
        for k, phase in enumerate(phases)
    ]
    return np.asarray(np.sum(tones, axis=0) + 0.003 * rng.standard_normal(len(t)))


def _tone(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    """One steady tone, such as a pump's or an inverter's."""
    t = np.arange(round(rate * duration_s)) / rate
    hz = float(np.exp(rng.uniform(np.log(200), np.log(15_000))))
    return np.sin(2 * np.pi * hz * t) + 0.01 * rng.standard_normal(len(t))


def _wind(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    sea = Sea(wind_m_s=float(rng.uniform(2, 20)), shipping=float(rng.uniform(0, 1)))
    return sea_noise(rng, sea, sample_rate=rate, duration_s=duration_s)


def _rain(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    sea = Sea(rain_db=float(rng.uniform(60, 85)))
    return sea_noise(rng, sea, sample_rate=rate, duration_s=duration_s)


def _ship(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    ship = Ship(
        level_db=float(rng.uniform(100, 140)),
        blade_hz=float(rng.uniform(3, 15)),
        firing_hz=float(rng.uniform(4, 25)),
        beat_depth=float(rng.uniform(0.2, 0.8)),
    )
    noise = ship_noise(rng, ship, sample_rate=rate, duration_s=duration_s)
    return noise + _wind(rng, rate, duration_s)


def _sonar(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    """Pings at regular times: tones or sweeps between 2 and 15 kHz."""
    y = np.zeros(round(rate * duration_s))
    length = round(rate * float(rng.uniform(0.02, 0.6)))
    t = np.arange(length) / rate
    low, high = np.sort(rng.uniform(2_000, 15_000, 2))
    slope = (high - low) / t[-1] * float(rng.choice([0.0, 1.0]))
    ping = np.sin(2 * np.pi * (low * t + slope * t**2 / 2)) * np.hanning(length)
    period = round(rate * float(rng.uniform(0.7, 2.5)))
    for start in range(int(rng.integers(0, period)), len(y), period):
        part = ping[: len(y) - start]
        y[start : start + len(part)] += part
    return y + 0.01 * rng.standard_normal(len(y))


def _shrimp(rng: np.random.Generator, rate: int, duration_s: float) -> FloatArray:
    sea = Sea(snaps_per_s=float(rng.uniform(2, 40)))
    return sea_noise(rng, sea, sample_rate=rate, duration_s=duration_s)


SIMULATED: dict[str, Draw] = {
    "silence": _silence,
    "hum": _hum,
    "tone": _tone,
    "wind": _wind,
    "rain": _rain,
    "ship": _ship,
    "sonar": _sonar,
    "shrimp": _shrimp,
}
"""Kinds of sound that can be drawn, by name."""


def simulated_clips(
    kind: str,
    front_end: FrontEndSettings,
    *,
    rng: np.random.Generator,
    n_clips: int = N_SIMULATED,
) -> list[ClipInputs]:
    """Draw clips of one kind, each at a level of its own, through a front end."""
    clips = []
    for _ in range(n_clips):
        y = SIMULATED[kind](rng, SIMULATION_RATE, front_end.clip.duration_s)
        peak = float(np.abs(y).max())
        gain = 10 ** float(rng.uniform(-2.5, -0.1)) / peak if peak else 1.0
        clip = condition_array(
            (gain * y).astype(np.float32),
            sample_rate=SIMULATION_RATE,
            settings=front_end,
        )
        clips.append(clip_inputs(clip, front_end))
    return clips


def kind_folders(folder: Path) -> dict[str, list[Path]]:
    """Find recordings by kind: a sub-folder each.

    Raises
    ------
    AudioError
        If the folder does not exist, holds no sub-folder, or recordings of its own,
        whose kind would not be known.
    """
    if not folder.is_dir():
        raise AudioError(f"{folder}: no such folder; give one with a folder a kind")
    inside = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    loose = [p for p in inside if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file()]
    kinds = [p for p in inside if p.is_dir()]
    if loose or not kinds:
        raise AudioError(
            f"{folder}: needs a folder for each kind of sound (rain, ship, ...) with "
            f"recordings in it{', and no recordings beside them' if loose else ''}"
        )
    return {kind.name: find_recordings(kind) for kind in kinds}


def recorded_clips(
    path: Path, front_end: FrontEndSettings, *, n_most: int = MOST_CLIPS
) -> Iterator[ClipInputs]:
    """Yield a recording's first clips, through a front end.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    for _, y in islice(recording_clips(path, front_end), n_most):
        yield clip_inputs(y, front_end)
