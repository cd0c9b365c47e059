"""Write a folder of simulated recordings as a user would have it, with known truth.

It is for trying the program and for tests. Its animals are drawn from a handbook's
figures, so a score reached on it says nothing about real ones.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Literal, Self

import numpy as np
import soundfile
from pydantic import Field, field_validator, model_validator

from seacall.audio.kind import Kind, Repertoire
from seacall.audio.repertoire import KINDS, kinds_named
from seacall.audio.synth import FloatArray
from seacall.config import Settings
from seacall.data.deployments import (
    Deployment,
    Scene,
    choose_deployment,
    choose_scene,
    hears,
)
from seacall.data.pool import Progress, map_files
from seacall.data.recorders import Recorders
from seacall.data.simulated_clip import simulate_clip
from seacall.errors import SettingsError
from seacall.labels import UNKNOWN, file_stem

TABLE_NAME = "recordings.csv"
"""The table of a simulated folder: one row for each file."""

PEAK = 0.9
"""Largest sample; a louder clip is turned down as a whole, which keeps its ratio."""


class SimulationSettings(Settings):
    """What a simulated folder holds."""

    n_species: int = Field(default=10, ge=1, le=len(KINDS))
    """Simulated species; ``unknown`` (noise alone) comes on top."""
    species: tuple[str, ...] = ()
    """These species instead, such as ``Ross Seal``; empty: the first ``n_species``."""
    repertoire: Repertoire = "plain"
    """``plain``: of the first ten species, what each is best known for, which sets
    them apart. ``full``: all that they say, as real recordings hold it."""
    names: Literal["simulated", "real", "watkins"] = "simulated"
    """How labels read: ``Simulated Beluga``, ``Beluga``, or as the folders of the
    Watkins database: ``Beluga_White_Whale``. Real names let files join real ones."""
    n_deployments: int = Field(default=8, ge=1, le=999)
    """Recorders at their places; each has its own rate, response, noise, animals."""
    n_clips: int = Field(default=8, ge=1, le=999)
    """Mean number of files of each class from each deployment."""
    min_duration_s: float = Field(default=0.6, ge=0.5)
    """Shortest file, s."""
    max_duration_s: float = Field(default=8.0, le=60)
    """Longest file, s; half of the files are shorter than 2 s."""
    snr_db: tuple[float, float] = (0.0, 20.0)
    """Signal-to-noise ratio of the calls: least, most (in the band of the call)."""
    recorders: Recorders = "modern"
    """``modern``: moored recorders of 32 to 96 kHz. ``any``: also old tape, hand-held
    hydrophones, pools and towed arrays, at 5 to 96 kHz; a deployment that cannot hear
    a species has no file of it."""
    seed: int = Field(default=0, ge=0)
    """The same seed gives the same bytes."""

    @field_validator("species")
    @classmethod
    def _species_are_simulated(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        kinds_named(names)
        return names

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        if not self.min_duration_s < self.max_duration_s:
            raise ValueError(
                "need min_duration_s < max_duration_s, got "
                f"{self.min_duration_s:g} and {self.max_duration_s:g}"
            )
        if not -60.0 <= self.snr_db[0] <= self.snr_db[1] <= 60.0:
            raise ValueError(
                f"need -60 <= least <= most <= 60 in snr_db, got {self.snr_db}"
            )
        return self


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    file_name: str
    """Path from the table's folder, with forward slashes."""
    species_name: str
    deployment: str
    recording: str
    """Clips of the same recording share animal, place and weather."""
    call_start_s: float | None
    """Start of the first unit of the call; None: noise alone."""
    call_end_s: float | None
    snr_db: float | None


def simulate_dataset(
    folder: Path,
    *,
    settings: SimulationSettings,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write simulated recordings: a folder for each class, and one table.

    Parameters
    ----------
    folder
        Made where it is missing; must be empty.
    settings
        How much of what.
    n_workers
        Processes that share the work; the files are the same for any number.
    progress
        Told after each class of each deployment how many are done.

    Returns
    -------
    path of the table, ``recordings.csv``
        Columns ``file_name``, ``species_name``, ``deployment``, ``recording``, and the
        truth: ``call_start_s``, ``call_end_s``, ``snr_db`` (empty where there is no
        call). Files are WAV, 16 bits, one channel.

    Raises
    ------
    SettingsError
        If the folder holds something, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SettingsError(
                f"{folder}: is not empty; give a new folder for the simulation"
            )
        jobs = [
            _Job(folder, settings, index, place)
            for index in range(settings.n_deployments)
            for place in range(len(_numbered_kinds(settings)))
        ]
        parts = map_files(_write_class, jobs, n_workers=n_workers, progress=progress)
        rows = [row for part in parts for row in part]
        return _write_table(folder / TABLE_NAME, rows)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SettingsError(
            f"{folder}: cannot be written ({error}); give a folder on a disk with space"
        ) from error


@dataclass(frozen=True)
class _Job:
    """The files of one class from one deployment."""

    folder: Path
    settings: SimulationSettings
    index: int
    """Of the deployment."""
    place: int
    """Of the class, among those of the settings."""


def _write_class(job: _Job) -> list[Row]:
    """Write the files of one class from one deployment."""
    settings = job.settings
    kinds = _numbered_kinds(settings)
    deployment = choose_deployment(
        job.index,
        seed=settings.seed,
        n_species=len(kinds) - 1,
        n_clips=settings.n_clips,
        recorders=settings.recorders,
    )
    n_clips = [
        n if kind is None or hears(deployment, kind) else 0
        for (_, kind), n in zip(kinds, deployment.n_clips, strict=True)
    ]
    k, kind = kinds[job.place]
    label = _label(kind, settings)
    rng = np.random.default_rng([settings.seed, job.index, 2, k])
    rows = []
    scenes = _choose_scenes(
        rng, deployment, k, n_clips[job.place], unknown=kind is None
    )
    for number, (recording, scene) in enumerate(scenes, 1 + sum(n_clips[: job.place])):
        y, truth = simulate_clip(
            rng,
            deployment,
            scene,
            kind.limited_to(settings.repertoire) if kind else None,
            duration_s=_choose_duration(rng, settings),
            snr_db=settings.snr_db,
        )
        name = f"{file_stem(label)}/{deployment.name}_{number:04d}.wav"
        _write_wav(job.folder / name, y, sample_rate=deployment.sample_rate)
        rows.append(Row(name, label, deployment.name, recording, *truth))
    return rows


def _numbered_kinds(settings: SimulationSettings) -> list[tuple[int, Kind | None]]:
    """Return the species with their numbers in ``KINDS``, and None for ``unknown``.

    A species draws by its number, so that it says the same whoever else is there.
    """
    if not settings.species:
        return [*enumerate(KINDS[: settings.n_species]), (settings.n_species, None)]
    chosen = [(KINDS.index(kind), kind) for kind in kinds_named(settings.species)]
    return [*chosen, (len(KINDS), None)]


def _label(kind: Kind | None, settings: SimulationSettings) -> str:
    if kind is None:
        return UNKNOWN
    if settings.names == "watkins":
        return (kind.watkins or kind.common_name).replace(" ", "_")
    return kind.common_name if settings.names == "real" else kind.label


def _choose_scenes(
    rng: np.random.Generator,
    deployment: Deployment,
    k: int,
    n_clips: int,
    *,
    unknown: bool,
) -> Iterator[tuple[str, Scene]]:
    """Choose recordings until they make so many clips: 1 to 4 are cut from each."""
    for number in count(1):
        scene = choose_scene(rng, deployment, k, unknown=unknown)
        name = f"{deployment.name}_R{k:02d}{number:03d}"
        for _ in range(min(int(rng.integers(1, 5)), n_clips)):
            n_clips -= 1
            yield name, scene
        if n_clips == 0:
            return


def _choose_duration(rng: np.random.Generator, settings: SimulationSettings) -> float:
    """Half below 2 s; of the others more short ones than long ones."""
    low, high = settings.min_duration_s, settings.max_duration_s
    middle = min(max(2.0, low), high)
    if rng.random() < 0.5:
        return float(rng.uniform(low, middle))
    return float(middle + (high - middle) * rng.beta(1.0, 2.0))


def _write_wav(path: Path, y: FloatArray, *, sample_rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    loudest = float(np.abs(y).max())
    if loudest > PEAK:
        y = y * (PEAK / loudest)
    soundfile.write(path, y, sample_rate, subtype="PCM_16")


def _write_table(path: Path, rows: list[Row]) -> Path:
    rows = sorted(rows, key=lambda row: row.file_name)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Row.__dataclass_fields__))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: _cell(v) for k, v in asdict(row).items()})
    return path


def _cell(value: object) -> object:
    """Round to 0.1 ms and 0.0001 dB; None becomes an empty cell."""
    return round(value, 4) if isinstance(value, float) else value
