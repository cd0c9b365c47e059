"""Raven selection tables: one for each recording, and one for all in a row.

Raven reads a table of several recordings in two ways. Opened as a selection table over
a sequence of files, it takes the times, counted over the sequence; opened as a sound
selection table, it takes ``Begin Path`` and ``File Offset (s)``. Here both agree: times
count the true length of every recording before, whether or not anything was detected in
it. One that cannot be opened counts nothing, as Raven cannot open it either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TextIO

from seacall.detect.outputs.target import Take, Target, opened_text
from seacall.detect.outputs.values import (
    MISSING,
    Axis,
    band_hz,
    cell,
    ends,
    finite,
    in_order,
    length_s,
    seconds,
    was_heard,
)
from seacall.events import Detection, Searched

COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin File",
    "Begin Path",
    "File Offset (s)",
    "Begin Date Time",
    "SNR (dB)",
    "Level (dB)",
    "Level Unit",
    "Clips",
    "Species",
    "Score",
)
"""The seven that every reader needs come first. PAMGuard loses what follows an empty
cell at the end of a row: no cell is empty, and what is never missing comes last."""
ENDING = ".selections.txt"


@contextmanager
def raven_tables(target: Target) -> Iterator[Take]:
    """Write ``detections.selections.txt``, and a table for each in ``selections/``."""
    folder = target.out / "selections"
    folder.mkdir(parents=True, exist_ok=True)
    with target.text(f"detections{ENDING}") as whole:
        target.written.append(folder)
        sequence = SelectionTable(whole)

        def take(searched: Searched, found: list[Detection]) -> None:
            ordered = in_order(found)
            sequence.add(searched, ordered)
            if was_heard(searched):
                path = target.named(searched.path, under="selections", ending=ENDING)
                with opened_text(path) as stream:
                    SelectionTable(stream).add(searched, ordered)

        yield take


class SelectionTable:
    """A table of recordings that Raven opens one behind the other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._n_rows = 0
        self._before_s = Fraction(0)
        stream.write("\t".join(COLUMNS) + "\n")

    def add(self, searched: Searched, ordered: list[Detection]) -> None:
        """Write the rows of a recording, and count its length."""
        row = _Row(searched, before_s=self._before_s)
        for detection in ordered:
            self._n_rows += 1
            cells = row.cells(self._n_rows, detection)
            self._stream.write("\t".join(cells) + "\n")
        self._before_s += length_s(searched.recording)


class _Row:
    """What a row says of a detection, the recording's part of it prepared."""

    def __init__(self, searched: Searched, *, before_s: Fraction) -> None:
        self._recording = searched.recording
        self._sequence = Axis.of(searched.recording, before_s=before_s)
        self._own = Axis.of(searched.recording)
        self._file = cell(searched.path.name)
        self._path = cell(_full(searched.path))

    def cells(self, number: int, detection: Detection) -> tuple[str, ...]:
        """Return the cells of a row, as :data:`COLUMNS` names them."""
        begin, end = self._sequence.stretch_us(detection)
        offset, _ = self._own.stretch_us(detection)
        low_hz, high_hz = band_hz(detection, self._recording)
        return (
            str(number),
            "Spectrogram 1",
            str(max(detection.channel, 1)),
            seconds(begin),
            seconds(end),
            f"{low_hz:.3f}",
            f"{high_hz:.3f}",
            self._file,
            self._path,
            seconds(offset),
            _clock(ends(detection)[0]),
            _number(detection.snr_db),
            _number(detection.level_db),
            cell(detection.level_unit),
            str(detection.n_clips),
            cell(detection.label),
            f"{detection.score:.6f}",
        )


def _full(path: Path) -> str:
    text = str(path)
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100


def _number(value: float | None) -> str:
    number = finite(value)
    return MISSING if number is None else f"{number:.2f}"


def _clock(moment: datetime | None) -> str:
    """Write a moment as Raven does (``2019/05/01 19:08:00.250``), in UTC."""
    if moment is None:
        return MISSING
    return f"{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
