"""Choose at random how a clip is varied; :mod:`seacall.audio.augment` does it.

A choice is in seconds, hertz and decibels: the same one can be made of the same clip at
two sample rates, so that teachers with other front ends hear what the student hears.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seacall.audio import augment
from seacall.audio.sea import Sea, Ship, sea_noise, ship_noise
from seacall.augmentation import AugmentSettings

Float32 = NDArray[np.float32]
Pairs = tuple[tuple[float, float], ...]

SEA_RATE = 48_000
"""Rate at which a sea is simulated, Hz: that of the profile with the widest band."""
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 24_000.0  # of the equaliser's points


@dataclass(frozen=True)
class Change:
    """What is done to a clip; as it stands, nothing."""

    speed: float = 1.0
    """Factor."""
    shift: float = 0.0
    """Share of the clip's length."""
    echoes: Pairs = ()
    """(delay in s, factor) of each."""
    snr_db: float | None = None
    """Of the clip over a background, dB; None: no background."""
    background_seed: int = 0
    """Decides which background."""
    equaliser: Pairs = ()
    """(Hz, dB) of each point."""
    low_hz: float | None = None
    high_hz: float | None = None
    roll_off_octaves: float = 1.0
    """Of the band limit."""
    rate_hz: float | None = None
    """Sample rate to go through; None: none."""
    gain_db: float = 0.0


def choose_change(rng: np.random.Generator, settings: AugmentSettings) -> Change:
    """Choose one view of a clip.

    Each kind of change draws from a generator of its own: to switch one off leaves what
    the others do as it was.
    """
    change = Change()
    for choose, own in zip(_CHOICES, rng.spawn(len(_CHOICES)), strict=True):
        change = choose(change, own, settings)
    return change


def apply_change(
    y: Float32,
    change: Change,
    *,
    sample_rate: int,
    background: Float32 | None = None,
    fit: Literal["pad", "tile"] = "tile",
) -> Float32:
    """Do to a clip what was chosen, in the order of a sound on its way.

    Parameters
    ----------
    y
        Clip, shape ``(n,)``.
    background
        Shape ``(n,)``; needed where ``change.snr_db`` is a number.
    fit
        What fills up a clip that has become shorter.

    Raises
    ------
    ValueError
        If the background is missing.
    """
    rate = sample_rate
    if change.speed != 1.0:
        y = augment.change_speed(y, factor=change.speed, sample_rate=rate, fit=fit)
    if change.shift:
        y = augment.shift(y, by_s=change.shift * len(y) / rate, sample_rate=rate)
    if change.echoes:
        y = augment.echo(y, echoes=change.echoes, sample_rate=rate)
    if change.snr_db is not None:
        if background is None:
            raise ValueError("need a background for a change with snr_db, got none")
        y = augment.mix_at_snr(y, background, snr_db=change.snr_db)
    return augment.amplify(_recorded(y, change, rate), gain_db=change.gain_db)


def _recorded(y: Float32, change: Change, rate: int) -> Float32:
    """Take a clip through another recorder."""
    if change.equaliser:
        hz, gain_db = np.array(change.equaliser).T
        y = augment.equalise(y, hz=hz, gain_db=gain_db, sample_rate=rate)
    if change.low_hz is not None or change.high_hz is not None:
        y = augment.band_limit(
            y,
            low_hz=change.low_hz,
            high_hz=change.high_hz,
            roll_off_octaves=change.roll_off_octaves,
            sample_rate=rate,
        )
    if change.rate_hz is not None:
        y = augment.through_rate(y, rate_hz=change.rate_hz, sample_rate=rate)
    return y


def simulated_background(
    rng: np.random.Generator, *, duration_s: float
) -> NDArray[np.float32]:
    """Draw a stretch of sea at :data:`SEA_RATE`: weather, shrimps, perhaps a ship.

    Returns
    -------
    y
        Shape ``(samples,)``, of unit mean power.
    """
    sea = Sea(
        wind_m_s=float(rng.uniform(0.0, 15.0)),
        shipping=float(rng.uniform()),
        rain_db=float(rng.uniform(60.0, 80.0)) if rng.uniform() < 0.2 else None,
        snaps_per_s=float(rng.uniform(0.0, 20.0)) if rng.uniform() < 0.3 else 0.0,
    )
    y = sea_noise(rng, sea, sample_rate=SEA_RATE, duration_s=duration_s)
    if rng.uniform() < 0.3:
        ship = Ship(
            level_db=float(rng.uniform(80.0, 120.0)),
            blade_hz=float(rng.uniform(2.0, 15.0)),
            firing_hz=float(rng.uniform(5.0, 60.0)),
        )
        y = y + ship_noise(rng, ship, sample_rate=SEA_RATE, duration_s=duration_s)
    return np.asarray(y / np.sqrt(np.mean(y**2)), np.float32)


def _log_uniform(rng: np.random.Generator, pair: tuple[float, float]) -> float:
    return float(math.exp(rng.uniform(math.log(pair[0]), math.log(pair[1]))))


def _speed(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.speed
    if rng.uniform() >= own.probability:
        return change
    return replace(change, speed=_log_uniform(rng, own.factor))


def _shift(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    if rng.uniform() >= settings.shift.probability:
        return change
    return replace(change, shift=float(rng.uniform()))


def _echo(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.echo
    if rng.uniform() >= own.probability:
        return change
    decay_s = _log_uniform(rng, own.decay_s)
    level = 10.0 ** (rng.uniform(*own.level_db) / 20.0)
    delays_s = rng.exponential(decay_s, own.n_echoes)
    signs = rng.choice([-1.0, 1.0], own.n_echoes)
    factors = signs * level * np.exp(-delays_s / decay_s)
    pairs = zip(delays_s.tolist(), factors.tolist(), strict=True)
    return replace(change, echoes=tuple(pairs))


def _background(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.background
    if rng.uniform() >= own.probability:
        return change
    snr_db = float(rng.uniform(*own.snr_db))
    return replace(change, snr_db=snr_db, background_seed=int(rng.integers(2**32)))


def _equaliser(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.equaliser
    if rng.uniform() >= own.probability:
        return change
    n = 2 + math.ceil(math.log2(_HIGHEST_HZ / _LOWEST_HZ) / own.octaves)
    hz = _LOWEST_HZ * 2.0 ** (own.octaves * (np.arange(n) - rng.uniform()))
    gain_db = rng.uniform(-own.range_db, own.range_db, n)
    pairs = zip(hz.tolist(), gain_db.tolist(), strict=True)
    return replace(change, equaliser=tuple(pairs))


def _band_limit(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.band_limit
    if rng.uniform() >= own.probability:
        return change
    sides = ("low", "high", "both")[rng.integers(3)]
    low_hz, high_hz = _log_uniform(rng, own.low_hz), _log_uniform(rng, own.high_hz)
    return replace(
        change,
        low_hz=None if sides == "high" else low_hz,
        high_hz=None if sides == "low" else high_hz,
        roll_off_octaves=_log_uniform(rng, own.roll_off_octaves),
    )


def _resample(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.resample
    if rng.uniform() >= own.probability:
        return change
    return replace(change, rate_hz=_log_uniform(rng, own.rate_hz))


def _gain(
    change: Change, rng: np.random.Generator, settings: AugmentSettings
) -> Change:
    own = settings.gain
    if rng.uniform() >= own.probability:
        return change
    return replace(change, gain_db=float(rng.uniform(*own.gain_db)))


_CHOICES = (
    _speed,
    _shift,
    _echo,
    _background,
    _equaliser,
    _band_limit,
    _resample,
    _gain,
)
