"""Choose what killer whales, sperm whales, belugas and narwhals say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_burst_pulse,
    choose_coda,
    choose_echolocation,
    choose_noisy_call,
    choose_slow_clicks,
    log_uniform,
)
from seacall.audio.kind import Choose, Kind, bout, company
from seacall.audio.pulsed import PulsedStyle, choose_pulsed
from seacall.audio.schools import Voice, choose_school
from seacall.audio.synth import Call, Unit, shifted
from seacall.audio.whistles import WhistleStyle, choose_styled_whistle

# Ford 1989 (Can. J. Zool. 67, 727): discrete calls of 0.5-1.5 s, pulse rates of
# 250-1500 a second with sudden shifts, most energy at 1-6 kHz.
_KILLER_CALLS = PulsedStyle(
    share=0.8,
    rate_hz=(250.0, 1_500.0),
    formant_hz=(1_200.0, 5_000.0),
    duration_s=(0.85, 0.3),
    # Miller and Bain 2000 (Anim. Behav. 60, 617): about half of the discrete call types
    # have an upper part of 2-12 kHz.
    second_voice=0.4,
)
# Thomsen et al. 2001 (J. Acoust. Soc. Am. 109, 1240): 1.5-18 kHz, mean dominant
# frequency 8.3 kHz, mean band 4.5 kHz, mean duration 1.8 s, many modulations. Clicks:
# Eskesen et al. 2011 (130, 9: centroid 32 kHz on the axis of the beam).
_KILLER = Voice(
    WhistleStyle(
        (5_800.0, 1_900.0),
        (10_300.0, 2_600.0),
        (1.2, 0.7),
        3.0,
        (0.08, 0.2, 0.1, 0.08, 0.1, 0.44),
    ),
    click_hz=24_000.0,
    pulsed=_KILLER_CALLS,
    only_clicks=0.1,
    only_whistles=0.6,
    mean_others=0.6,
    pause_s=(0.2, 1.0),
)

# Sjare and Smith 1986 (Can. J. Zool. 64, 407 and 2824): mean whistle frequencies of
# 2.0-5.9 kHz and durations of 0.25-1.95 s, 16 contours; pulsed tones of 204-1289 pulses
# a second; noisy calls; click series.
_BELUGA_WHISTLES = WhistleStyle(
    (2_900.0, 1_100.0),
    (4_900.0, 1_500.0),
    (0.7, 0.4),
    2.0,
    (0.28, 0.2, 0.12, 0.08, 0.1, 0.22),
)
_BELUGA_PULSED = PulsedStyle(
    share=0.3,
    rate_hz=(200.0, 1_290.0),
    formant_hz=(1_800.0, 6_000.0),
    duration_s=(0.7, 0.35),
)
# Belikov and Bel'kovich 2006 (Acoust. Phys. 52, 125): 7.7 % of sounds are whistles
# above 5 kHz, mean 9.7 kHz, band 3.3 kHz, 1.0 s; half of them flat.
_BELUGA_HIGH = WhistleStyle(
    (8_000.0, 1_700.0),
    (11_200.0, 2_200.0),
    (1.0, 0.5),
    1.5,
    (0.5, 0.23, 0.08, 0.06, 0.06, 0.07),
)

# Ford and Fisher 1978 (Rep. Int. Whal. Comm. 28, 469): whistles of 0.3-10 kHz, pulsed
# series; Marcoux et al. 2012 (Mar. Mamm. Sci. 28): most whistles are flat; Shapiro 2006
# (J. Acoust. Soc. Am. 120, 1695): pulsed calls of an animal's own.
_NARWHAL_WHISTLES = WhistleStyle(
    (2_200.0, 1_200.0),
    (3_600.0, 1_700.0),
    (0.75, 0.4),
    0.4,
    (0.5, 0.15, 0.15, 0.05, 0.1, 0.05),
)
_NARWHAL_PULSED = PulsedStyle(
    share=0.35,
    rate_hz=(80.0, 500.0),
    formant_hz=(1_000.0, 5_000.0),
    duration_s=(0.9, 0.45),
)


def _narwhal(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    calls = _monodontid(
        rng,
        animal,
        duration_s,
        whistles=_NARWHAL_WHISTLES,
        pulsed=_NARWHAL_PULSED,
        noisy_share=0.05,
    )
    if rng.random() < 0.7:
        return calls
    # Miller et al. 1995 (Mar. Mamm. Sci. 11, 491): slow trains of 3-10 clicks a second.
    clicks = choose_echolocation(
        rng,
        centre_hz=animal.pitch * rng.uniform(14_000.0, 30_000.0),
        interval_s=animal.tempo * log_uniform(rng, 0.1, 0.33),
        duration_s=0.9 * duration_s,
    )
    return (*calls, replace(clicks, gain_db=-3.0))


def _monodontid(
    rng: np.random.Generator,
    animal: Animal,
    duration_s: float,
    *,
    whistles: WhistleStyle,
    pulsed: PulsedStyle,
    noisy_share: float,
) -> Call:
    """Choose whistles, pulsed tones and noisy calls in a row."""

    def call() -> Unit:
        draw = rng.random()
        if draw < noisy_share:
            centre_hz = animal.pitch * log_uniform(rng, 1_500.0, 6_000.0)
            return choose_noisy_call(rng, centre_hz=centre_hz, duration_s=(0.2, 1.0))
        if draw < noisy_share + pulsed.share:
            return choose_pulsed(rng, pulsed, animal=animal)
        return choose_styled_whistle(rng, whistles, animal=animal)

    return bout(rng, call, (0.05, 0.6), duration_s)


def _one_beluga(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    high = rng.random() < 0.08
    return _monodontid(
        rng,
        animal,
        duration_s,
        whistles=_BELUGA_HIGH if high else _BELUGA_WHISTLES,
        pulsed=_BELUGA_PULSED,
        noisy_share=0.12,
    )


def _beluga(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose what a herd says: it is loud and many-voiced, with clicks in between."""
    calls = _one_beluga(rng, animal, duration_s)
    calls += company(rng, _one_beluga, duration_s, mean_others=0.5)
    draw = rng.random()
    if draw < 0.2:
        centre_hz = animal.pitch * rng.uniform(2_500.0, 7_000.0)
        buzz = choose_burst_pulse(rng, centre_hz=centre_hz, duration_s=(0.2, 0.8))
        return (*calls, shifted(buzz, rng.uniform(0.0, 0.3) * duration_s))
    if draw < 0.3:
        clicks = choose_echolocation(
            rng,
            centre_hz=animal.pitch * rng.uniform(14_000.0, 40_000.0),
            interval_s=animal.tempo * log_uniform(rng, 0.015, 0.08),
            duration_s=0.8 * duration_s,
        )
        return (*calls, replace(clicks, gain_db=-3.0))
    return calls


def _sperm_whale(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose usual clicks, a coda, a creak, or slow clicks; often of several whales."""
    choose = _one_sperm_whale(rng)
    calls = choose(rng, animal, duration_s)
    others = 0.8 if choose is _usual_clicks else 0.2
    return calls + company(rng, _usual_clicks, duration_s, mean_others=others)


def _one_sperm_whale(rng: np.random.Generator) -> Choose:
    draw = rng.random()
    for share, choose in ((0.55, _usual_clicks), (0.8, _coda), (0.93, _creak)):
        if draw < share:
            return choose
    return _clangs


def _pulse_interval_s(animal: Animal) -> float:
    """Twice the length of the spermaceti organ over the speed of sound: 3-7 ms."""
    return float(animal.own().uniform(0.003, 0.007))


def _usual_clicks(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose echolocation at 0.5-2 a second (Goold and Jones 1995, JASA 98, 1279)."""
    interval_s = animal.tempo * rng.uniform(0.45, 1.1)
    start_s = rng.uniform(0.1, 0.9) * min(interval_s, duration_s)
    clicks = choose_slow_clicks(
        rng,
        pitch=animal.pitch,
        interval_s=interval_s,
        pulse_interval_s=_pulse_interval_s(animal),
        duration_s=duration_s - start_s,
    )
    return (shifted(clicks, start_s),)


def _coda(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose codas (Weilgart and Whitehead 1993, Can. J. Zool. 71, 744)."""

    def coda() -> Unit:
        return choose_coda(
            rng,
            pitch=animal.pitch,
            tempo=animal.tempo,
            pulse_interval_s=_pulse_interval_s(animal),
        )

    return bout(rng, coda, (1.0, 4.0), duration_s)


def _creak(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose a creak: 20 to 60 clicks a second (Miller et al. 2004)."""
    start_s = rng.uniform(0.0, 0.3) * duration_s
    centre_hz = animal.pitch * rng.uniform(7_000.0, 12_000.0)
    creak = choose_echolocation(
        rng,
        centre_hz=centre_hz,
        interval_s=animal.tempo * log_uniform(rng, 0.016, 0.05),
        duration_s=duration_s - start_s,
    )
    return (shifted(creak, start_s),)


def _clangs(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
    """Choose a male's slow clicks: every 5-7 s, ringing, at 2-4 kHz (Madsen 2002)."""
    centre_hz = animal.pitch * rng.uniform(2_300.0, 4_000.0)
    clicks = choose_slow_clicks(
        rng,
        pitch=animal.pitch,
        interval_s=animal.tempo * rng.uniform(4.5, 7.0),
        pulse_interval_s=_pulse_interval_s(animal),
        duration_s=duration_s,
    )
    ringing = replace(clicks, centre_hz=centre_hz, bandwidth_hz=0.5 * centre_hz)
    return (shifted(ringing, rng.uniform(0.1, 0.6) * duration_s),)


KILLER = Kind(
    "Simulated Killer Whale", (800.0, 34_000.0), partial(choose_school, _KILLER)
)
SPERM = Kind("Simulated Sperm Whale", (1_800.0, 16_000.0), _sperm_whale)
BELUGA = Kind(
    "Simulated Beluga", (1_000.0, 30_000.0), _beluga, watkins="Beluga White Whale"
)
NARWHAL = Kind("Simulated Narwhal", (500.0, 26_000.0), _narwhal)
