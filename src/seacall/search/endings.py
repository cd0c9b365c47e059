"""Which files results can be written to, told by their endings."""

from __future__ import annotations

from pathlib import Path

from seacall.errors import SettingsError, require

ENDINGS = (".txt", ".csv", ".parquet")
"""A Raven selection table, CSV, Parquet."""


def check_ending(path: Path) -> str:
    """Return the ending of a table of results, in small letters.

    Raises
    ------
    SettingsError
        If none is written under it.
    MissingExtraError
        If it needs a package that is not installed.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise SettingsError(
            f"{path}: results are written as {', '.join(ENDINGS)} (a Raven selection "
            "table, CSV, Parquet); choose one of these endings"
        )
    if ending == ".parquet":
        require("pyarrow", "tables")
    return ending


def check_batch(path: Path) -> None:
    """Check the name of a table of clips to label.

    Raises
    ------
    SettingsError
        If it does not end in ``.csv``.
    """
    if path.suffix.lower() != ".csv":
        raise SettingsError(
            f"{path}: a batch to label is a table with a column to fill in; give a "
            "name that ends in .csv"
        )
