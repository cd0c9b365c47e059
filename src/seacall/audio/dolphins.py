"""Choose what a school of dolphins says: whistles, clicks, burst pulses, pulsed calls.

Every figure is from published descriptions, rounded; see ``docs/explanation.md`` for
the list of papers. Where a paper gives a range alone, the mean is its middle and the
standard deviation a quarter of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_burst_pulse,
    choose_echolocation,
    varied,
)
from seacall.audio.kind import Kind, bout, company
from seacall.audio.pulsed import PulsedStyle, choose_pulsed
from seacall.audio.synth import Call, Tone, Unit, shifted
from seacall.audio.whistles import WhistleStyle, choose_styled_whistle


@dataclass(frozen=True)
class Voice:
    """What a species of dolphin says, and how often."""

    whistles: WhistleStyle
    click_hz: float
    """Centre of its clicks as a hydrophone beside the beam hears them."""
    pulsed: PulsedStyle | None = None
    """Pulsed calls, as killer and pilot whales make them."""
    only_clicks: float = 0.2
    """Share of stretches with clicks alone."""
    only_whistles: float = 0.4
    """Share of stretches without any click."""
    mean_others: float = 1.0
    """Further animals that whistle in the same stretch."""
    pause_s: tuple[float, float] = (0.05, 0.6)
    """Between the whistles of one animal."""


def choose_school(
    voice: Voice, rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    """Choose what is heard of a school: one animal close by, others farther away."""
    draw = rng.random()
    if draw < voice.only_clicks:
        return choose_clicks(voice, rng, animal, duration_s)
    calls = _tonal_bout(voice, rng, animal, duration_s)
    calls += company(
        rng, partial(_tonal_bout, voice), duration_s, mean_others=voice.mean_others
    )
    if draw < voice.only_clicks + voice.only_whistles:
        return calls
    return calls + choose_clicks(voice, rng, animal, duration_s)


def _tonal_bout(
    voice: Voice, rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    """Choose an animal's whistles or pulsed calls.

    One bout in three repeats a contour of the animal's own: such rhythmic repetitions
    were found in all five species of Steiner (1981).
    """
    if voice.pulsed and rng.random() < voice.pulsed.share:
        return bout(
            rng, _pulsed_source(voice.pulsed, rng, animal), (0.1, 0.9), duration_s
        )
    if rng.random() < 1 / 3:
        own = choose_styled_whistle(animal.own(), voice.whistles, animal=animal)
        return bout(rng, lambda: varied(rng, own), voice.pause_s, duration_s)
    return bout(
        rng,
        lambda: choose_styled_whistle(rng, voice.whistles, animal=animal),
        voice.pause_s,
        duration_s,
    )


def _pulsed_source(
    style: PulsedStyle, rng: np.random.Generator, animal: Animal
) -> Callable[[], Unit]:
    own = animal.own()
    dialect = [choose_pulsed(own, style, animal=animal) for _ in range(4)]

    def call() -> Tone:
        return varied(rng, dialect[int(rng.integers(len(dialect)))])

    return call


def choose_clicks(
    voice: Voice, rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    """Choose click trains of one to three animals, now and then a burst pulse.

    Beside its beam a click has lost its high frequencies (Au 1993, *The Sonar of
    Dolphins*, chapter 6), so each train has a centre of its own below the species'.
    """
    calls: Call = ()
    for _ in range(1 + int(rng.poisson(0.4))):
        start_s = rng.uniform(0.0, 0.3) * duration_s
        left_s = duration_s - start_s
        centre_hz = voice.click_hz * animal.pitch * rng.uniform(0.5, 1.05)
        unit: Unit
        if rng.random() < 0.35:
            length_s = (0.1, min(0.8, max(0.8 * left_s, 0.2)))
            unit = choose_burst_pulse(
                rng, centre_hz=0.7 * centre_hz, duration_s=length_s
            )
        else:
            unit = choose_echolocation(
                rng,
                centre_hz=centre_hz,
                interval_s=animal.tempo * rng.uniform(0.02, 0.12),
                duration_s=rng.uniform(0.4, 0.95) * left_s,
            )
        calls += (replace(shifted(unit, start_s), gain_db=rng.uniform(-8.0, 3.0)),)
    return calls


def _kind(
    name: str, band_hz: tuple[float, float], voice: Voice, *, watkins: str = ""
) -> Kind:
    return Kind(f"Simulated {name}", band_hz, partial(choose_school, voice), watkins)


# Steiner 1981 (Behav. Ecol. Sociobiol. 9, 241) for the ranges of whistles, Courts et
# al. 2020 (Sci. Rep. 10, 20609: 0.2-25 kHz, 0.03-2.07 s, biphonation), Rendell et al.
# 1999 (J. Zool. 249, 403: lower and longer than false killer whales), Nemiroff and
# Whitehead 2009 (Bioacoustics 19, 67) for pulsed calls, Eskesen et al. 2011 for clicks.
_LONG_FINNED = Voice(
    WhistleStyle(
        (3_000.0, 1_100.0),
        (5_200.0, 1_900.0),
        (0.7, 0.45),
        1.3,
        (0.25, 0.25, 0.1, 0.1, 0.15, 0.15),
    ),
    click_hz=38_000.0,
    pulsed=PulsedStyle(
        share=0.4,
        rate_hz=(150.0, 1_100.0),
        formant_hz=(1_500.0, 5_000.0),
        duration_s=(0.7, 0.35),
        second_voice=0.25,
    ),
    mean_others=1.2,
)

# Oswald et al. 2003 (Mar. Mamm. Sci. 19, 20) and Sanino and Fowle 2006 (Bol. Mus. Nac.
# Hist. Nat. 55, 21: mean 6.9 kHz, 3.8-13.6 kHz, 0.09-2.86 s, few inflections); 29 % of
# groups click alone, 16 % whistle alone (McCullough et al. 2023, Front. Mar. Sci. 10,
# 1147670); clicks: Au et al. 1995 (J. Acoust. Soc. Am. 98, 51).
_FALSE_KILLER = Voice(
    WhistleStyle(
        (5_200.0, 1_100.0),
        (7_200.0, 1_600.0),
        (0.45, 0.3),
        0.5,
        (0.3, 0.3, 0.08, 0.05, 0.17, 0.1),
    ),
    click_hz=33_000.0,
    only_clicks=0.29,
    only_whistles=0.16,
    mean_others=1.3,
)

# Watkins et al. 1997 (Caribb. J. Sci. 33, 34: 8-12 kHz, bursts of up to 1200 clicks a
# second), Frankel and Yin 2010 (J. Acoust. Soc. Am. 127, 3248), Baumann-Pickering et
# al. 2010 (128, 2212: clicks 24-30 kHz).
_MELON_HEADED = Voice(
    WhistleStyle(
        (7_600.0, 2_000.0),
        (11_800.0, 2_600.0),
        (0.6, 0.35),
        1.1,
        (0.14, 0.34, 0.16, 0.08, 0.13, 0.15),
    ),
    click_hz=27_000.0,
    only_clicks=0.25,
    only_whistles=0.3,
    mean_others=1.8,
)

# Steiner 1981 (as S. plagiodon), Lammers et al. 2003 (J. Acoust. Soc. Am. 114, 1629),
# Azevedo et al. 2010 (127, 2646: mostly rising), Kaplan and Reiss 2017
# (Aquat. Mamm. 43, 393: many whistles are broad-band, so overtones are common).
_ATLANTIC_SPOTTED = Voice(
    WhistleStyle(
        (7_600.0, 1_900.0),
        (13_600.0, 2_700.0),
        (0.4, 0.22),
        0.9,
        (0.06, 0.48, 0.12, 0.08, 0.14, 0.12),
        overtones=0.6,
    ),
    click_hz=34_000.0,
)

# Mullin et al. 1994 (Mar. Mamm. Sci. 10, 464: whistles of 6.3-19.2 kHz), Fertl et al.
# 1997 and Jefferson and Curry 2003 (Mamm. Species 726) for durations near 0.6 s.
_CLYMENE = Voice(
    WhistleStyle(
        (8_600.0, 2_000.0),
        (15_600.0, 2_700.0),
        (0.61, 0.32),
        1.3,
        (0.08, 0.32, 0.22, 0.1, 0.14, 0.14),
    ),
    click_hz=36_000.0,
    mean_others=1.5,
)

# Bazua-Duran and Au 2002 (J. Acoust. Soc. Am. 112, 3064: 47 % rise, mean greatest
# frequency 15.9 kHz, mean middle 12.9 kHz, 0.49 s), Camargo et al. 2006 (120, 4071:
# 10.8 kHz to 12.7 kHz, 0.495 s), clicks: Baumann-Pickering et al. 2010 (34-36 kHz).
_SPINNER = Voice(
    WhistleStyle(
        (9_900.0, 2_500.0),
        (15_900.0, 2_900.0),
        (0.49, 0.3),
        1.2,
        (0.12, 0.47, 0.11, 0.06, 0.1, 0.14),
    ),
    click_hz=35_000.0,
    mean_others=2.0,
)

# Oswald et al. 2003, Gannier et al. 2010 (Mar. Mamm. Sci. 26, 478), Azzolin et al. 2013
# (J. Acoust. Soc. Am. 133, 1126: Mediterranean whistles are shorter and lower).
_STRIPED = Voice(
    WhistleStyle(
        (8_000.0, 1_800.0),
        (14_600.0, 2_900.0),
        (0.75, 0.32),
        1.9,
        (0.05, 0.27, 0.17, 0.1, 0.13, 0.28),
    ),
    click_hz=38_000.0,
    mean_others=1.5,
)

# Steiner 1981; Hamran 2014 (thesis, Nord University) and Calderan et al. 2024 (Mar.
# Mamm. Sci., 10.1111/mms.13135) for clicks and burst pulses.
_WHITE_SIDED = Voice(
    WhistleStyle(
        (8_200.0, 1_700.0),
        (12_200.0, 2_100.0),
        (0.5, 0.3),
        0.8,
        (0.15, 0.27, 0.22, 0.1, 0.16, 0.1),
    ),
    click_hz=36_000.0,
)

DOLPHINS: tuple[Kind, ...] = (
    _kind("Long-Finned Pilot Whale", (1_500.0, 40_000.0), _LONG_FINNED),
    _kind("False Killer Whale", (3_500.0, 40_000.0), _FALSE_KILLER),
    _kind(
        "Melon-Headed Whale",
        (4_500.0, 38_000.0),
        _MELON_HEADED,
        watkins="Melon Headed Whale",
    ),
    _kind("Atlantic Spotted Dolphin", (5_500.0, 40_000.0), _ATLANTIC_SPOTTED),
    _kind("Clymene Dolphin", (6_000.0, 40_000.0), _CLYMENE),
    _kind("Spinner Dolphin", (6_500.0, 40_000.0), _SPINNER),
    _kind("Striped Dolphin", (5_500.0, 40_000.0), _STRIPED),
    _kind("White-sided Dolphin", (5_500.0, 40_000.0), _WHITE_SIDED),
)
"""Dolphins beyond those of :mod:`seacall.audio.repertoire`."""
