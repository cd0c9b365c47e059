"""Choose what ten species say in their plainest form: for the demo, and for tests.

Figures are rounded from handbooks; types of calls are few, and set the species apart.
What real animals say besides is chosen in :mod:`seacall.audio.dolphins`, ``toothed``,
``baleen`` and ``seals``.
"""

from __future__ import annotations

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
    choose_slow_clicks,
    choose_trill,
    choose_up_call,
    harmonic_levels,
    log_uniform,
    uniform,
    varied,
)
from seacall.audio.kind import Choose, bout
from seacall.audio.synth import Call, Tone, Unit, shifted


def _bottlenose(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    whistle = _whistle(
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
            return _sine_whistle(rng, centre_hz=centre_hz, duration_s=(0.3, 0.8))
        length_s = (0.15 * animal.tempo, 0.6 * animal.tempo)
        return _sweep(rng, low_hz=low_hz, high_hz=high_hz, duration_s=length_s)

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
        _pulsed_call(own, low_hz=450.0 * animal.pitch, high_hz=1_400.0)
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
    song = _song(rng, animal=animal, n_units=1 + int(duration_s))
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
            return _sine_whistle(
                rng, centre_hz=centre_hz, duration_s=(0.2, 0.9), vibrato_hz=(14.0, 30.0)
            )
        return _whistle(
            rng, low_hz=low_hz, high_hz=high_hz, duration_s=(0.2, 0.9), n_knots=4
        )

    return bout(rng, call, (0.05, 0.5), duration_s)


def _whistle(
    rng: np.random.Generator,
    *,
    low_hz: float,
    high_hz: float,
    duration_s: tuple[float, float],
    n_knots: int = 5,
) -> Tone:
    """Choose a dolphin's whistle: a free contour, now and then an overtone."""
    overtones = (0.0, -14.0) if rng.random() < 0.4 else (0.0,)
    knots_hz = _knots(rng, low_hz, high_hz, n_knots)
    return Tone(uniform(rng, duration_s), knots_hz, harmonics_db=overtones)


def _sweep(
    rng: np.random.Generator,
    *,
    low_hz: float,
    high_hz: float,
    duration_s: tuple[float, float],
) -> Tone:
    """Choose a plain upsweep or downsweep over most of a band."""
    width = np.log(high_hz / low_hz)
    start_hz = low_hz * np.exp(width * rng.uniform(0.0, 0.25))
    end_hz = low_hz * np.exp(width * rng.uniform(0.65, 1.0))
    bend_hz = np.sqrt(start_hz * end_hz) * np.exp(0.15 * width * rng.uniform(-1, 1))
    knots_hz = (float(start_hz), float(bend_hz), float(end_hz))
    if rng.random() < 0.4:
        knots_hz = knots_hz[::-1]
    return Tone(uniform(rng, duration_s), knots_hz)


def _sine_whistle(
    rng: np.random.Generator,
    *,
    centre_hz: float,
    duration_s: tuple[float, float],
    vibrato_hz: tuple[float, float] = (3.0, 9.0),
) -> Tone:
    """Choose a whistle that swings around one frequency."""
    hz = centre_hz * np.exp(rng.normal(0.0, 0.08, size=2))
    return Tone(
        uniform(rng, duration_s),
        (float(hz[0]), float(hz[1])),
        vibrato_hz=uniform(rng, vibrato_hz),
        vibrato_depth=rng.uniform(0.05, 0.2),
    )


def _pulsed_call(
    rng: np.random.Generator, *, low_hz: float, high_hz: float, n_knots: int = 4
) -> Tone:
    """Choose a killer whale's call: a stack of harmonics that jumps and bends."""
    return Tone(
        rng.uniform(0.5, 1.2),
        _knots(rng, low_hz, high_hz, n_knots),
        harmonics_db=harmonic_levels(rng, n=12, fall_db=(0.8, 2.0)),
    )


def _song(
    rng: np.random.Generator, *, animal: Animal, n_units: int, pause_s: float = 0.35
) -> Call:
    """Choose a stretch of humpback song: the animal's theme of units, again and again.

    The theme is the animal's own; each unit comes out slightly different each time.
    """
    own = animal.own()
    theme = [_song_unit(own, animal) for _ in range(int(own.integers(2, 5)))]
    first = int(rng.integers(len(theme)))
    units: list[Unit] = []
    t = 0.0
    for i in range(n_units):
        unit = varied(rng, theme[(first + i) % len(theme)])
        units.append(shifted(unit, t))
        t += unit.duration_s + pause_s * animal.tempo * rng.uniform(0.6, 1.6)
    return tuple(units)


def _song_unit(rng: np.random.Generator, animal: Animal) -> Tone:
    """Choose one of: moan, rising cry, falling cry, rough grunt, chirp."""
    low_hz, high_hz, length_s, pulse_hz = [
        (150.0, 400.0, (0.8, 1.8), 0.0),
        (300.0, 1_400.0, (0.5, 1.3), 0.0),
        (250.0, 1_000.0, (0.5, 1.3), 0.0),
        (120.0, 350.0, (0.3, 0.8), 45.0),
        (700.0, 2_200.0, (0.2, 0.5), 0.0),
    ][int(rng.integers(5))]
    return Tone(
        animal.tempo * uniform(rng, length_s),
        _knots(rng, animal.pitch * low_hz, animal.pitch * high_hz, 3),
        harmonics_db=harmonic_levels(rng, n=6, fall_db=(3.0, 7.0)),
        pulse_hz=pulse_hz,
    )


def _knots(
    rng: np.random.Generator, low_hz: float, high_hz: float, n: int
) -> tuple[float, ...]:
    return tuple(log_uniform(rng, low_hz, high_hz) for _ in range(n))


PLAIN: dict[str, Choose] = {
    "Bottlenose Dolphin": _bottlenose,
    "Sperm Whale": _sperm_whale,
    "Humpback Whale": _humpback,
    "Killer Whale": _killer_whale,
    "Bearded Seal": _bearded_seal,
    "Right Whale": _right_whale,
    "Common Dolphin": _common_dolphin,
    "Walrus": _walrus,
    "Bowhead Whale": _bowhead,
    "Beluga": _beluga,
}
"""By common name."""
