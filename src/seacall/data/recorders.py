"""Choose the instruments of simulated deployments: modern ones, or any of 70 years."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seacall.audio.calls import log_uniform
from seacall.audio.chain import Chain
from seacall.audio.sea import Sea
from seacall.audio.transmission import Recorder

Recorders = Literal["modern", "any"]

SAMPLE_RATES = (48_000, 96_000, 44_100, 64_000, 32_000)
"""Rates of modern recorders in turn, Hz."""

ANY_RATES = (
    *(5_000, 8_000, 10_000, 16_000, 20_000, 22_050, 24_000, 30_000, 32_000),
    *(40_000, 44_100, 48_000, 64_000, 81_920, 96_000),
)
"""Rates at which old and new recordings lie in archives, Hz."""


@dataclass(frozen=True)
class Setup:
    """An instrument, where it hangs, and what it hears there."""

    recorder: Recorder
    chain: Chain
    sea: Sea
    water_depth_m: float
    range_m: float
    """Usual distance of an animal."""


def choose_modern(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose an autonomous recorder on a mooring."""
    return Setup(
        recorder=_choose_response(rng, sample_rate=sample_rate),
        chain=Chain(),
        sea=Sea(
            wind_m_s=rng.uniform(2.0, 12.0),
            shipping=rng.uniform(0.1, 0.9),
            snaps_per_s=rng.uniform(5.0, 40.0) if rng.random() < 0.3 else 0.0,
        ),
        water_depth_m=rng.uniform(25.0, 250.0),
        range_m=log_uniform(rng, 100.0, 2_000.0),
    )


def _choose_response(
    rng: np.random.Generator,
    *,
    sample_rate: int,
    high_pass_hz: tuple[float, float] = (8.0, 50.0),
    low_pass: tuple[float, float] = (0.36, 0.47),
) -> Recorder:
    """Choose a response; ``low_pass`` is a part of the sample rate."""
    resonances = tuple(
        (
            log_uniform(rng, 300.0, 0.4 * sample_rate),
            rng.uniform(2.0, 12.0),
            rng.uniform(-8.0, 10.0),
        )
        for _ in range(int(rng.integers(1, 4)))
    )
    return Recorder(
        high_pass_hz=log_uniform(rng, *high_pass_hz),
        low_pass_hz=sample_rate * rng.uniform(*low_pass),
        tilt_db_per_octave=rng.normal(0.0, 0.8),
        resonances=resonances,
        self_noise_db=rng.uniform(22.0, 42.0),
        full_scale_db=rng.uniform(138.0, 156.0),
    )


def _choose_tape(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose a reel or cassette recorder on a boat, digitised later.

    Tape ends before the file does: below 0.36 of the sample rate more often than not.
    """
    return Setup(
        recorder=_choose_response(
            rng,
            sample_rate=sample_rate,
            high_pass_hz=(15.0, 250.0),
            low_pass=(0.15, 0.47),
        ),
        chain=Chain(
            hiss_db=rng.uniform(-30.0, 3.0),
            hum_db=rng.uniform(-25.0, 3.0) if rng.random() < 0.4 else None,
            hum_hz=float(rng.choice([50.0, 60.0])),
            flutter=log_uniform(rng, 3e-4, 6e-3),
            flutter_hz=log_uniform(rng, 0.6, 12.0),
            drive=rng.uniform(0.3, 2.5) if rng.random() < 0.4 else 0.0,
        ),
        sea=Sea(wind_m_s=rng.uniform(0.5, 8.0), shipping=rng.uniform(0.0, 0.7)),
        water_depth_m=log_uniform(rng, 20.0, 1_500.0),
        range_m=log_uniform(rng, 20.0, 1_500.0),
    )


def _choose_hand_held(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose a hydrophone on a cable from a boat that drifts and rolls."""
    return Setup(
        recorder=_choose_response(
            rng, sample_rate=sample_rate, high_pass_hz=(5.0, 120.0)
        ),
        chain=Chain(
            flow_db=rng.uniform(-10.0, 10.0),
            flow_slope_db=rng.uniform(-12.0, -6.0),
            hiss_db=rng.uniform(-30.0, -5.0) if rng.random() < 0.5 else None,
        ),
        sea=Sea(wind_m_s=rng.uniform(0.5, 7.0), shipping=rng.uniform(0.0, 0.9)),
        water_depth_m=log_uniform(rng, 10.0, 800.0),
        range_m=log_uniform(rng, 10.0, 800.0),
    )


def _choose_pool(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose a hydrophone in a pool: pumps, hum, and walls that echo."""
    return Setup(
        recorder=_choose_response(
            rng, sample_rate=sample_rate, high_pass_hz=(15.0, 200.0)
        ),
        chain=Chain(
            hiss_db=rng.uniform(-25.0, 0.0) if rng.random() < 0.6 else None,
            hum_db=rng.uniform(-20.0, 6.0),
            hum_hz=float(rng.choice([50.0, 60.0])),
            reverberation_s=log_uniform(rng, 0.15, 1.5),
            echoes_db=rng.uniform(-15.0, 0.0),
            seed=int(rng.integers(2**31)),
        ),
        sea=Sea(wind_m_s=0.5, shipping=rng.uniform(0.0, 0.3)),
        water_depth_m=rng.uniform(2.5, 8.0),
        range_m=log_uniform(rng, 1.0, 15.0),
    )


def _choose_towed(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose an array behind a ship: flow noise, and a high-pass against it."""
    return Setup(
        recorder=_choose_response(
            rng, sample_rate=sample_rate, high_pass_hz=(50.0, 1_500.0)
        ),
        chain=Chain(
            flow_db=rng.uniform(0.0, 15.0), flow_slope_db=rng.uniform(-12.0, -6.0)
        ),
        sea=Sea(wind_m_s=rng.uniform(2.0, 10.0), shipping=rng.uniform(0.5, 1.0)),
        water_depth_m=log_uniform(rng, 100.0, 4_000.0),
        range_m=log_uniform(rng, 50.0, 2_000.0),
    )


_STYLES: tuple[tuple[float, Callable[..., Setup]], ...] = (
    (0.35, _choose_tape),
    (0.2, _choose_hand_held),
    (0.1, _choose_pool),
    (0.15, _choose_towed),
    (0.2, choose_modern),
)
"""Shares of instruments among ``any``."""


def choose_any(rng: np.random.Generator, *, sample_rate: int) -> Setup:
    """Choose an instrument of any age: tape, hand-held, pool, towed or moored."""
    shares = [share for share, _ in _STYLES]
    _, choose = _STYLES[int(rng.choice(len(_STYLES), p=shares))]
    return choose(rng, sample_rate=sample_rate)


def choose_setup(
    rng: np.random.Generator, index: int, *, seed: int, recorders: Recorders
) -> tuple[int, Setup]:
    """Choose sample rate (Hz) and instrument of a deployment, by its number.

    Rates come in turn. Those of ``any`` begin where the seed says and go on by about
    half of the list, so that even few deployments have low and high ones.
    """
    if recorders == "modern":
        sample_rate = SAMPLE_RATES[index % len(SAMPLE_RATES)]
        return sample_rate, choose_modern(rng, sample_rate=sample_rate)
    first = int(np.random.default_rng([seed, 3]).integers(len(ANY_RATES)))
    sample_rate = ANY_RATES[(first + 7 * index) % len(ANY_RATES)]
    return sample_rate, choose_any(rng, sample_rate=sample_rate)
