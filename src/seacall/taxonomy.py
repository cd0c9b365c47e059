"""What a label is related to: its family; toothed whale, baleen whale or seal.

Two dolphins are often told apart by nobody, and "dolphin, species uncertain" is then
the right answer. Because scores are probabilities of classes that exclude each other,
the score of a family is the sum of its species' scores, and so on upwards.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from seacall.errors import AnnotationError
from seacall.labels import UNKNOWN
from seacall.species import FAMILIES, GROUP_LABELS, GROUPS, SPECIES

FloatArray = npt.NDArray[np.float64]
Level = Literal["species", "family", "group"]

LEVELS: tuple[Level, ...] = ("species", "family", "group")
"""From the deepest to the highest."""
CSV_COLUMNS = ("label", "family", "group")
DEFAULT_THRESHOLD = 0.7


@dataclass(frozen=True)
class Taxon:
    """What a label is related to."""

    family: str
    """Scientific name, such as ``Delphinidae``; empty: not known, only the group is."""
    group: str
    """One of `GROUPS`."""


Taxa = Mapping[str, Taxon]
"""Taxa by normalised label; see `normalised`."""


class Answer(NamedTuple):
    """What can be said of a clip, and how surely."""

    level: Level | None
    """Level of the answer; None: no level is sure enough."""
    name: str
    """A label, family or group of `level_matrix`; ``unknown`` without a level."""
    score: float
    """Sum of the scores of the labels below that name, 0 to 1; without a level, that of
    the best group."""

    @property
    def text(self) -> str:
        """The answer in words.

        Examples
        --------
        >>> Answer("family", "Delphinidae", 0.9).text
        'dolphin, species uncertain'
        >>> Answer("group", "baleen whale", 0.8).text
        'baleen whale, family uncertain'
        """
        if self.level == "family" and self.name in FAMILIES:
            return f"{FAMILIES[self.name][1]}, species uncertain"
        if self.level == "group" and self.name in GROUPS:
            return f"{self.name}, family uncertain"
        return self.name


def normalised(label: str) -> str:
    """Return a label as it is looked up: no case, accents, punctuation, "simulated".

    Examples
    --------
    >>> normalised("Grampus,_Risso's-Dolphin"), normalised("Simulated Beluga")
    ('grampus rissos dolphin', 'beluga')
    """
    plain = unicodedata.normalize("NFKD", label.casefold())
    plain = re.sub(r"['\u2019`\u0300-\u036f]", "", plain)
    return re.sub(r"[\W_]+", " ", plain).strip().removeprefix("simulated ")


def _names(text: str) -> list[str]:
    return [normalised(name) for name in re.split(r"[,\n]", text) if name.strip()]


def _built_in() -> dict[str, Taxon]:
    taxa = {
        name: Taxon(family, FAMILIES[family][0])
        for family, text in SPECIES.items()
        for name in _names(text)
    }
    for group, text in GROUP_LABELS.items():
        taxa |= {name: Taxon("", group) for name in _names(text)}
    return taxa


TAXA: Taxa = _built_in()
"""All labels that are known, normalised."""


def taxon_of(label: str, *, taxa: Taxa = TAXA) -> Taxon | None:
    """Return what a label is related to; None: it is not listed, such as ``unknown``.

    Examples
    --------
    >>> taxon_of("Beluga_White_Whale")
    Taxon(family='Monodontidae', group='toothed whale')
    """
    return taxa.get(normalised(label))


def read_taxa(path: Path) -> dict[str, Taxon]:
    """Read a user's taxa, and add them to those that are known.

    Parameters
    ----------
    path
        CSV file in UTF-8 with the columns ``label``, ``family`` (may be empty) and
        ``group``. A label that is known already gets the file's taxon.

    Raises
    ------
    AnnotationError
        If it cannot be read, lacks a column or label, or names another group.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise AnnotationError(
            f"{path}: cannot be read as a table of taxa ({error}); "
            f"give CSV with the columns {', '.join(CSV_COLUMNS)}"
        ) from error
    own = (_taxon(row, where=f"{path} row {k}") for k, row in enumerate(rows, start=2))
    return {**TAXA, **dict(own)}


def _taxon(row: Mapping[str, str | None], *, where: str) -> tuple[str, Taxon]:
    label, family, group = ((row.get(name) or "").strip() for name in CSV_COLUMNS)
    if not normalised(label):
        raise AnnotationError(f"{where}: has no label; write one, or remove the row")
    if group not in GROUPS:
        raise AnnotationError(
            f"{where}: group {group!r} does not exist; choose one of: "
            + ", ".join(GROUPS)
        )
    return normalised(label), Taxon(family, group)


def level_names(
    labels: Sequence[str], level: Level, *, taxa: Taxa = TAXA
) -> tuple[str, ...]:
    """Return what each label is called at a level.

    A label that is not listed, or has no family at the level of families, keeps its own
    name at that level: ``unknown`` is a taxon of its own.

    Examples
    --------
    >>> level_names(["Orca", "Narwhal", "unknown"], "family")
    ('Delphinidae', 'Monodontidae', 'unknown')
    """
    if level == "species":
        return tuple(labels)
    found = (taxon_of(label, taxa=taxa) for label in labels)
    return tuple(
        (getattr(taxon, level) if taxon else "") or label
        for label, taxon in zip(labels, found, strict=True)
    )


def level_matrix(
    labels: Sequence[str], level: Level, *, taxa: Taxa = TAXA
) -> tuple[tuple[str, ...], FloatArray]:
    """Return which label belongs to which name of a level.

    Returns
    -------
    names
        In the order in which the labels bring them up; an ``unknown`` that is the last
        label is therefore the last name.
    matrix
        ``(n_labels, n_names)``, one 1 in each row: ``scores @ matrix`` are the scores
        of the level.

    Examples
    --------
    >>> names, matrix = level_matrix(["Orca", "Beluga", "unknown"], "group")
    >>> names
    ('toothed whale', 'unknown')
    >>> (np.array([0.5, 0.3, 0.2]) @ matrix).round(1).tolist()
    [0.8, 0.2]
    """
    own = level_names(labels, level, taxa=taxa)
    names = tuple(dict.fromkeys(own))
    matrix = np.zeros((len(labels), len(names)))
    matrix[np.arange(len(labels)), [names.index(name) for name in own]] = 1
    return names, matrix


def fall_back(
    scores: npt.ArrayLike,
    labels: Sequence[str],
    *,
    threshold: float | Mapping[str, float] = DEFAULT_THRESHOLD,
    taxa: Taxa = TAXA,
) -> list[Answer]:
    """Answer each clip at the deepest level that is sure enough.

    Parameters
    ----------
    scores
        ``(n, n_labels)``, 0 to 1; each row sums to 1.
    threshold
        Lowest score that is answered; one number, or one for each level.

    Returns
    -------
    answers
        One for each clip.

    Raises
    ------
    ValueError
        If there is not one score for each label.

    Examples
    --------
    >>> labels = ["Striped Dolphin", "Common Dolphin", "unknown"]
    >>> [answer.text for answer in fall_back([[0.5, 0.4, 0.1]], labels)]
    ['dolphin, species uncertain']
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(labels):
        raise ValueError(
            f"scores must be (n, {len(labels)}), one column for each label, "
            f"got {table.shape}"
        )
    answers: list[Answer | None] = [None] * len(table)
    for level in LEVELS:
        lowest = threshold if isinstance(threshold, int | float) else threshold[level]
        names, matrix = level_matrix(labels, level, taxa=taxa)
        summed = table @ matrix
        for row, best in enumerate(summed.argmax(axis=1)):
            # Sums may fall short of a threshold by rounding alone.
            if answers[row] is None and summed[row, best] >= lowest - 1e-12:
                answers[row] = Answer(level, names[best], float(summed[row, best]))
    return [
        answer or Answer(None, UNKNOWN, float(highest))
        for answer, highest in zip(answers, summed.max(axis=1), strict=True)
    ]
