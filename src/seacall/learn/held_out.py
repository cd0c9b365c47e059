"""Logits of clips from deployments that the network was not trained on."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seacall.errors import AnnotationError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LOGIT_PREFIX = "logit_"
"""Begins the name of each class's column of logits."""
COLUMNS = ("species_name", "deployment")
"""Columns that a table needs beside the logits; ``seed`` and ``scored`` are heeded."""
_DAMAGED = (OSError, UnicodeError, csv.Error, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a network, or one for each fold, answered to clips it never heard.

    Raises
    ------
    ValueError
        If there is no clip, lengths differ, a target is no class or a logit is not
        finite.
    """

    labels: tuple[str, ...]
    """Classes in the order of the logits; the last is ``unknown``."""
    logits: FloatArray
    """Shape ``(n, n_classes)``."""
    targets: IntArray
    """True classes, shape ``(n,)``."""
    deployments: tuple[str, ...]
    """Of each clip; clips without a name count as one deployment."""
    n_seeds: int = 1
    """How often each clip is there: networks of other seeds tell nothing new of it."""

    def __post_init__(self) -> None:
        n = len(self.targets)
        shape = (n, len(self.labels))
        if not n:
            raise ValueError("no clips: calibration needs some of every species")
        if self.logits.shape != shape or len(self.deployments) != n:
            raise ValueError(
                f"need logits {shape} and {n} deployments, got {self.logits.shape} "
                f"and {len(self.deployments)}"
            )
        if not np.isfinite(self.logits).all():
            raise ValueError("logits must be finite numbers")
        if self.targets.min() < 0 or self.targets.max() >= len(self.labels):
            raise ValueError(f"targets must be 0 to {len(self.labels) - 1}")

    @property
    def groups(self) -> IntArray:
        """Number of each clip's deployment, shape ``(n,)``."""
        _, numbers = np.unique(np.array(self.deployments), return_inverse=True)
        return np.asarray(numbers, np.int64)

    @property
    def n_deployments(self) -> int:
        """How many deployments there are."""
        return len(set(self.deployments))

    def words(self) -> str:
        """Say in a few words what this is."""
        n = len(self.targets) // self.n_seeds
        seeds = f", {self.n_seeds} seeds" if self.n_seeds > 1 else ""
        return f"{n:,} clips of {self.n_deployments} deployments{seeds}"


def read_held_out(path: Path, labels: Sequence[str]) -> HeldOut:
    """Read logits that an evaluation protocol wrote.

    Parameters
    ----------
    path
        CSV with ``species_name``, ``deployment`` and a column ``logit_LABEL`` for each
        class, or NPZ with arrays ``logits``, ``labels``, ``species_name`` and
        ``deployment``. Rows whose ``scored`` is 0 are left out: their species was in
        no other deployment. ``seed`` tells how many networks answered.
    labels
        Classes of the model, in its order. A species that is none of them counts as
        ``unknown``.

    Raises
    ------
    AnnotationError
        If the file cannot be read, has other classes, or holds what is no number.
    """
    try:
        read = _read_npz if path.suffix.lower() == ".npz" else _read_csv
        return _held_out(*read(path), labels=tuple(labels))
    except _DAMAGED as error:
        raise AnnotationError(
            f"{path}: cannot be read as logits of held-out clips ({error}); give a CSV "
            f"with {', '.join(COLUMNS)} and {LOGIT_PREFIX}LABEL for each class"
        ) from error


_Table = tuple[dict[str, list[str]], list[str], FloatArray]
"""Columns of text by name, labels, logits."""


def _read_csv(path: Path) -> _Table:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    if len(rows) < 2:
        raise ValueError("it holds no rows")
    header = rows[0]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("its rows are not equally long")
    columns = {name: [row[k] for row in rows[1:]] for k, name in enumerate(header)}
    named = [name for name in header if name.startswith(LOGIT_PREFIX)]
    logits = np.array([columns.pop(name) for name in named], np.float64).T
    return columns, [name.removeprefix(LOGIT_PREFIX) for name in named], logits


def _read_npz(path: Path) -> _Table:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        logits = np.asarray(arrays["logits"], np.float64)
        names = [name for name in arrays.files if name not in {"logits", "labels"}]
        columns = {name: [str(value) for value in arrays[name]] for name in names}
        return columns, [str(label) for label in arrays["labels"]], logits


def _held_out(
    columns: dict[str, list[str]],
    found: list[str],
    logits: FloatArray,
    *,
    labels: tuple[str, ...],
) -> HeldOut:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"columns missing: {', '.join(missing)}")
    if sorted(found) != sorted(labels):
        lacks, more = set(labels) - set(found), set(found) - set(labels)
        raise ValueError(
            f"its classes are not the model's: lacks {sorted(lacks)}, "
            f"has {sorted(more)} too many"
        )
    order = [found.index(label) for label in labels]
    number = {label: k for k, label in enumerate(labels)}
    names = columns["species_name"]
    targets = np.array([number.get(name, len(labels) - 1) for name in names], np.int64)
    kept = np.ones(len(names), bool)
    if "scored" in columns:
        kept = np.array([value.strip() != "0" for value in columns["scored"]], bool)
    return HeldOut(
        labels=labels,
        logits=logits[kept][:, order],
        targets=targets[kept],
        deployments=tuple(np.array(columns["deployment"])[kept].tolist()),
        n_seeds=len(set(columns.get("seed", [""]))),
    )
