"""Choose whistles from what is published of a species: means, spreads, shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seacall.audio.calls import Animal
from seacall.audio.synth import Tone

SHAPES = ("constant", "upsweep", "downsweep", "concave", "convex", "sine")
"""Contours as Bazua-Duran and Au (2002, J. Acoust. Soc. Am. 112, 3064) name them."""


@dataclass(frozen=True)
class WhistleStyle:
    """A species' whistles, as papers tabulate them: (mean, standard deviation)."""

    low_hz: tuple[float, float]
    """Least frequency of the contour."""
    high_hz: tuple[float, float]
    """Greatest frequency of the contour."""
    duration_s: tuple[float, float]
    inflections: float
    """Mean number of turns of a sine-shaped contour beyond the first."""
    shapes: tuple[float, float, float, float, float, float]
    """Shares of `SHAPES`; they need not sum to 1."""
    overtones: float = 0.4
    """Share of whistles with harmonics."""


def log_normal(rng: np.random.Generator, mean_and_sd: tuple[float, float]) -> float:
    """Draw a positive number of this mean and standard deviation.

    With s^2 = ln(1 + sd^2 / mean^2), the logarithm has the mean ln(mean) - s^2 / 2 and
    the standard deviation s.
    """
    mean, sd = mean_and_sd
    variance = np.log1p((sd / mean) ** 2)
    return float(np.exp(rng.normal(np.log(mean) - variance / 2, np.sqrt(variance))))


def choose_styled_whistle(
    rng: np.random.Generator, style: WhistleStyle, *, animal: Animal
) -> Tone:
    """Choose one whistle of a species.

    Parameters
    ----------
    rng
        Source of the choice.
    style
        The species.
    animal
        Its pitch and tempo.

    Returns
    -------
    tone
        Starting at 0 s; its contour lies between a least and a greatest frequency that
        are drawn for it, log-normal, and kept within 2.5 standard deviations.
    """
    low_hz = animal.pitch * _within(rng, style.low_hz)
    high_hz = max(animal.pitch * _within(rng, style.high_hz), 1.06 * low_hz)
    shape = _choose_shape(rng, style)
    knots_hz = _contour(rng, shape, low_hz, high_hz, turns=style.inflections)
    duration_s = animal.tempo * _within(rng, style.duration_s)
    return Tone(
        max(duration_s, 0.05), knots_hz, harmonics_db=_harmonics(rng, style.overtones)
    )


def _within(rng: np.random.Generator, mean_and_sd: tuple[float, float]) -> float:
    mean, sd = mean_and_sd
    value = log_normal(rng, mean_and_sd)
    return float(np.clip(value, max(mean - 2.5 * sd, 0.15 * mean), mean + 2.5 * sd))


def _choose_shape(rng: np.random.Generator, style: WhistleStyle) -> str:
    shares = np.asarray(style.shapes)
    return SHAPES[int(rng.choice(len(SHAPES), p=shares / shares.sum()))]


def _harmonics(rng: np.random.Generator, share: float) -> tuple[float, ...]:
    """Levels of fundamental and overtones, dB: the second 8 to 25 dB down."""
    if rng.random() >= share:
        return (0.0,)
    second_db = -rng.uniform(8.0, 25.0)
    return (0.0, second_db, second_db - rng.uniform(3.0, 12.0))


def _contour(
    rng: np.random.Generator, shape: str, low_hz: float, high_hz: float, *, turns: float
) -> tuple[float, ...]:
    """Return knots of a contour between two frequencies, which it touches.

    A constant whistle keeps to a tenth of the range in the middle of it.
    """
    width = np.log(high_hz / low_hz)
    heights = _heights(rng, shape, turns=turns)
    return tuple(float(low_hz * np.exp(width * h)) for h in heights)


def _heights(rng: np.random.Generator, shape: str, *, turns: float) -> list[float]:
    """Knots from 0, the least frequency, to 1, the greatest."""
    bend, edge = float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.3, 0.95))
    if shape == "constant":
        middle = float(rng.uniform(0.2, 0.8))
        return [middle, middle + float(rng.uniform(-0.08, 0.08)), middle]
    if shape == "sine":
        return _wave(rng, n_knots=4 + int(rng.poisson(turns)))
    flat = {
        "upsweep": [0.0, bend, 1.0],
        "downsweep": [1.0, bend, 0.0],
        "concave": [1.0, 0.15, 0.0, 0.15, edge],
        "convex": [0.0, 0.85, 1.0, 0.85, 1.0 - edge],
    }[shape]
    return flat if rng.random() < 0.5 or shape.endswith("sweep") else flat[::-1]


def _wave(rng: np.random.Generator, *, n_knots: int) -> list[float]:
    """Alternate between high and low knots; one of each touches its limit."""
    first = int(rng.integers(2))
    heights = [
        float(rng.uniform(0.65, 1.0) if (i + first) % 2 else rng.uniform(0.0, 0.35))
        for i in range(n_knots)
    ]
    heights[int(np.argmax(heights))] = 1.0
    heights[int(np.argmin(heights))] = 0.0
    return heights
