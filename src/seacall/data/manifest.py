"""The labelled clips of a dataset folder, as its tables and its audio files agree."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seacall.audio.features import FEATURE_NAMES
from seacall.audio.io import AUDIO_SUFFIXES
from seacall.config import FrontEndSettings, read_toml
from seacall.data.cache import FRONT_END_VERSION
from seacall.data.split import SPLITS, Split
from seacall.data.tables import (
    TABLE_SUFFIXES,
    Row,
    Table,
    number_of,
    read_table,
    text_of,
    write_excel,
)
from seacall.errors import AnnotationError
from seacall.labels import class_labels, clean_label

logger = logging.getLogger(__name__)

SPLIT_FOLDERS: dict[Split, str] = {"train": "train", "val": "validate", "test": "test"}
"""Name of each split's folder, and of its table: ``{folder}_metadata.xlsx``."""
DATASET_FILE = "dataset.json"
SETTINGS_FILE = "settings.toml"
REQUIRED_COLUMNS = ("file_name", "species_name", "sample_rate", *FEATURE_NAMES)
_FLOAT32_MAX = float(np.finfo(np.float32).max)
OPTIONAL_COLUMNS = ("deployment", "recording", "sha256", "duration_s")


@dataclass(frozen=True)
class LabelledClip:
    """One audio file of a dataset, and what is known of it."""

    path: Path
    label: str
    split: Split
    sample_rate: int
    """As the table has it, Hz."""
    deployment: str = ""
    """One instrument at one place and time; empty where not known."""
    recording: str = ""
    """The recording that the clip was cut from; empty where not known."""
    sha256: str = ""
    """Of the file's bytes; empty where not known."""
    features: tuple[float, ...] | None = None
    """Raw features of the table, in the order of ``FEATURE_NAMES``."""
    duration_s: float | None = None


@dataclass(frozen=True)
class Failure:
    """A file or row that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Manifest:
    """All that a dataset folder holds."""

    root: Path
    clips: tuple[LabelledClip, ...]
    failures: tuple[Failure, ...]
    labels: tuple[str, ...]
    """Class names of all splits; ``unknown`` is the last."""
    front_end_fingerprint: str | None
    """Of the settings that the table's features were made with; None: not known."""

    def split(self, name: Split) -> list[LabelledClip]:
        """Return the clips of one split, in the order of its table."""
        return [clip for clip in self.clips if clip.split == name]

    def fingerprint(self) -> str:
        """Return 64 hex digits that change with any file name, label, split or hash.

        It does not depend on where the folder lies, nor on the order of the rows.
        """
        rows = sorted(
            [c.path.relative_to(self.root).as_posix(), c.label, c.split, c.sha256]
            for c in self.clips
        )
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def read_manifest(root: Path) -> Manifest:
    """Read a dataset folder.

    ``root`` has the folders ``train``, ``validate`` and ``test`` with audio, and beside
    each a table ``{folder}_metadata`` as ``.xlsx``, ``.csv``, ``.tsv`` or ``.parquet``
    with the columns ``file_name``, ``species_name``, ``sample_rate`` and the 18
    features. A split may be missing; all three may not.

    Rows and files that cannot be used become failures; the rest is read.

    Raises
    ------
    AnnotationError
        If the folder or all tables are missing, a table cannot be read, or lacks a
        column.
    """
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; give a dataset folder")
    clips: list[LabelledClip] = []
    failures: list[Failure] = []
    tables = {split: _find_table(root, split) for split in SPLITS}
    if not any(tables.values()):
        raise AnnotationError(
            f"{root}: holds none of train_metadata.xlsx, validate_metadata.xlsx, "
            "test_metadata.xlsx (or .csv, .tsv, .parquet); make them with: "
            "seacall prepare"
        )
    for split, path in tables.items():
        rows = _read_split(root, split, path)
        clips += rows.clips
        failures += rows.failures
    return Manifest(
        root=root,
        clips=tuple(clips),
        failures=tuple(failures),
        labels=class_labels(clip.label for clip in clips),
        front_end_fingerprint=_features_made_with(root),
    )


def write_manifest(
    root: Path,
    clips: Sequence[LabelledClip],
    *,
    front_end: FrontEndSettings,
    notes: dict[str, Any] | None = None,
) -> None:
    """Write the three Excel tables and ``dataset.json`` of a dataset folder.

    Parameters
    ----------
    root
        The dataset folder; the clips' files lie in its split folders already.
    clips
        All of them have features.
    front_end
        What the features were made with.
    notes
        What else ``dataset.json`` shall hold, JSON values.
    """
    columns = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    for split, folder in SPLIT_FOLDERS.items():
        rows = [_as_row(root / folder, clip) for clip in clips if clip.split == split]
        write_excel(root / f"{folder}_metadata.xlsx", columns, rows)
    about = {
        "format": 1,
        "front_end_fingerprint": front_end.fingerprint(),
        "front_end_version": FRONT_END_VERSION,
        "front_end": front_end.model_dump(mode="json"),
        **(notes or {}),
    }
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (root / DATASET_FILE).write_text(text + "\n", encoding="utf-8")


def _as_row(folder: Path, clip: LabelledClip) -> Row:
    features = clip.features or (0.0,) * len(FEATURE_NAMES)
    return {
        "file_name": clip.path.relative_to(folder).as_posix(),
        "species_name": clip.label,
        "sample_rate": clip.sample_rate,
        **dict(zip(FEATURE_NAMES, features, strict=True)),
        "deployment": clip.deployment,
        "recording": clip.recording,
        "sha256": clip.sha256,
        "duration_s": "" if clip.duration_s is None else clip.duration_s,
    }


def _find_table(root: Path, split: Split) -> Path | None:
    stem = f"{SPLIT_FOLDERS[split]}_metadata"
    found = [root / f"{stem}{suffix}" for suffix in TABLE_SUFFIXES]
    return next((path for path in found if path.is_file()), None)


def dataset_front_end(root: Path) -> dict[str, Any] | None:
    """Return the front end that ``seacall prepare`` was told to use, as it was named.

    None where the folder was made by other means.
    """
    path = root / SETTINGS_FILE
    section = read_toml(path).get("front_end") if path.is_file() else None
    return dict(section) if isinstance(section, dict) else None


def _features_made_with(root: Path) -> str | None:
    """Return the front end's fingerprint, unless its code has changed since."""
    try:
        about = json.loads((root / DATASET_FILE).read_text(encoding="utf-8"))
        if about["front_end_version"] != FRONT_END_VERSION:
            return None
        return str(about["front_end_fingerprint"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: cannot be read (%s); ignored", root / DATASET_FILE, error)
        return None


class _SplitRows:
    """What one split's table and folder hold, gathered row by row."""

    def __init__(self, folder: Path, split: Split) -> None:
        self.folder = folder
        self.split = split
        self.clips: list[LabelledClip] = []
        self.failures: list[Failure] = []
        self._labels: dict[str, str] = {}  # of each file name so far

    def add(self, row: Row, *, where: str) -> None:
        """Take a row, or note why not."""
        name = text_of(row["file_name"]).replace("\\", "/")
        try:
            self._refuse_repeated(name, text_of(row["species_name"]), where=where)
            path = _existing(name, self.folder, where=where)
            self.clips.append(_clip(path, row, split=self.split, where=where))
        except AnnotationError as error:
            self.failures.append(Failure(self.folder / name, str(error)))

    def add_files_without_row(self) -> None:
        """Note audio that no row speaks of."""
        known = {self.folder / name for name in self._labels}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in AUDIO_SUFFIXES and path not in known:
                table = f"{self.folder.name}_metadata"
                reason = f"{path}: has no row in {table}; add one or remove the file"
                self.failures.append(Failure(path, reason))

    def _refuse_repeated(self, name: str, label: str, *, where: str) -> None:
        if name not in self._labels:
            self._labels[name] = label
            return
        first = self._labels[name]
        also = "" if first == label else f" as {label!r}, it was {first!r} before"
        raise AnnotationError(
            f"{where}: repeats file_name {name!r}{also}; the first row was kept, "
            "remove the other"
        )


def _read_split(root: Path, split: Split, path: Path | None) -> _SplitRows:
    rows = _SplitRows(root / SPLIT_FOLDERS[split], split)
    if path is not None:
        table = read_table(path)
        _check_columns(table)
        for number, row in enumerate(table.rows, start=2):  # the header is line 1
            rows.add(row, where=f"{path.name} row {number}")
    rows.add_files_without_row()
    return rows


def _check_columns(table: Table) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{table.path}: has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(table.columns)}; add what is missing, or make the "
            "tables with: seacall prepare"
        )
    known = {*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS}
    unknown = [name for name in table.columns if name not in known]
    if unknown:
        logger.warning(
            "%s: column %s is not known and is ignored",
            table.path,
            ", ".join(map(repr, unknown)),
        )


def _existing(name: str, folder: Path, *, where: str) -> Path:
    if not name:
        raise AnnotationError(
            f"{where}: has no file_name; write one, or remove the row"
        )
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise AnnotationError(
            f"{where}: file_name {name!r} leads out of {folder}; move the file there"
        )
    if not path.is_file():
        alike = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
        hint = f" (did you mean {alike[0].name!r}?)" if alike else ""
        raise AnnotationError(
            f"{where}: {path} does not exist{hint}; add the file or remove the row"
        )
    return path


def _clip(path: Path, row: Row, *, split: Split, where: str) -> LabelledClip:
    sample_rate = number_of(row["sample_rate"])
    if sample_rate is None or sample_rate <= 0:
        raise AnnotationError(
            f"{where}: sample_rate {row['sample_rate']!r} is not a positive number; "
            "write the file's rate in Hz"
        )
    try:
        label = clean_label(text_of(row["species_name"]))
    except AnnotationError as error:
        raise AnnotationError(f"{where}: {error}") from error
    return LabelledClip(
        path=path,
        label=label,
        split=split,
        sample_rate=round(sample_rate),
        deployment=text_of(row.get("deployment", "")),
        recording=text_of(row.get("recording", "")),
        sha256=text_of(row.get("sha256", "")),
        features=_features(row, where=where),
        duration_s=number_of(row.get("duration_s", "")),
    )


def _features(row: Row, *, where: str) -> tuple[float, ...] | None:
    """Return the row's features as the float32 that they were computed in."""
    values = [number_of(row[name]) for name in FEATURE_NAMES]
    for name, value in zip(FEATURE_NAMES, values, strict=True):
        if value is None or abs(value) > _FLOAT32_MAX:
            logger.warning(
                "%s: %s %r is not a number; the row's features are computed anew",
                where,
                name,
                row[name],
            )
            return None
    # Excel keeps 16 digits of 17: rounding to float32 gives back what was written.
    return tuple(float(v) for v in np.array(values, np.float32))
