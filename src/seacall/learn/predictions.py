"""What a model answered to each recording, in memory and as a CSV file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seacall.errors import AnnotationError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SCORE_PREFIX = "score_"
"""Begins the name of each class's column of scores."""
COLUMNS = ("file_name", "species_name", "deployment", "sample_rate", "split")
"""Columns of the CSV file before those of the scores."""
SUM_TOLERANCE = 1e-3
"""How far a row of scores may be from summing to 1 (half-precision networks)."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Truth and calibrated scores of one split, one entry for each recording.

    Raises
    ------
    ValueError
        If there is no recording, lengths differ, a target is no class, or scores are
        not finite, negative, or do not sum to 1.
    """

    labels: tuple[str, ...]
    """Names of the classes; the last is ``unknown``."""
    targets: IntArray
    """True classes ``(n,)``."""
    scores: FloatArray
    """``(n, n_classes)``, 0 to 1; each row sums to 1."""
    file_names: tuple[str, ...]
    deployments: tuple[str, ...]
    """An empty name: not known."""
    sample_rates: IntArray
    """Native rate of each file ``(n,)``, Hz."""
    split: str
    """``train``, ``val`` or ``test``."""

    def __post_init__(self) -> None:
        n = len(self.targets)
        if not n:
            raise ValueError("no recordings: predictions need at least one")
        lengths = {
            "file_names": len(self.file_names),
            "deployments": len(self.deployments),
            "sample_rates": len(self.sample_rates),
        }
        for name, length in lengths.items():
            if length != n:
                raise ValueError(f"{name} has {length} entries for {n} targets")
        _check_targets(self.targets, len(self.labels))
        check_scores(self.scores, shape=(n, len(self.labels)))

    @property
    def answers(self) -> IntArray:
        """Best class of each recording ``(n,)``, without a threshold."""
        answers: IntArray = self.scores.argmax(axis=1).astype(np.int64)
        return answers

    @property
    def confidences(self) -> FloatArray:
        """Score of that class ``(n,)``."""
        confidences: FloatArray = self.scores.max(axis=1)
        return confidences


def _check_targets(targets: IntArray, n_classes: int) -> None:
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"targets must be 0 to {n_classes - 1}, one for each label, "
            f"got {low} to {high}"
        )


def check_scores(scores: FloatArray, *, shape: tuple[int, int]) -> None:
    """Refuse scores that are no probabilities.

    Raises
    ------
    ValueError
        If the shape is another, or a row is not finite, negative or does not sum to 1.
    """
    if scores.shape != shape:
        raise ValueError(f"scores must be {shape}, got {scores.shape}")
    off = np.abs(scores.sum(axis=1) - 1)
    bad = np.flatnonzero(~(off <= SUM_TOLERANCE) | (scores < 0).any(axis=1))
    if len(bad):
        row = int(bad[0])
        raise ValueError(
            f"scores must be 0 to 1 and sum to 1 in each row; row {row} sums to "
            f"{scores[row].sum():g}, its lowest is {scores[row].min():g}; "
            "give calibrated scores, not logits"
        )


@dataclass(frozen=True)
class Mistake:
    """A recording whose best class is not the true one."""

    file_name: str
    true_species: str
    predicted_species: str
    confidence: float
    """Score of the predicted class."""
    second_species: str
    """Next best class; empty if there is only one."""
    second_confidence: float
    deployment: str
    sample_rate: int


def mistakes(predictions: Predictions) -> tuple[Mistake, ...]:
    """Return the mistakes, the most confident first, then by file name."""
    wrong = np.flatnonzero(predictions.answers != predictions.targets)
    found = [_mistake(predictions, int(row)) for row in wrong]
    return tuple(sorted(found, key=lambda m: (-m.confidence, m.file_name)))


def _mistake(predictions: Predictions, row: int) -> Mistake:
    labels, scores = predictions.labels, predictions.scores[row]
    # A stable sort of the negated scores: of equal ones the first comes first, as in
    # argmax. A mistake needs two classes, so there is always a second.
    first, second = np.argsort(-scores, kind="stable")[:2]
    return Mistake(
        file_name=predictions.file_names[row],
        true_species=labels[predictions.targets[row]],
        predicted_species=labels[first],
        confidence=float(scores[first]),
        second_species=labels[second],
        second_confidence=float(scores[second]),
        deployment=predictions.deployments[row],
        sample_rate=int(predictions.sample_rates[row]),
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a CSV file: a row for each recording, a score column for each class.

    Numbers are written so that they read back exactly.
    """
    header = [*COLUMNS, *(SCORE_PREFIX + label for label in predictions.labels)]
    # surrogateescape: file names that are not UTF-8 come back as the bytes they were.
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row, name in enumerate(predictions.file_names):
            writer.writerow(
                [
                    name,
                    predictions.labels[predictions.targets[row]],
                    predictions.deployments[row],
                    int(predictions.sample_rates[row]),
                    predictions.split,
                    *(repr(float(score)) for score in predictions.scores[row]),
                ]
            )


def read_predictions(path: Path) -> Predictions:
    """Read a file that `write_predictions` wrote.

    Raises
    ------
    AnnotationError
        If it is missing, lacks a column, or holds a value that breaks a rule of
        `Predictions`.
    """
    try:
        return _parse(*_read_rows(path))
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        raise AnnotationError(
            f"{path}: cannot be read as a table of predictions ({error}); "
            "give a predictions.csv that seacall evaluate wrote"
        ) from error


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    if not lines:
        raise ValueError("the file is empty")
    header, rows = lines[0], lines[1:]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(
                f"row {number} has {len(row)} values for {len(header)} columns"
            )
    return header, rows


def _parse(header: list[str], rows: list[list[str]]) -> Predictions:
    missing = [name for name in COLUMNS if name not in header]
    named = [n for n in header if n.startswith(SCORE_PREFIX)]
    labels = [name.removeprefix(SCORE_PREFIX) for name in named]
    unwanted = [n for n in header if n not in COLUMNS and n not in named]
    if missing or unwanted:
        raise ValueError(f"columns missing: {missing}, without meaning: {unwanted}")
    column = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    splits = sorted(set(column["split"]))
    if len(splits) != 1:
        raise ValueError(f"need one split in all rows, got {splits}")
    number = {label: i for i, label in enumerate(labels)}
    unknown = sorted(set(column["species_name"]) - set(number))
    if unknown:
        raise ValueError(f"species_name without a column of scores: {unknown}")
    scores = [column[SCORE_PREFIX + label] for label in labels]
    return Predictions(
        labels=tuple(labels),
        targets=np.array([number[n] for n in column["species_name"]], np.int64),
        scores=np.array(scores, dtype=np.float64).T,
        file_names=tuple(column["file_name"]),
        deployments=tuple(column["deployment"]),
        sample_rates=np.array(column["sample_rate"]).astype(np.int64),
        split=splits[0],
    )
