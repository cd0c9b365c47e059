"""What a simulated species is, and how its calls follow one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seacall.audio.calls import Animal, choose_animal
from seacall.audio.synth import Call, Unit, shifted

Choose = Callable[[np.random.Generator, Animal, float], Call]
"""(generator, animal, seconds to fill) -> call."""

Repertoire = Literal["plain", "full"]

SIMULATED = "Simulated "
"""What the label of every simulated species begins with."""


@dataclass(frozen=True)
class Kind:
    """A simulated species."""

    label: str
    band_hz: tuple[float, float]
    """Where the centre of gravity of its calls' spectrum lies."""
    choose: Choose
    watkins: str = ""
    """Its name in the Watkins database, where that is not the common name."""
    plain: Choose | None = None
    """What it is best known for, and nothing else; None: as ``choose``."""

    @property
    def common_name(self) -> str:
        """The species' own name: the label without ``Simulated``."""
        return self.label.removeprefix(SIMULATED)

    def limited_to(self, repertoire: Repertoire) -> Kind:
        """Return the kind with all that it says, or with what it is known for."""
        if repertoire == "full" or self.plain is None:
            return self
        return replace(self, choose=self.plain)


def bout(
    rng: np.random.Generator,
    choose: Callable[[], Unit],
    pause_s: tuple[float, float],
    duration_s: float,
) -> Call:
    """Repeat a unit, chosen anew each time, until nothing more fits; at least once.

    Parameters
    ----------
    rng
        Chooses start and pauses.
    choose
        Gives the next unit, starting at 0 s.
    pause_s
        Shortest and longest silence between two units.
    duration_s
        Seconds to fill.
    """
    unit = choose()
    spare_s = max(duration_s - unit.end_s, 0.0)
    t = rng.uniform(0.0, min(0.05 + 0.5 * spare_s, 1.0))
    units: list[Unit] = []
    while not units or t + unit.end_s <= duration_s:
        units.append(shifted(unit, t))
        t += unit.end_s + rng.uniform(*pause_s)
        unit = choose()
    return tuple(units)


def quieter(call: Call, by_db: float) -> Call:
    """Return the same call from an animal farther away."""
    return tuple(replace(unit, gain_db=unit.gain_db - by_db) for unit in call)


def company(
    rng: np.random.Generator,
    choose: Choose,
    duration_s: float,
    *,
    mean_others: float,
    farther_db: tuple[float, float] = (2.0, 15.0),
) -> Call:
    """Choose what other animals of the group say meanwhile, each somewhat farther off.

    Their number is drawn from a Poisson distribution: a mean of 0 means never one.
    """
    calls: Call = ()
    for _ in range(int(rng.poisson(mean_others))):
        theirs = choose(rng, choose_animal(rng), duration_s)
        calls += quieter(theirs, rng.uniform(*farther_db))
    return calls
