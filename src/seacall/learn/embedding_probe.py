"""Measure what embeddings are sorted by: the animal, or the hydrophone.

A nearest neighbour needs no training, so nothing can be fitted to the answer. Beside
each share stands what chance gives: the same neighbours with labels drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seacall.labels import UNKNOWN
from seacall.learn.bootstrap import bootstrap_weights, percentile_interval, resample

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_DRAWS = 500
"""Permutations, and resamples of the deployments."""
_SPREAD = 1e-9
"""Embeddings that differ by less in all numbers are the same."""


@dataclass(frozen=True)
class Readable:
    """How often a clip's nearest neighbour tells something of it."""

    share: float
    """Right, 0 to 1; the mean over pairs of species and deployment."""
    interval: tuple[float, float] | None
    """Of 95 %, over deployments; None: there is only one."""
    chance: float
    """The same with labels drawn anew: mean of 500 draws."""
    chance_highest: float
    """97.5 % of these draws lie below."""
    n_clips: int
    n_deployments: int
    n_species: int

    @property
    def above_chance(self) -> float:
        """Return 0 at chance and 1 where it is always right."""
        return self._above(self.share)

    @property
    def is_there(self) -> bool:
        """Whether it can be read at all.

        Both must be passed: of few deployments the interval is too narrow.
        """
        low = self.share if self.interval is None else self.interval[0]
        return low > self.chance and self.share > self.chance_highest

    @property
    def interval_above_chance(self) -> tuple[float, float]:
        """Return the interval on that scale; without one, the figure alone."""
        low, high = self.interval or (self.share, self.share)
        return self._above(low), self._above(high)

    def _above(self, share: float) -> float:
        return (share - self.chance) / max(1.0 - self.chance, _SPREAD)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"above_chance": self.above_chance}


@dataclass(frozen=True)
class Probe:
    """What embeddings are sorted by; None: these clips cannot tell."""

    deployment: Readable | None
    """Is the nearest other clip of the same species from the same deployment?"""
    species: Readable | None
    """Is the nearest clip of all other deployments of the same species?"""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "deployment_with_species_known": self.deployment
            and self.deployment.as_dict(),
            "species_with_deployment_held_out": self.species and self.species.as_dict(),
            "verdict": verdict(self),
        }


def probe(
    embeddings: npt.ArrayLike,
    species: Sequence[str],
    deployments: Sequence[str],
    *,
    rng: np.random.Generator,
) -> Probe:
    """Measure how well deployment and species can be read from embeddings.

    Only species from two deployments or more can tell; clips of ``unknown``, and clips
    whose deployment is not known, are left out.

    Parameters
    ----------
    embeddings
        Shape ``(n, length)``.
    species, deployments
        Of each clip.
    """
    pairs = {(s, d) for s, d in zip(species, deployments, strict=True) if d}
    n_places = {s: sum(one == s for one, _ in pairs) for s, _ in pairs}
    kept = np.array(
        [
            bool(d) and s != UNKNOWN and n_places[s] > 1
            for s, d in zip(species, deployments, strict=True)
        ],
        bool,
    )
    if not kept.any():
        return Probe(None, None)
    near = _similarity(np.asarray(embeddings, np.float64)[kept])
    what = np.unique(np.array(species)[kept], return_inverse=True)[1]
    where = np.unique(np.array(deployments)[kept], return_inverse=True)[1]
    return Probe(
        deployment=_deployment_known(near, what, where, rng),
        species=_species_held_out(near, what, where, rng),
    )


def directions(embeddings: FloatArray) -> FloatArray:
    """Return embeddings about their mean, each number of the same spread, length 1."""
    centred = embeddings - embeddings.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred / np.where(spread > _SPREAD, spread, np.inf)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, _SPREAD))


def _similarity(embeddings: FloatArray) -> FloatArray:
    unit = directions(embeddings)
    near = unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    return np.asarray(near)


def _deployment_known(
    near: FloatArray, what: IntArray, where: IntArray, rng: np.random.Generator
) -> Readable | None:
    # A clip that is alone in its deployment has no neighbour to be told by.
    pair = _pairs(what, where)
    asked = np.bincount(pair)[pair] > 1
    several = [
        len(np.unique(where[asked & (what == k)])) > 1 for k in range(what.max() + 1)
    ]
    asked &= np.array(several)[what]
    if not asked.any():
        return None
    near, what, where = near[np.ix_(asked, asked)], what[asked], where[asked]
    found = np.where(what[:, None] == what, near, -np.inf).argmax(axis=1)
    drawn = np.empty((N_DRAWS, len(where)), np.int64)
    for k in np.unique(what):
        rows = np.flatnonzero(what == k)
        for draw in drawn:
            draw[rows] = rng.permutation(where[rows])
    right = (drawn == drawn[:, found]).astype(np.float64)
    return _readable(where == where[found], right, what, where, rng)


def _species_held_out(
    near: FloatArray, what: IntArray, where: IntArray, rng: np.random.Generator
) -> Readable | None:
    if len(np.unique(what)) < 2:
        return None
    found = np.where(where[:, None] != where, near, -np.inf).argmax(axis=1)
    # All clips of a species from one deployment change their name together: they
    # resemble each other for more reasons than the species.
    pair = _pairs(what, where)
    names = np.array([what[pair == k][0] for k in range(pair.max() + 1)])
    drawn = np.stack([rng.permutation(names)[pair] for _ in range(N_DRAWS)])
    right = (drawn == drawn[:, found]).astype(np.float64)
    return _readable(what == what[found], right, what, where, rng)


def _pairs(what: IntArray, where: IntArray) -> IntArray:
    pair = what * (int(where.max()) + 1) + where
    return np.asarray(np.unique(pair, return_inverse=True)[1], np.int64)


def _readable(
    right: npt.NDArray[np.bool_],
    drawn: FloatArray,
    what: IntArray,
    where: IntArray,
    rng: np.random.Generator,
) -> Readable:
    """Average over pairs, so that no deployment counts for the clips that it has."""
    pair = _pairs(what, where)
    n_in = np.bincount(pair)
    shares = np.bincount(pair, right) / n_in
    place = np.unique(where, return_inverse=True)[1]
    of_pair = np.zeros(len(n_in), np.int64)
    of_pair[pair] = place
    tables = np.stack([np.bincount(of_pair, shares), np.bincount(of_pair)], axis=1)
    interval = None
    if len(tables) > 1:
        weights = bootstrap_weights(len(tables), rng=rng, n_resamples=N_DRAWS)
        total = resample(tables, weights)
        interval = percentile_interval(total[:, 0] / np.maximum(total[:, 1], 1))
    weight = 1.0 / (n_in[pair] * len(n_in))
    by_chance = drawn @ weight
    return Readable(
        share=float(shares.mean()),
        interval=interval,
        chance=float(by_chance.mean()),
        chance_highest=float(np.quantile(by_chance, 0.975)),
        n_clips=len(right),
        n_deployments=len(tables),
        n_species=len(np.unique(what)),
    )


def verdict(found: Probe) -> str:
    """Say in words what the embeddings are sorted by."""
    if found.deployment is None or found.species is None:
        return (
            "These clips cannot tell: it takes two species, from two deployments each, "
            "with two clips in each."
        )
    place, animal = found.deployment, found.species
    (low, high), (animal_low, animal_high) = (
        one.interval_above_chance for one in (place, animal)
    )
    if not place.is_there and not animal.is_there:
        return "Neither the animal nor the hydrophone can be read: it sorts by neither."
    if not animal.is_there or (place.is_there and low > animal_high):
        return (
            "It sorts by hydrophone more than by animal: expect worse figures on a "
            "recorder that it never heard."
        )
    if not place.is_there or animal_low > high:
        return "It sorts by animal more than by hydrophone."
    return (
        "It sorts by animal and by hydrophone, and these clips do not tell by which "
        "more: part of what it knows is the recorder."
    )


def lines(found: Probe) -> list[str]:
    """Say all of it, a sentence each."""
    said = []
    if found.deployment is not None:
        said.append(
            "Hydrophone: with the species known, the nearest other clip is from the "
            f"same deployment in {_told(found.deployment)}"
        )
    if found.species is not None:
        said.append(
            "Animal: with its own deployment left out, the nearest clip is of the same "
            f"species in {_told(found.species)}"
        )
    return [*said, verdict(found)]


def _told(one: Readable) -> str:
    edges = one.interval
    interval = "" if edges is None else f"({edges[0]:.0%} to {edges[1]:.0%}) "
    return (
        f"{one.share:.0%} {interval}of cases, by chance in {one.chance:.0%}; "
        f"{one.n_clips:,} clips of {one.n_species} species from {one.n_deployments} "
        "deployments."
    )
