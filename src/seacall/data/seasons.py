"""Learn from labelled sounds in which months each species is heard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from seacall.data.tables import Row, read_table, text_of
from seacall.errors import AnnotationError, SettingsError
from seacall.files import written_whole
from seacall.labels import UNKNOWN
from seacall.prior import COLUMNS, PriorRow

_LABELS = ("species_name", "label")
_TIMES = ("month", "start_utc", "date")
_GROUPS = ("deployment", "recording")


def learn_seasons(table: Path, *, smoothing: float = 20.0) -> list[PriorRow]:
    """Learn weights of months from a table of labelled sounds.

    Parameters
    ----------
    table
        Columns ``species_name`` or ``label``, and ``month`` (1 to 12), ``start_utc`` or
        ``date`` (ISO 8601). Of rows with the same ``deployment`` (else
        ``recording``), species and month one counts, since the calls of one encounter
        say no more of a season than one of them.

    Raises
    ------
    AnnotationError
        If a column is missing, or no row says when it was.
    """
    found = read_table(table)
    label, when = (_column(found.columns, c, table) for c in (_LABELS, _TIMES))
    group = next((name for name in _GROUPS if name in found.columns), None)
    heard: dict[tuple[object, ...], tuple[str, int | None]] = {}
    for number, row in enumerate(found.rows):
        name = text_of(row[label])
        if not name or name == UNKNOWN:
            continue
        month = _month(row, when, where=f"{table}, row {number + 2}")
        key = (text_of(row[group]) if group else number, name, month)
        heard[key] = name, month
    labels, months = [k for k, _ in heard.values()], [m for _, m in heard.values()]
    if not any(months):
        raise AnnotationError(
            f"{table}: no row with a species says its month; fill the column {when}"
        )
    return learned_rows(labels, months, smoothing=smoothing)


def _column(columns: Sequence[str], names: Sequence[str], table: Path) -> str:
    for name in names:
        if name in columns:
            return name
    raise AnnotationError(
        f"{table}: has no column {' or '.join(names)}; it has {', '.join(columns)}"
    )


def _month(row: Row, column: str, *, where: str) -> int | None:
    text = text_of(row[column]).strip()
    if not text:
        return None
    if column != "month":
        try:
            return datetime.fromisoformat(text).month
        except ValueError:
            raise AnnotationError(
                f"{where}: {column} {text!r} is no date; give such as 2024-07-31"
            ) from None
    if not text.isdecimal() or not 1 <= int(text) <= 12:
        raise AnnotationError(f"{where}: month {text!r}; give 1 to 12, or nothing")
    return int(text)


def learned_rows(
    labels: Sequence[str], months: Sequence[int | None], *, smoothing: float = 20.0
) -> list[PriorRow]:
    """Learn from labelled sounds in which months a species is more likely than usual.

    With n(k, m) sounds of class k in month m, and all of them together n(m) of n::

        weight(k, m) = (n(k, m) + s n(k) / n) / ((n(m) + s) n(k) / n)

    which is 1 for a month of which nothing is known, and goes to the share of class k
    in the month over its share in the year as n(m) grows beyond ``smoothing`` s.

    Parameters
    ----------
    labels
        One for each sound. Sounds of one encounter count once: give one of each.
    months
        1 to 12; None: not known, left out.
    smoothing
        Sounds in a month by which half of what they say is believed.

    Returns
    -------
    rows
        A row for each species and month in which something was heard.
    """
    known = [(k, m) for k, m in zip(labels, months, strict=True) if m is not None]
    rows = []
    for label in sorted({k for k, _ in known}):
        share = sum(k == label for k, _ in known) / len(known)
        for month in sorted({m for _, m in known}):
            here = [k for k, m in known if m == month]
            found = here.count(label) + smoothing * share
            weight = found / ((len(here) + smoothing) * share)
            rows.append(PriorRow(label=label, months=(month,), weight=weight))
    return rows


def write_prior(path: Path, rows: Sequence[PriorRow]) -> None:
    """Write a table that `seacall.prior.read_prior` reads.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            written_whole(path) as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for row in rows:
                values = row.model_dump(exclude_none=True)
                months = " ".join(map(str, row.months))
                weight = f"{row.weight:.4g}"
                writer.writerow(values | {"months": months, "weight": weight})
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be written ({error.strerror}); give another -o"
        ) from error
