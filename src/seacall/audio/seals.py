"""Choose what seals say under water."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_bell,
    choose_knocks,
    choose_trill,
    log_uniform,
)
from seacall.audio.kind import Kind, bout, company
from seacall.audio.synth import Call, Tone, shifted

# Watkins and Ray 1985 (J. Acoust. Soc. Am. 77, 1598): two tones at once, not harmonics
# of each other, pulsed in the same rhythm; from 4 kHz down to 1 kHz and back.
# Seibert et al. 2007 (17th Conf. Biol. Mar. Mamm.): high, mid and low sirens.
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


# Ray et al. 1969 (Zoologica 54, 79), Cleator et al. 1989 (Can. J. Zool. 67, 1900),
# Risch et al. 2007 (Anim. Behav. 73, 747): trills fall to 0.3 kHz; ascents; moans.
def _bearded_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls = _one_bearded_seal(rng, animal, duration_s)
    return calls + company(rng, _one_bearded_seal, duration_s, mean_others=0.4)


def _one_bearded_seal(
    rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    start_s = rng.uniform(0.02, 0.15) * duration_s
    length_s = rng.uniform(0.75, 1.0) * (duration_s - start_s)
    draw = rng.random()
    if draw < 0.75:
        unit = choose_trill(rng, pitch=animal.pitch, duration_s=length_s)
    elif draw < 0.85:  # ascent
        start_hz = animal.pitch * log_uniform(rng, 600.0, 1_500.0)
        unit = Tone(
            min(length_s, rng.uniform(0.8, 3.0)),
            (start_hz, start_hz * rng.uniform(1.5, 2.5)),
            vibrato_hz=rng.uniform(3.0, 8.0),
            vibrato_depth=rng.uniform(0.0, 0.08),
        )
    else:  # moan
        hz = animal.pitch * log_uniform(rng, 350.0, 900.0)
        unit = Tone(min(length_s, rng.uniform(0.8, 2.5)), (hz, 0.8 * hz, 0.6 * hz))
    return (shifted(unit, start_s),)


# Schevill et al. 1966 (in Norris, Whales, Dolphins and Porpoises, 283), Stirling et al.
# 1987 (Can. J. Zool. 65, 2311), Sjare et al. 2003: knocks, taps, bells.
def _walrus(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    knocks = choose_knocks(rng, pitch=animal.pitch, tempo=animal.tempo)
    knocks = replace(knocks, times_s=tuple(t + 0.05 for t in knocks.times_s))
    bell = choose_bell(rng, pitch=animal.pitch)
    if rng.random() < 0.3 and knocks.end_s < duration_s:
        return knocks, shifted(bell, knocks.end_s)
    return (knocks,)


# Mohl et al. 1975 (Rapp. P.-v. Reun. 169, 533), Terhune 1994 (Can. J. Zool. 72):
# pulses, grunts and trills of 0.1-16 kHz, most energy at 0.5-5 kHz, often repeated.
def _harp_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls = _one_harp_seal(rng, animal, duration_s)
    return calls + company(rng, _one_harp_seal, duration_s, mean_others=1.0)


def _one_harp_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    own_hz = animal.pitch * log_uniform(rng, 350.0, 2_500.0)
    glide = float(np.exp(rng.normal(0.0, 0.25)))
    rough = rng.random() < 0.5
    length_s = (0.05, 0.25) if rough else (0.1, 0.9)
    pulse_hz = rng.uniform(30.0, 110.0) if rough else 0.0
    fall_db = rng.uniform(3.0, 10.0)

    def call() -> Tone:
        return Tone(
            animal.tempo * rng.uniform(*length_s),
            (own_hz, own_hz * glide),
            harmonics_db=tuple(-fall_db * k for k in range(4)),
            pulse_hz=pulse_hz,
            gain_db=rng.uniform(-4.0, 0.0),
        )

    return bout(rng, call, (0.05, 0.3), duration_s)


# Stirling and Siniff 1979 (Can. J. Zool. 57, 1244), Rogers et al. 1995 and 2007: low
# double trills of 250-400 Hz, high double trills of 2.5-3.7 kHz, hoots.
_LEOPARD_HZ = ((260.0, 400.0), (2_500.0, 3_700.0), (150.0, 300.0))


def _leopard_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls = _one_leopard_seal(rng, animal, duration_s)
    return calls + company(rng, _one_leopard_seal, duration_s, mean_others=0.4)


def _one_leopard_seal(
    rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    trill = int(rng.choice(3, p=[0.5, 0.35, 0.15]))
    hz = animal.pitch * rng.uniform(*_LEOPARD_HZ[trill])
    end_hz = hz * (rng.uniform(0.75, 0.95) if trill < 2 else 0.9)
    pulse_hz = (rng.uniform(10.0, 25.0), rng.uniform(20.0, 45.0), 0.0)[trill]

    def call() -> Tone:
        length_s = animal.tempo * rng.uniform(1.2, 3.0)
        return Tone(
            float(min(length_s, max(0.8 * duration_s, 0.4))),
            (hz, end_hz),
            harmonics_db=(0.0, -16.0),
            pulse_hz=pulse_hz,
        )

    return bout(rng, call, (0.3, 1.0), duration_s)


# Thomas and Kuechle 1982 (J. Acoust. Soc. Am. 72, 1730), Thomas and Stirling 1983: long
# trills that fall from up to 15 kHz to 0.2 kHz, chugs, chirps, whistles.
def _weddell_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls = _one_weddell_seal(rng, animal, duration_s)
    return calls + company(rng, _one_weddell_seal, duration_s, mean_others=0.8)


def _one_weddell_seal(
    rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    if rng.random() < 0.45:
        start_hz = animal.pitch * log_uniform(rng, 3_000.0, 12_000.0)
        end_hz = start_hz * 2.0 ** -min(duration_s * rng.uniform(0.3, 0.8), 4.0)
        trill = Tone(
            0.9 * duration_s,
            (start_hz, float(np.sqrt(start_hz * end_hz)), end_hz),
            pulse_hz=rng.uniform(6.0, 30.0),
        )
        return (shifted(trill, 0.05 * duration_s),)
    if rng.random() < 0.4:  # chugs: low, rough, in a slowing row
        hz = animal.pitch * log_uniform(rng, 200.0, 700.0)
        return _row(rng, (1.6 * hz, hz), (0.12, 0.3), (0.15, 0.6), duration_s)
    start_hz = animal.pitch * log_uniform(rng, 2_000.0, 8_000.0)  # chirps
    return _row(rng, (start_hz, 0.35 * start_hz), (0.05, 0.2), (0.08, 0.3), duration_s)


def _row(
    rng: np.random.Generator,
    knots_hz: tuple[float, float],
    length_s: tuple[float, float],
    pause_s: tuple[float, float],
    duration_s: float,
) -> Call:
    overtones = (0.0, -10.0, -20.0)
    unit = Tone(rng.uniform(*length_s), knots_hz, harmonics_db=overtones)
    return bout(rng, lambda: unit, pause_s, duration_s)


BEARDED_SEAL = Kind("Simulated Bearded Seal", (300.0, 5_500.0), _bearded_seal)
WALRUS = Kind("Simulated Walrus", (300.0, 1_800.0), _walrus)
SEALS: tuple[Kind, ...] = (
    Kind("Simulated Ross Seal", (180.0, 5_500.0), choose_ross_seal),
    Kind("Simulated Harp Seal", (250.0, 6_000.0), _harp_seal),
    Kind("Simulated Leopard Seal", (120.0, 4_500.0), _leopard_seal),
    Kind("Simulated Weddell Seal", (180.0, 13_000.0), _weddell_seal),
)
"""The seals that the first ten species lack."""
