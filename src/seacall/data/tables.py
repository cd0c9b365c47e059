"""Read a table of rows from Excel, CSV, TSV or Parquet: the one door to pandas."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seacall.errors import AnnotationError, require

TABLE_SUFFIXES = (".xlsx", ".csv", ".tsv", ".parquet")
"""Endings of tables that are looked for, the preferred one first."""

Cell = str | float | int | bool
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Table:
    """Rows as they stand in a file; an empty cell is an empty string."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Read a table, whatever its format.

    Parameters
    ----------
    path
        ``.xlsx``, ``.parquet``, ``.csv`` (comma or semicolon), ``.tsv`` or ``.txt``
        (tab). Text is UTF-8, with or without a byte order mark, or else Windows-1252.

    Raises
    ------
    AnnotationError
        If the file is missing, empty, or not such a table.
    MissingExtraError
        If pandas, or what it needs for the format, is not installed.
    """
    pandas = require("pandas", "tables")
    if not path.is_file():
        raise AnnotationError(f"{path}: no such table; check the path")
    try:
        frame = _read_frame(pandas, path)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, SyntaxError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AnnotationError(
            f"{path}: cannot be read as a table ({first}); give Excel (.xlsx), CSV, "
            "TSV or Parquet"
        ) from error
    return _plain(path, frame)


def write_excel(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write rows to an Excel file; the header is there even without rows.

    Raises
    ------
    MissingExtraError
        If pandas or openpyxl is not installed.
    """
    pandas = require("pandas", "tables")
    require("openpyxl", "tables")
    frame = pandas.DataFrame.from_records(list(rows), columns=list(columns))
    frame.to_excel(path, index=False)


def text_of(cell: Cell) -> str:
    """Return a cell as text; a whole number stays without a decimal point."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def number_of(cell: Cell) -> float | None:
    """Return a cell as a finite number (``1.5``, ``"1.5"`` or ``"1,5"``), or None."""
    if isinstance(cell, bool):
        return None
    text = str(cell).strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read_frame(pandas: Any, path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in {".xlsx", ".xlsm"}:
        require("openpyxl", "tables")
        return pandas.read_excel(path, dtype=object, keep_default_na=False)
    if suffix == ".parquet":
        require("pyarrow", "tables")
        return pandas.read_parquet(path)
    return _read_text(pandas, path)


def _read_text(pandas: Any, path: Path) -> Any:
    encoding = _encoding(path)
    with path.open(encoding=encoding) as file:
        header = file.readline()
    # index_col=False: where rows have one field more than the header (a trailing tab)
    # pandas would shift every column; with it, it warns and drops the empty field.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pandas.errors.ParserWarning)
        return pandas.read_csv(
            path,
            sep=max("\t;,", key=header.count) if header.strip() else ",",
            dtype=str,
            keep_default_na=False,
            index_col=False,
            encoding=encoding,
        )


def _encoding(path: Path) -> str:
    """Excel's "CSV" is Windows-1252; nearly everything else is UTF-8."""
    try:
        path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _plain(path: Path, frame: Any) -> Table:
    columns = tuple(str(name).strip() for name in frame.columns)
    cells = frame.astype(object).where(frame.notna(), "").to_numpy().tolist()
    named = [k for k, name in enumerate(columns) if not name.startswith("Unnamed:")]
    rows = tuple({columns[k]: values[k] for k in named} for values in cells)
    kept = tuple(columns[k] for k in named)
    return Table(path, kept, tuple(r for r in rows if any(v != "" for v in r.values())))
