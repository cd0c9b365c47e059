"""Keep what was answered to clips that were held out, fold by fold.

Each fold is a file of its own under a name that changes with everything that made it.
A fold that is there needs no training; a run that is killed loses the fold it was at.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seacall.data.arrays import ClipArrays
from seacall.files import written_whole
from seacall.learn.folds import IntArray

Logits = npt.NDArray[np.float32]

FORMAT = 1
"""Raise it when a change of the code changes what a fold answers."""
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
COLUMNS = (
    "file_name",
    "species_name",
    "deployment",
    "recording",
    "seed",
    "fold",
    "scored",
)


@dataclass(frozen=True)
class FoldKey:
    """Everything that decides what a fold's network answers."""

    protocol: str
    recipe: str
    settings: str
    """Fingerprint of the recipe's settings."""
    front_end: str
    """Fingerprint of the front end."""
    seed: int
    fold: int
    clips: str
    """Digest of the clips that were trained on and asked about; `clips_digest`."""

    def path(self, folder: Path) -> Path:
        """Return the fold's file: a readable part, and a digest of the rest."""
        text = json.dumps([FORMAT, *vars(self).values()])
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"seed{self.seed}-fold{self.fold:03d}-{digest}.npz"
        return folder / f"{self.protocol}-{self.recipe}" / name


def clips_digest(
    train: ClipArrays, test: ClipArrays, *, labels: tuple[str, ...]
) -> str:
    """Return 64 hex digits that change with any clip, its sound, class or order."""
    found = hashlib.sha256(json.dumps(labels).encode())
    for part in (train, test):
        rows = [[c.path.name, c.label, c.sha256] for c in part.clips]
        found.update(json.dumps(rows).encode(errors="surrogateescape"))
        # Where no table has a hash, the features stand for the sound.
        found.update(part.features.tobytes())
    return found.hexdigest()


def load_fold(path: Path, *, shape: tuple[int, int]) -> Logits | None:
    """Return a fold's logits; None if they are not there, damaged or do not fit."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            logits: Logits = arrays["logits"]
    except _DAMAGED:
        return None
    fits = logits.shape == shape and bool(np.isfinite(logits).all())
    return logits if fits else None


def save_fold(path: Path, logits: Logits, *, rows: IntArray) -> None:
    """Write a fold's logits, and which of the dataset's clips they belong to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, logits=logits, rows=rows)


def write_table(
    path: Path,
    arrays: ClipArrays,
    logits: Logits,
    *,
    labels: tuple[str, ...],
    seeds: list[int],
    folds: list[IntArray],
    fair: npt.NDArray[np.bool_],
    root: Path,
) -> None:
    """Write all answers as a CSV file: a row for each clip and seed.

    Parameters
    ----------
    logits
        ``(n_seeds, n, n_classes)``; NaN where a clip was not held out. Such clips have
        no row.
    folds
        Fold of each clip, for each seed.
    fair
        ``(n,)``: answers that say how good the model is, in the column ``scored``.
        Others were given without any clip of their species in training.
    root
        File names are relative to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_whole(path) as part,
        part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(f"logit_{label}" for label in labels)])
        for s, seed in enumerate(seeds):
            for k, clip in enumerate(arrays.clips):
                if folds[s][k] < 0:
                    continue
                known: list[Any] = [
                    clip.path.relative_to(root).as_posix(),
                    clip.label,
                    clip.deployment,
                    clip.recording,
                    seed,
                    int(folds[s][k]),
                    int(fair[k]),
                ]
                writer.writerow([*known, *(f"{x:.6g}" for x in logits[s, k])])
