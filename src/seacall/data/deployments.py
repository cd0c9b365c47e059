"""Choose the simulated deployments: recorders, places, weather, animals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seacall.audio.calls import Animal, choose_animal
from seacall.audio.chain import Chain
from seacall.audio.kind import Kind
from seacall.audio.repertoire import KINDS, N_FIRST
from seacall.audio.sea import Sea
from seacall.audio.transmission import Recorder
from seacall.data.recorders import Recorders, choose_setup


@dataclass(frozen=True)
class Deployment:
    """One recorder at one place, and who lives there."""

    name: str
    sample_rate: int
    recorder: Recorder
    chain: Chain
    sea: Sea
    """Usual weather and traffic; each recording varies around it."""
    water_depth_m: float
    range_m: float
    """Usual distance of an animal."""
    snr_shift_db: float
    """How much better than elsewhere calls come through here."""
    animals: tuple[tuple[Animal, ...], ...]
    """Individuals of each kind, in the order of ``KINDS``."""
    n_clips: tuple[int, ...]
    """Files of each kind, and of ``unknown`` last."""


@dataclass(frozen=True)
class Scene:
    """What all clips of one recording share."""

    animal: Animal
    sea: Sea
    range_m: float
    source_depth_m: float


def choose_deployment(
    index: int,
    *,
    seed: int,
    n_species: int,
    n_clips: int,
    recorders: Recorders = "modern",
) -> Deployment:
    """Choose one deployment; it depends on the seed and its own number alone.

    Parameters
    ----------
    index
        Its number, from 0.
    seed
        Of the whole set.
    n_species
        Kinds of animals that live there, without ``unknown``.
    n_clips
        Mean number of files of each class.
    recorders
        Today's moored recorders, or any instrument of the last 70 years.
    """
    rng = np.random.default_rng([seed, index])
    sample_rate, setup = choose_setup(rng, index, seed=seed, recorders=recorders)
    return Deployment(
        name=f"D{index + 1:02d}",
        sample_rate=sample_rate,
        recorder=setup.recorder,
        chain=setup.chain,
        sea=setup.sea,
        water_depth_m=setup.water_depth_m,
        range_m=setup.range_m,
        snr_shift_db=rng.normal(0.0, 2.0),
        animals=tuple(
            tuple(choose_animal(rng) for _ in range(int(rng.integers(1, 4))))
            for _ in KINDS
        ),
        n_clips=_choose_counts(index, seed=seed, n_species=n_species, n_clips=n_clips),
    )


def _choose_counts(
    index: int, *, seed: int, n_species: int, n_clips: int
) -> tuple[int, ...]:
    """Choose files of each class: uneven, and some species absent.

    Each species is missing from one deployment in seven, never from two in a row.
    """
    rng = np.random.default_rng([seed, index, 1])
    weights = np.exp(rng.normal(0.0, 0.45, size=n_species + 1))
    counts = np.maximum(np.round(n_clips * weights), 1).astype(int)
    absent = [(s + 3 * index) % 7 == 6 for s in range(n_species)]
    counts[:-1][absent] = 0
    return tuple(int(c) for c in counts)


def hears(deployment: Deployment, kind: Kind) -> bool:
    """Whether a kind's calls lie, at least in part, below half the sample rate."""
    return kind.band_hz[0] < 0.4 * deployment.sample_rate


def choose_scene(
    rng: np.random.Generator, deployment: Deployment, k: int, *, unknown: bool = False
) -> Scene:
    """Choose one recording: which animal of class ``k``, how far, in which weather.

    Where the class is ``unknown`` nobody calls; the animal is drawn all the same, of
    the first species, so that one species more changes no noise.
    """
    animals = deployment.animals[k % N_FIRST if unknown else k]
    usual = deployment.sea
    return Scene(
        animal=animals[int(rng.integers(len(animals)))],
        sea=Sea(
            wind_m_s=max(usual.wind_m_s + rng.normal(0.0, 2.0), 0.5),
            shipping=float(np.clip(usual.shipping + rng.normal(0.0, 0.15), 0.0, 1.0)),
            rain_db=rng.uniform(55.0, 75.0) if rng.random() < 0.07 else None,
            snaps_per_s=usual.snaps_per_s,
        ),
        range_m=deployment.range_m * float(np.exp(rng.normal(0.0, 0.5))),
        source_depth_m=rng.uniform(0.1, 0.7) * deployment.water_depth_m,
    )
