"""What was detected, in the formats that others read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from seacall.detect.outputs.aoef import aoef_file
from seacall.detect.outputs.aplose import aplose_table
from seacall.detect.outputs.audacity import audacity_labels
from seacall.detect.outputs.json_file import json_file
from seacall.detect.outputs.parquet import parquet_tables
from seacall.detect.outputs.presence import hourly_presence
from seacall.detect.outputs.raven import raven_tables
from seacall.detect.outputs.tables import csv_tables
from seacall.detect.outputs.target import Format, Parts, Target, shared_folder
from seacall.detect.outputs.timeline import timeline_page
from seacall.errors import SettingsError, require
from seacall.events import Detection, Searched

__all__ = ["BY_RECORDING", "FORMATS", "Results", "shared_folder", "write_outputs"]

Results = Callable[[], Iterator[tuple[Searched, list[Detection]]]]

FORMATS: dict[str, Format] = {
    "csv": csv_tables,
    "raven": raven_tables,
    "audacity": audacity_labels,
    "json": json_file,
    "parquet": parquet_tables,
    "presence": hourly_presence,
    "timeline": timeline_page,
    "aplose": aplose_table,
    "aoef": aoef_file,
}
"""Every format by its name: what opens it, and takes one recording after the other."""
BY_RECORDING = frozenset({"raven", "audacity", "presence", "timeline", "aplose"})
"""Formats that name recordings by where they lie in their folder."""


def write_outputs(
    out: Path,
    results: Results,
    *,
    formats: Sequence[str],
    folder: Path | Parts | None = None,
    labels: Sequence[str] = (),
) -> list[Path]:
    """Write what was detected, in one pass and in the order of the recordings.

    Each file appears when all is written, or keeps what an earlier run left there.
    Memory does not grow with the number of detections.

    Parameters
    ----------
    out
        Folder to write to; made if need be.
    results
        Gives each recording that was to be heard with what was detected in it, those
        without detections and those that failed too. Called once, or twice where
        ``folder`` is not given.
    formats
        Names of :data:`FORMATS`.
    folder
        Folder that recordings are named from where a file is written for each: the one
        that was searched, or :func:`shared_folder` of the recordings; None: that of
        ``results()``, which is then gone through once more.
    labels
        All that could be detected, so that hours without a species can be told; else
        only what was detected is known.

    Returns
    -------
    written
        Files, and folders that hold one file for each recording.

    Raises
    ------
    SettingsError
        If a format does not exist, or something cannot be written.
    MissingExtraError
        If a format needs a package that is not installed.
    """
    chosen = _chosen(formats)
    if folder is None and not BY_RECORDING.isdisjoint(formats):
        folder = shared_folder(searched.path for searched, _ in results())
    target = Target(out, folder, tuple(labels))
    try:
        with ExitStack() as stack:
            out.mkdir(parents=True, exist_ok=True)
            takers = [stack.enter_context(opened(target)) for opened in chosen]
            for searched, found in results():
                for take in takers:
                    take(searched, found)
    except OSError as error:
        if not _lies_in(out, error):
            raise  # not ours: something that results() reads
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror or error}); free some space, "
            "or choose another folder"
        ) from error
    return target.written


def _lies_in(out: Path, error: OSError) -> bool:
    """Say whether an error is about the output; one without a name is of writing."""
    name = error.filename
    return (
        not isinstance(name, str)
        or Path(name).is_relative_to(out)
        or (out.is_relative_to(name))
    )


def check_formats(names: Sequence[str], *, others: Sequence[str] = ()) -> None:
    """Raise if a format cannot be written, before anything is listened to.

    Parameters
    ----------
    others
        Names that exist beside `FORMATS`.

    Raises
    ------
    SettingsError
        If a format does not exist.
    MissingExtraError
        If it needs a package that is not installed.
    """
    for name in names:
        if name not in FORMATS and name not in others:
            raise SettingsError(
                f"format {name!r} does not exist; choose from "
                + ", ".join([*FORMATS, *others])
            )
    if "parquet" in names:
        require("pyarrow", "tables")


def _chosen(names: Sequence[str]) -> list[Format]:
    check_formats(names)
    return [FORMATS[name] for name in dict.fromkeys(names)]
