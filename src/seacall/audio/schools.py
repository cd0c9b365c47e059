"""Choose what a school of dolphins says: whistles, clicks, burst pulses, calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from seacall.audio.calls import (
    Animal,
    choose_burst_pulse,
    choose_echolocation,
    log_uniform,
    varied,
)
from seacall.audio.kind import bout, company
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
    signature: float = 1 / 3
    """Share of bouts that repeat a contour of the animal's own: such repetitions were
    found in all five species of Steiner (1981)."""
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
    """Choose an animal's whistles or pulsed calls."""
    if voice.pulsed and rng.random() < voice.pulsed.share:
        return _pulsed_bout(voice.pulsed, rng, animal, duration_s)
    if rng.random() < voice.signature:
        own = choose_styled_whistle(animal.own(), voice.whistles, animal=animal)
        return bout(rng, lambda: varied(rng, own), voice.pause_s, duration_s)
    return bout(
        rng,
        lambda: choose_styled_whistle(rng, voice.whistles, animal=animal),
        voice.pause_s,
        duration_s,
    )


def _pulsed_bout(
    style: PulsedStyle, rng: np.random.Generator, animal: Animal, duration_s: float
) -> Call:
    """Choose calls of an animal's dialect; some animals have a voice above them."""
    own = animal.own()
    dialect = [choose_pulsed(own, style, animal=animal) for _ in range(4)]
    calls = bout(
        rng,
        lambda: varied(rng, dialect[int(rng.integers(len(dialect)))]),
        (0.1, 0.9),
        duration_s,
    )
    if own.random() >= style.second_voice:
        return calls
    upper_hz = animal.pitch * log_uniform(own, 3_500.0, 10_000.0)
    upper = (
        Tone(0.9 * u.duration_s, (upper_hz, 1.15 * upper_hz), u.start_s, gain_db=-3.0)
        for u in calls
        if isinstance(u, Tone)
    )
    return (*calls, *upper)


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
