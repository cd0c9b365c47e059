"""Choose what right, bowhead, humpback and gray whales and the other rorquals say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_noisy_call,
    choose_up_call,
    log_uniform,
    varied,
)
from seacall.audio.kind import Kind, bout, company
from seacall.audio.pulsed import formant_levels
from seacall.audio.synth import Call, Clicks, Tone, Unit, shifted


@dataclass(frozen=True)
class UnitStyle:
    """A type of call: where it begins and ends, how long, how rough."""

    share: float
    start_hz: tuple[float, float]
    end_hz: tuple[float, float]
    duration_s: tuple[float, float]
    n_harmonics: tuple[int, int] = (1, 3)
    """Fewest and most lines of its stack."""
    pulse_hz: tuple[float, float] | None = None
    """Amplitude modulation: slowest and fastest; None: smooth."""
    bend: float = 0.12
    """Spread of its middle around the straight way, in log frequency."""
    sway: float = 0.0
    """Largest depth of a slow warble."""


def choose_unit(
    rng: np.random.Generator, style: UnitStyle, *, animal: Animal, longest_s: float
) -> Tone:
    """Choose one call of a type, cut to the time that there is."""
    start_hz = animal.pitch * log_uniform(rng, *style.start_hz)
    end_hz = animal.pitch * log_uniform(rng, *style.end_hz)
    middle_hz = np.sqrt(start_hz * end_hz) * np.exp(rng.normal(0.0, style.bend))
    n = int(rng.integers(style.n_harmonics[0], style.n_harmonics[1] + 1))
    fall_db = rng.uniform(3.0, 9.0)
    levels_db = -fall_db * np.arange(n) + np.r_[0.0, rng.normal(0.0, 2.0, size=n - 1)]
    duration_s = animal.tempo * rng.uniform(*style.duration_s)
    return Tone(
        float(min(duration_s, max(longest_s, 0.3))),
        (start_hz, float(middle_hz), end_hz),
        harmonics_db=tuple(float(v) for v in levels_db),
        vibrato_hz=rng.uniform(1.5, 7.0),
        vibrato_depth=rng.uniform(0.0, style.sway) if style.sway else 0.0,
        pulse_hz=rng.uniform(*style.pulse_hz) if style.pulse_hz else 0.0,
    )


def choose_style(rng: np.random.Generator, styles: tuple[UnitStyle, ...]) -> UnitStyle:
    """Choose a type by its share."""
    shares = np.array([style.share for style in styles])
    return styles[int(rng.choice(len(styles), p=shares / shares.sum()))]


def _call_bout(
    rng: np.random.Generator,
    styles: tuple[UnitStyle, ...],
    animal: Animal,
    duration_s: float,
    *,
    pause_s: tuple[float, float],
) -> Call:
    """Choose calls of one type in a row: a whale seldom changes within seconds."""
    style = choose_style(rng, styles)

    def call() -> Tone:
        return choose_unit(rng, style, animal=animal, longest_s=duration_s)

    return bout(rng, call, pause_s, duration_s)


# Parks and Tyack 2005 (J. Acoust. Soc. Am. 117, 3297) and Parks et al. 2011 for the
# North Atlantic, Clark 1982 (Anim. Behav. 30, 1060) for the south.
_RIGHT = (
    # Screams: tonal, many harmonics, 0.5-2.8 s; warbles: the same, modulated.
    UnitStyle(0.4, (250.0, 800.0), (250.0, 800.0), (0.5, 2.8), (3, 8), bend=0.3),
    UnitStyle(0.2, (250.0, 900.0), (250.0, 900.0), (0.5, 2.5), (3, 8), sway=0.2),
    # Low tonal moans, and down-calls of 200 to 100 Hz.
    UnitStyle(0.25, (60.0, 180.0), (60.0, 180.0), (0.6, 2.5), (2, 5)),
    UnitStyle(0.15, (150.0, 220.0), (80.0, 130.0), (0.5, 1.5), (1, 3)),
)


def _right_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    draw = rng.random()
    if draw < 0.5:
        return bout(
            rng,
            lambda: choose_up_call(rng, pitch=animal.pitch, tempo=animal.tempo),
            (0.6, 2.5),
            duration_s,
        )
    if draw < 0.68:
        return bout(rng, lambda: _gunshot(rng, animal), (0.8, 6.0), duration_s)
    calls = _call_bout(rng, _RIGHT, animal, duration_s, pause_s=(0.3, 2.5))
    if rng.random() < 0.2:  # a blow: noisy, with the screams of surface groups
        hz = animal.pitch * log_uniform(rng, 250.0, 900.0)
        blow = choose_noisy_call(rng, centre_hz=hz, duration_s=(0.3, 0.9))
        calls += (shifted(blow, rng.uniform(0.0, 0.6) * duration_s),)
    return calls


def _gunshot(rng: np.random.Generator, animal: Animal) -> Clicks:
    """Choose a gunshot: one impulse, 20 Hz to 20 kHz, most of it low."""
    centre_hz = animal.pitch * log_uniform(rng, 250.0, 1_200.0)
    return Clicks((0.0,), centre_hz, 1.5 * centre_hz)


# Clark and Johnson 1984 (Can. J. Zool. 62, 1436): FM calls of 25-900 Hz, most of them
# 75-300 Hz, 0.4-3.8 s; AM calls and purrs. Ljungblad et al. 1982 (J. Acoust. Soc. Am.
# 71, 477). Song: Stafford et al. 2008 and 2018 (Biol. Lett. 14): two voices, to 5 kHz.
_BOWHEAD = (
    UnitStyle(0.3, (70.0, 160.0), (120.0, 350.0), (0.6, 2.2), (1, 4)),
    UnitStyle(0.25, (150.0, 350.0), (70.0, 160.0), (0.6, 2.2), (1, 4)),
    UnitStyle(0.15, (90.0, 300.0), (90.0, 300.0), (0.7, 2.5), (2, 6), bend=0.3),
    UnitStyle(0.3, (90.0, 380.0), (90.0, 380.0), (0.7, 2.5), (3, 8), (15.0, 45.0)),
)
_BOWHEAD_SONG = (
    UnitStyle(0.4, (150.0, 500.0), (250.0, 900.0), (0.6, 2.5), (3, 8), (15.0, 60.0)),
    UnitStyle(0.3, (300.0, 900.0), (300.0, 1_200.0), (0.5, 1.8), (2, 5), bend=0.3),
    UnitStyle(0.3, (700.0, 1_600.0), (500.0, 2_200.0), (0.4, 1.6), (1, 3), bend=0.3),
)


def _bowhead(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    if rng.random() < 0.6:
        return _call_bout(rng, _BOWHEAD, animal, duration_s, pause_s=(0.3, 1.5))
    first = _theme(rng, _BOWHEAD_SONG, animal, duration_s)
    if rng.random() < 0.5:
        return first
    upper = tuple(  # the second voice goes its own way meanwhile
        Tone(
            0.9 * u.duration_s,
            tuple(float(hz * rng.uniform(2.2, 4.5)) for hz in u.knots_hz),
            u.start_s,
            gain_db=-4.0,
        )
        for u in first
        if isinstance(u, Tone)
    )
    return first + upper


def _theme(
    rng: np.random.Generator,
    styles: tuple[UnitStyle, ...],
    animal: Animal,
    duration_s: float,
    *,
    pause_s: tuple[float, float] = (0.15, 0.9),
) -> Call:
    """Choose song: two to four units of the animal's own, again and again."""
    own = animal.own()
    theme = [
        choose_unit(own, choose_style(own, styles), animal=animal, longest_s=3.0)
        for _ in range(int(own.integers(2, 5)))
    ]
    turn = int(rng.integers(len(theme)))

    def unit() -> Tone:
        nonlocal turn
        turn += 1
        return varied(rng, theme[turn % len(theme)])

    return bout(rng, unit, pause_s, duration_s)


# Payne and McVay 1971 (Science 173, 585), Dunlop et al. 2007 (J. Acoust. Soc. Am. 122,
# 2893) for units and social sounds; 30 Hz to 4 kHz and above.
_HUMPBACK_SONG = (
    UnitStyle(0.25, (120.0, 400.0), (120.0, 400.0), (0.8, 2.5), (3, 7)),  # moans
    UnitStyle(0.2, (250.0, 700.0), (600.0, 1_600.0), (0.5, 1.6), (2, 6)),  # cries
    UnitStyle(0.15, (600.0, 1_400.0), (200.0, 600.0), (0.5, 1.6), (2, 6)),
    UnitStyle(0.15, (80.0, 350.0), (80.0, 350.0), (0.3, 1.0), (4, 9), (30.0, 70.0)),
    UnitStyle(0.1, (700.0, 2_200.0), (900.0, 2_800.0), (0.15, 0.6), (1, 4)),  # chirps
    UnitStyle(0.1, (900.0, 2_500.0), (1_000.0, 3_500.0), (0.6, 2.0), (2, 5), bend=0.3),
    UnitStyle(0.05, (150.0, 500.0), (150.0, 500.0), (0.8, 2.5), (5, 12), (60.0, 120.0)),
)
_HUMPBACK_SOCIAL = (
    UnitStyle(0.35, (45.0, 90.0), (150.0, 500.0), (0.3, 0.9), (2, 5)),  # wops
    UnitStyle(0.3, (40.0, 120.0), (35.0, 110.0), (0.3, 1.0), (3, 6), (15.0, 40.0)),
    UnitStyle(0.2, (300.0, 900.0), (300.0, 900.0), (0.2, 0.6), (3, 7)),  # barks
    UnitStyle(0.15, (1_200.0, 2_800.0), (1_500.0, 3_800.0), (0.3, 1.2), (1, 4)),
)
# D'Vincent et al. 1985 (Sci. Rep. Whales Res. Inst. 36, 41), Cerchio and Dahlheim 2001
# (Bioacoustics 11, 277): trains of tones near 500 Hz before a lunge.
_HUMPBACK_FEEDING = (
    UnitStyle(1.0, (380.0, 620.0), (400.0, 700.0), (0.5, 2.5), (2, 5), bend=0.05),
)


def _humpback(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    draw = rng.random()
    if draw < 0.65:
        song = _theme(rng, _HUMPBACK_SONG, animal, duration_s)
        return song + company(
            rng,
            lambda r, a, d: _theme(r, _HUMPBACK_SONG, a, d),
            duration_s,
            mean_others=0.25,
        )
    if draw < 0.9:
        return _call_bout(rng, _HUMPBACK_SOCIAL, animal, duration_s, pause_s=(0.4, 2.5))
    return _call_bout(rng, _HUMPBACK_FEEDING, animal, duration_s, pause_s=(0.1, 0.6))


# Minke: Rankin and Barlow 2005 (J. Acoust. Soc. Am. 118, 3346): the "boing", 92 or 115
# pulses a second, 3.6 or 2.6 s, peak near 1.4 kHz. Risch et al. 2013 (Bioacoustics 22):
# trains of 50-400 Hz pulses. Edds-Walton 2000: downsweeps of 118-80 Hz.
_MINKE_SWEEP = (UnitStyle(1.0, (100.0, 140.0), (60.0, 85.0), (0.2, 0.5), (1, 2)),)


def _minke(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    draw = rng.random()
    if draw < 0.4:
        return bout(
            rng, lambda: _boing(rng, animal, duration_s), (4.0, 9.0), duration_s
        )
    if draw < 0.85:
        return (_pulse_train(rng, animal, duration_s),)
    return _call_bout(rng, _MINKE_SWEEP, animal, duration_s, pause_s=(0.5, 3.0))


def _pulse_train(rng: np.random.Generator, animal: Animal, duration_s: float) -> Clicks:
    interval_s = animal.tempo * log_uniform(rng, 0.15, 0.6)
    start_s = rng.uniform(0.0, 1.0) * min(interval_s, 0.5 * duration_s)
    n = max(int((duration_s - start_s) / interval_s), 1)
    steps = interval_s * np.linspace(1.0, rng.uniform(0.6, 1.4), n)
    times_s = (start_s, *(start_s + float(t) for t in np.cumsum(steps)[:-1]))
    centre_hz = animal.pitch * log_uniform(rng, 80.0, 250.0)
    return Clicks(times_s, centre_hz, 0.7 * centre_hz)


def _boing(rng: np.random.Generator, animal: Animal, duration_s: float) -> Tone:
    central = animal.own().random() < 0.5
    rate_hz, length_s = (115.0, 2.6) if central else (92.0, 3.6)
    rate_hz *= float(np.exp(rng.normal(0.0, 0.01)))
    peak_hz = animal.pitch * rng.uniform(1_250.0, 1_550.0)
    levels_db = formant_levels(rng, rate_hz, peak_hz, octaves=0.35)
    length_s = min(length_s * animal.tempo, max(duration_s, 0.4))
    return Tone(length_s, (rate_hz, rate_hz, 0.99 * rate_hz), harmonics_db=levels_db)


# Watkins et al. 1987 (J. Acoust. Soc. Am. 82, 1901): 23 to 18 Hz in 1 s; Watkins 1981
# and Sirovic et al. 2013: 40-Hz calls, 75 to 40 Hz in 0.3 s; backbeats near 18 Hz.
_FIN = (
    UnitStyle(0.7, (22.0, 27.0), (16.0, 19.0), (0.6, 1.1), (1, 2), bend=0.03),
    UnitStyle(0.3, (60.0, 85.0), (35.0, 48.0), (0.25, 0.5), (1, 2), bend=0.05),
)
# McDonald et al. 2006 (J. Cetacean Res. Manage. 8, 55) for songs of 15-50 Hz with
# overtones, Thompson et al. 1996 for A and B calls, Oleson et al. 2007 for D calls.
_BLUE = (
    UnitStyle(0.35, (16.0, 19.0), (14.5, 17.0), (6.0, 16.0), (3, 5), bend=0.02),
    UnitStyle(0.25, (80.0, 92.0), (78.0, 90.0), (5.0, 14.0), (1, 2), (1.2, 2.5)),
    UnitStyle(0.3, (60.0, 100.0), (25.0, 45.0), (1.0, 4.0), (1, 2), bend=0.1),
    UnitStyle(0.1, (26.5, 28.5), (18.0, 20.0), (6.0, 14.0), (1, 2), bend=0.1),
)
# Baumgartner et al. 2008 (J. Acoust. Soc. Am. 124, 1339): 82 to 34 Hz in 1.4 s, often
# in pairs; Rankin and Barlow 2007: 100 to 44 Hz.
_SEI = (UnitStyle(1.0, (75.0, 105.0), (32.0, 46.0), (0.9, 1.7), (1, 2), bend=0.08),)
# Crane and Lashkari 1996 (J. Acoust. Soc. Am. 100, 1878), Dahlheim 1987, Burnham et al.
# 2018: S1 pulses of 100-1600 Hz in quick series, S3 moans and S4 grunts below 200 Hz.
_GRAY = (
    UnitStyle(0.6, (40.0, 110.0), (40.0, 110.0), (0.8, 2.2), (2, 5)),
    UnitStyle(0.4, (70.0, 180.0), (50.0, 150.0), (0.2, 0.6), (3, 6), (20.0, 45.0)),
)


def _fin(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    return _call_bout(rng, _FIN, animal, duration_s, pause_s=(2.0, 15.0))


def _blue(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    return _call_bout(rng, _BLUE, animal, duration_s, pause_s=(2.0, 10.0))


def _sei(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    return _call_bout(rng, _SEI, animal, duration_s, pause_s=(1.0, 3.0))


def _gray_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    if rng.random() < 0.45:
        return _call_bout(rng, _GRAY, animal, duration_s, pause_s=(0.5, 3.0))
    return bout(rng, lambda: _gray_knocks(rng, animal), (0.5, 3.0), duration_s)


def _gray_knocks(rng: np.random.Generator, animal: Animal) -> Unit:
    """Choose an S1: 4 to 14 metallic pulses, about 10 a second."""
    n = int(rng.integers(4, 15))
    steps = animal.tempo * rng.uniform(0.07, 0.14) * np.exp(rng.normal(0.0, 0.1, n))
    centre_hz = animal.pitch * log_uniform(rng, 300.0, 900.0)
    times_s = (0.0, *(float(t) for t in np.cumsum(steps)[:-1]))
    return Clicks(times_s, centre_hz, rng.uniform(0.4, 0.9) * centre_hz)


HUMPBACK = Kind("Simulated Humpback Whale", (50.0, 4_500.0), _humpback)
RIGHT = Kind(
    "Simulated Right Whale",
    (50.0, 2_500.0),
    _right_whale,
    watkins="Northern Right Whale",
)
BOWHEAD = Kind("Simulated Bowhead Whale", (60.0, 4_000.0), _bowhead)
BALEEN: tuple[Kind, ...] = (
    Kind("Simulated Minke Whale", (60.0, 1_900.0), _minke),
    Kind("Simulated Fin Whale", (14.0, 120.0), _fin, watkins="Fin, Finback Whale"),
    Kind("Simulated Blue Whale", (13.0, 190.0), _blue),
    Kind("Simulated Sei Whale", (28.0, 130.0), _sei),
    Kind("Simulated Gray Whale", (35.0, 1_200.0), _gray_whale),
    Kind("Simulated Southern Right Whale", (50.0, 2_500.0), _right_whale),
)
"""The baleen whales that the first ten species lack."""
