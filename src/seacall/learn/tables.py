"""Excel files: misclassified recordings, and the curves of a training run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from seacall.learn.predictions import Mistake, Predictions, mistakes

MISCLASSIFIED_COLUMNS = tuple(field.name for field in fields(Mistake))
CURVE_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "train_f1",
    "val_loss",
    "val_accuracy",
    "val_f1",
    "learning_rate",
    "seconds",
)
MAX_WIDTH = 60
"""Widest column, characters."""
# What XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets), surrogates included.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_misclassified(predictions: Predictions, path: Path) -> None:
    """Write the misclassified recordings, the most confident mistakes first.

    Without any mistake the file has its header and no row.
    """
    rows = [astuple(mistake) for mistake in mistakes(predictions)]
    _write_sheet(path, "misclassified", MISCLASSIFIED_COLUMNS, rows)


def write_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write one row for each epoch of training.

    Parameters
    ----------
    history
        One mapping for each epoch with the keys of `CURVE_COLUMNS`; other keys become
        further columns, missing ones empty cells.
    """
    further = dict.fromkeys(key for epoch in history for key in epoch)
    columns = tuple(dict.fromkeys((*CURVE_COLUMNS, *further)))
    rows = [tuple(epoch.get(name) for name in columns) for epoch in history]
    _write_sheet(path, "train vs val", columns, rows)


def _write_sheet(
    path: Path, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for i, width in enumerate(_widths(columns, rows), start=1):
        sheet.column_dimensions[get_column_letter(i)].width = width
    last = f"{get_column_letter(len(columns))}{len(rows) + 1}"
    sheet.auto_filter.ref = f"A1:{last}"
    sheet.append([_cell(sheet, name, bold=True) for name in columns])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    book.save(path)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    longest = [len(name) + 2 for name in columns]
    for row in rows:
        longest = [max(n, len(_shown(v))) for n, v in zip(longest, row, strict=True)]
    return [min(n + 2, MAX_WIDTH) for n in longest]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else str(value)


def _cell(sheet: Any, value: Any, *, bold: bool = False) -> WriteOnlyCell:
    text = isinstance(value, str)
    number = hasattr(value, "item")
    cell = WriteOnlyCell(sheet, value=None if text else _finite(value, number))
    if text:
        cell.value = _NOT_XML.sub("\ufffd", value)
        # A file called "=1+1.wav" is a name: never let Excel compute it.
        cell.data_type = "s"
    elif isinstance(cell.value, float):
        cell.number_format = "0.000000" if abs(cell.value) >= 1e-3 else "General"
    cell.font = Font(bold=bold)
    return cell


def _finite(value: Any, is_numpy: bool) -> Any:
    plain = value.item() if is_numpy else value
    finite = not isinstance(plain, float) or abs(plain) < float("inf")
    return plain if finite else None
