"""Choose what an animal of each simulated species says in a stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_bell,
    choose_burst_pulse,
    choose_coda,
    choose_echolocation,
    choose_knocks,
    choose_moan,
    choose_pulsed_call,
    choose_sine_whistle,
    choose_slow_clicks,
    choose_song,
    choose_sweep,
    choose_trill,
    choose_up_call,
    choose_whistle,
    log_uniform,
    varied,
)
from seacall.audio.dolphins import DOLPHINS
from seacall.audio.kind import Kind, bout
from seacall.audio.seals import SEALS
from seacall.audio.synth import Call, Tone, Unit, shifted
from seacall.taxonomy import normalised


def _bottlenose(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    whistle = choose_whistle(
        animal.own(),
        low_hz=4_500.0 * animal.pitch,
        high_hz=16_000.0 * animal.pitch,
        duration_s=(0.5 * animal.tempo, 1.1 * animal.tempo),
    )
    whistles = bout(rng, lambda: varied(rng, whistle), (0.1, 0.5), duration_s)
    draw = rng.random()
    if draw < 0.55:
        return whistles
    clicks = _dolphin_clicks(rng, animal, duration_s, centre_hz=30_000.0)
    return (*whistles, *clicks) if draw < 0.85 else clicks


def _common_dolphin(
    rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    low_hz, high_hz = 6_500.0 * animal.pitch, 17_000.0 * animal.pitch

    def whistle() -> Tone:
        if rng.random() < 0.3:
            centre_hz = log_uniform(rng, 1.2 * low_hz, 0.8 * high_hz)
            return choose_sine_whistle(rng, centre_hz=centre_hz, duration_s=(0.3, 0.8))
        length_s = (0.15 * animal.tempo, 0.6 * animal.tempo)
        return choose_sweep(rng, low_hz=low_hz, high_hz=high_hz, duration_s=length_s)

    # A school: several animals at once, some farther away.
    calls = bout(rng, whistle, (0.0, 0.25), duration_s)
    for _ in range(int(rng.integers(0, 3))):
        far = bout(rng, whistle, (0.0, 0.6), duration_s)
        calls += tuple(replace(u, gain_db=rng.uniform(-12.0, -2.0)) for u in far)
    if rng.random() < 0.35:
        calls += _dolphin_clicks(rng, animal, duration_s, centre_hz=34_000.0)
    return calls


def _dolphin_clicks(
    rng: np.random.Generator, animal: Animal, duration_s: float, *, centre_hz: float
) -> Call:
    start_s = rng.uniform(0.0, 0.3) * duration_s
    left_s = duration_s - start_s
    if rng.random() < 0.35:
        length_s = (0.2, min(0.8, max(0.8 * left_s, 0.25)))
        burst = choose_burst_pulse(
            rng, centre_hz=0.6 * centre_hz * animal.pitch, duration_s=length_s
        )
        return (shifted(burst, start_s),)
    clicks = choose_echolocation(
        rng,
        centre_hz=centre_hz * animal.pitch,
        interval_s=animal.tempo * rng.uniform(0.025, 0.09),
        duration_s=0.8 * left_s,
    )
    return (shifted(clicks, start_s),)


def _killer_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    own = animal.own()
    dialect = [
        choose_pulsed_call(own, low_hz=450.0 * animal.pitch, high_hz=1_400.0)
        for _ in range(3)
    ]

    def call() -> Tone:
        return varied(rng, dialect[int(rng.integers(3))])

    calls = bout(rng, call, (0.3, 1.2), duration_s)
    if own.random() < 0.5:  # a second, whistle-like voice over the first
        high_hz = 6_000.0 * animal.pitch * np.exp(own.normal(0.0, 0.15))
        calls += tuple(
            Tone(0.9 * u.duration_s, (high_hz, 1.15 * high_hz), u.start_s, gain_db=-3.0)
            for u in calls
            if isinstance(u, Tone)
        )
    return calls


def _sperm_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    pulse_interval_s = animal.own().uniform(0.003, 0.007)
    if rng.random() < 0.25:
        coda = choose_coda(
            rng,
            pitch=animal.pitch,
            tempo=animal.tempo,
            pulse_interval_s=pulse_interval_s,
        )
        return (shifted(coda, rng.uniform(0.02, 0.3)),)
    interval_s = animal.tempo * rng.uniform(0.4, 1.1)
    start_s = rng.uniform(0.1, 0.9) * min(interval_s, duration_s)
    clicks = choose_slow_clicks(
        rng,
        pitch=animal.pitch,
        interval_s=interval_s,
        pulse_interval_s=pulse_interval_s,
        duration_s=duration_s - start_s,
    )
    return (shifted(clicks, start_s),)


def _humpback(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    song = choose_song(rng, animal=animal, n_units=1 + int(duration_s))
    start_s = rng.uniform(0.02, 0.1)
    return tuple(shifted(unit, start_s) for unit in song)


def _right_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    def call() -> Tone:
        return choose_up_call(rng, pitch=animal.pitch, tempo=animal.tempo)

    return bout(rng, call, (0.6, 2.5), duration_s)


def _bowhead(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    def call() -> Tone:
        return choose_moan(
            rng,
            low_hz=100.0 * animal.pitch,
            high_hz=380.0 * animal.pitch,
            duration_s=(0.7 * animal.tempo, 2.0 * animal.tempo),
        )

    return bout(rng, call, (0.3, 1.5), duration_s)


def _bearded_seal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    start_s = rng.uniform(0.02, 0.15) * duration_s
    trill = choose_trill(
        rng,
        pitch=animal.pitch,
        duration_s=rng.uniform(0.75, 1.0) * (duration_s - start_s),
    )
    return (shifted(trill, start_s),)


def _walrus(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    knocks = choose_knocks(rng, pitch=animal.pitch, tempo=animal.tempo)
    knocks = replace(knocks, times_s=tuple(t + 0.05 for t in knocks.times_s))
    bell = choose_bell(rng, pitch=animal.pitch)
    if rng.random() < 0.3 and knocks.end_s < duration_s:
        return knocks, shifted(bell, knocks.end_s)
    return (knocks,)


def _beluga(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    low_hz, high_hz = 1_800.0 * animal.pitch, 6_500.0 * animal.pitch

    def call() -> Unit:
        draw = rng.random()
        centre_hz = log_uniform(rng, low_hz, high_hz)
        if draw < 0.35:
            return choose_burst_pulse(rng, centre_hz=centre_hz, duration_s=(0.15, 0.7))
        if draw < 0.65:
            return choose_sine_whistle(
                rng, centre_hz=centre_hz, duration_s=(0.2, 0.9), vibrato_hz=(14.0, 30.0)
            )
        return choose_whistle(
            rng, low_hz=low_hz, high_hz=high_hz, duration_s=(0.2, 0.9), n_knots=4
        )

    return bout(rng, call, (0.05, 0.5), duration_s)


# The first ones differ most from each other, so that few species make an easy set.
KINDS: tuple[Kind, ...] = (
    Kind("Simulated Bottlenose Dolphin", (4_000.0, 40_000.0), _bottlenose),
    Kind("Simulated Sperm Whale", (3_000.0, 14_000.0), _sperm_whale),
    Kind("Simulated Humpback Whale", (100.0, 3_000.0), _humpback),
    Kind("Simulated Killer Whale", (800.0, 10_000.0), _killer_whale),
    Kind("Simulated Bearded Seal", (300.0, 5_500.0), _bearded_seal),
    Kind("Simulated Right Whale", (50.0, 300.0), _right_whale, "Northern Right Whale"),
    Kind("Simulated Common Dolphin", (5_500.0, 40_000.0), _common_dolphin),
    Kind("Simulated Walrus", (300.0, 1_800.0), _walrus),
    Kind("Simulated Bowhead Whale", (80.0, 1_500.0), _bowhead),
    Kind("Simulated Beluga", (1_300.0, 10_000.0), _beluga, "Beluga White Whale"),
    *DOLPHINS,
    *SEALS,
)
"""All simulated species; a set of n uses the first n."""


def kinds_named(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return kinds by label or common name, without regard to case or punctuation.

    Raises
    ------
    ValueError
        If a name is not simulated, or one is given twice.

    Examples
    --------
    >>> [kind.label for kind in kinds_named(["ross_seal", "Beluga White Whale"])]
    ['Simulated Ross Seal', 'Simulated Beluga']
    """
    known = {
        normalised(name): k for k in KINDS for name in (k.label, k.watkins) if name
    }
    missing = [name for name in names if normalised(name) not in known]
    if missing:
        raise ValueError(
            f"species {missing[0]!r} is not simulated; choose among: "
            + ", ".join(kind.common_name for kind in KINDS)
        )
    kinds = tuple(known[normalised(name)] for name in names)
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"a species is named twice in {', '.join(names)}")
    return kinds
