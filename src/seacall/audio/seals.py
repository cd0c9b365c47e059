"""Choose what seals say under water."""

from __future__ import annotations

import numpy as np

from seacall.audio.calls import Animal, log_uniform
from seacall.audio.kind import Kind, company
from seacall.audio.synth import Call, Tone, shifted

# Watkins and Ray 1985 (J. Acoust. Soc. Am. 77, 1598): two tones at once, not harmonics
# of each other, pulsed in the same rhythm; from 4 kHz down to 1 kHz and back.
# Seibert et al. 2007 (Polar Biol. 30, 1387) divide them into high, mid and low sirens.
_SIRENS_HZ = ((1_000.0, 4_000.0), (500.0, 1_300.0), (250.0, 650.0))
"""Least and greatest frequency of the high, mid and low siren of a Ross seal."""


def choose_siren(rng: np.random.Generator, *, animal: Animal) -> Call:
    """Choose a Ross seal's siren: a slow swoop up and down, with a second voice."""
    low_hz, high_hz = _SIRENS_HZ[int(rng.integers(3))]
    duration_s = animal.tempo * rng.uniform(0.9, 3.5)
    ends_hz = low_hz * animal.pitch * np.exp(rng.normal(0.0, 0.08, size=2))
    top_hz = high_hz * animal.pitch * rng.uniform(0.6, 1.0)
    swoop = [float(ends_hz[0]), float(top_hz), float(ends_hz[1])]
    if rng.random() < 0.5:  # down, then up
        swoop = [
            float(top_hz),
            float(ends_hz[0]),
            float(top_hz * rng.uniform(0.6, 1.0)),
        ]
    pulse_hz = rng.uniform(5.0, 25.0) if rng.random() < 0.5 else 0.0
    first = Tone(duration_s, tuple(swoop), harmonics_db=(0.0, -18.0), pulse_hz=pulse_hz)
    if rng.random() < 0.4:
        return (first,)
    ratio = rng.uniform(1.15, 1.8)  # harmonically unrelated
    second = tuple(ratio * hz for hz in swoop)
    return first, Tone(duration_s, second, pulse_hz=pulse_hz, gain_db=-6.0)


def _whoosh(rng: np.random.Generator, *, animal: Animal) -> Call:
    """Choose a Ross seal's whoosh: a short, rough downsweep (Seibert et al. 2007)."""
    start_hz = animal.pitch * log_uniform(rng, 900.0, 2_500.0)
    knots_hz = (start_hz, 0.6 * start_hz, 0.3 * start_hz)
    pulse_hz = rng.uniform(40.0, 90.0)
    return (Tone(rng.uniform(0.25, 0.6), knots_hz, pulse_hz=pulse_hz),)


def _one_ross_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls: Call = ()
    t = rng.uniform(0.0, 0.15) * duration_s
    while not calls or t < 0.8 * duration_s:
        choose = choose_siren if rng.random() < 0.85 else _whoosh
        units = choose(rng, animal=animal)
        calls += tuple(shifted(unit, t) for unit in units)
        t += units[0].end_s + rng.uniform(0.1, 1.0)
    return calls


def choose_ross_seal(
    rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    """Choose sirens of one seal; half of the time another is heard behind it."""
    calls = _one_ross_seal(rng, animal, duration_s)
    return calls + company(rng, _one_ross_seal, duration_s, mean_others=0.6)


SEALS: tuple[Kind, ...] = (
    Kind("Simulated Ross Seal", (180.0, 5_500.0), choose_ross_seal),
)
"""Seals beyond those of :mod:`seacall.audio.repertoire`."""
