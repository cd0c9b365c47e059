"""Show what a station hears: a column of spectrum ten times a second, for a page."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.live.journal import time_us
from seacall.live.ring_file import UNDATED, RingForm, RingWriter
from seacall.live.settings import SpectrumSettings
from seacall.live.source import Start

Float32 = NDArray[np.float32]
Log = logging.getLogger("seacall.live")

FOLDER = "spectrum"
LOW_DB, HIGH_DB = -127.5, 0.0
"""Half a decibel a step."""
_LONGEST_FFT = 16_384


def ring_path(folder: Path, source: int) -> Path:
    """Return where the spectrum of a source lies, by its number in the journal."""
    return folder / FOLDER / f"{source}.ring"


def form_for(sample_rate: int, settings: SpectrumSettings) -> RingForm:
    """Return bins and columns for a sample rate, Hz.

    The bins are lines of a Fourier transform, from the first above 0 Hz on.
    """
    n_fft = _n_fft(sample_rate, settings)
    column_length = max(1, round(sample_rate / settings.columns_per_s))
    return RingForm(
        n_bins=settings.n_bins,
        n_slots=round(settings.kept_s * settings.columns_per_s),
        column_length=column_length,
        sample_rate=sample_rate,
        top_hz=settings.n_bins * sample_rate / n_fft,
        low_db=LOW_DB,
        high_db=HIGH_DB,
    )


def _n_fft(sample_rate: int, settings: SpectrumSettings) -> int:
    nyquist = sample_rate / 2
    top_hz = min(settings.top_hz or nyquist, nyquist)
    return min(2 * int(np.ceil(settings.n_bins * nyquist / top_hz)), _LONGEST_FFT)


class ColumnMaker:
    """Makes columns from samples as they come.

    A column is the loudest of the windows that begin in it, at each frequency: clicks
    of a millisecond would be lost in a mean.

    Parameters
    ----------
    form
        Bins and columns.
    """

    def __init__(self, form: RingForm) -> None:
        self._form = form
        n_fft = round(form.n_bins * form.sample_rate / form.top_hz)
        n_windows = -(-form.column_length // (n_fft // 2))
        begins = np.arange(n_windows) * form.column_length // n_windows
        self._at = begins[:, None] + np.arange(n_fft)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
        # So that a sine of full scale has a line of 1, 0 dB.
        self._window = (window / (window.sum() / 2)).astype(np.float32)
        self._rest = np.empty(0, np.float32)
        self._n = 0

    def push(self, y: Float32) -> NDArray[Any]:
        """Take samples, shape ``(n,)``; return columns, with ``start_s`` from 0 on."""
        self._rest = np.concatenate([self._rest, y])
        length = self._form.column_length
        reach = max(length, int(self._at[-1, -1]) + 1)
        n = max(0, (len(self._rest) - reach) // length + 1)
        columns = np.zeros(n, self._form.dtype)
        for k in range(n):
            self._fill(columns[k], self._rest[k * length : k * length + reach])
            columns[k]["start_s"] = (self._n + k) * self._form.column_s
        self._n += n
        self._rest = self._rest[n * length :].copy()
        return columns

    def _fill(self, column: Any, y: Float32) -> None:
        form = self._form
        lines = np.fft.rfft(y[self._at] * self._window)[:, 1 : form.n_bins + 1]
        power = (lines.real**2 + lines.imag**2).max(axis=0)
        column["bins"] = _steps(_db(power), form)
        own = y[: form.column_length]
        column["peak_db"] = _db(np.square(np.abs(own).max()))
        column["rms_db"] = _db(np.mean(np.square(own)))


def _db(power: Any) -> Any:
    return 10 * np.log10(np.maximum(power, np.float32(1e-20)))


def _steps(db: Any, form: RingForm) -> NDArray[np.uint8]:
    step = 255 / (form.high_db - form.low_db)
    return np.asarray(
        np.clip(np.rint((db - form.low_db) * step), 0, 255), dtype=np.uint8
    )


class Spectrograph:
    """Keeps the last minutes of one source's spectrum in a file.

    Nothing that goes wrong here stops listening: it is logged, once.

    Parameters
    ----------
    path
        The file.
    settings
        Bins, columns, how long.
    """

    def __init__(self, path: Path, settings: SpectrumSettings) -> None:
        self._path, self._settings = path, settings
        self._writer: RingWriter | None = None
        self._maker: ColumnMaker | None = None
        self._offset_s, self._start_us = 0.0, UNDATED
        self._warned = False

    def begin(self, start: Start) -> None:
        """Note that a segment begins: what is left of the one before is dropped."""
        if not self._settings.keep:
            return
        form = form_for(start.sample_rate, self._settings)
        self._offset_s = start.first_sample / start.sample_rate
        self._start_us = UNDATED if start.start is None else time_us(start.start)
        self._maker = ColumnMaker(form)
        if self._writer is None or self._writer.form != form:
            self.close()
            self._open(form)

    def push(self, y: Float32) -> None:
        """Take the next samples of the segment, shape ``(n,)``."""
        if self._maker is None or self._writer is None:
            return
        columns = self._maker.push(y)
        if not len(columns):
            return
        columns["start_us"] = UNDATED
        if self._start_us != UNDATED:
            passed_us = np.rint(columns["start_s"] * 1e6).astype(np.int64)
            columns["start_us"] = self._start_us + passed_us
        columns["start_s"] += self._offset_s
        try:
            self._writer.write(columns)
        except OSError as error:
            self._warn(error)

    def close(self) -> None:
        """Let go of the file; it stays."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, form: RingForm) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = RingWriter(self._path, form)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            Log.warning("%s: no live spectrum (%s)", self._path, error.strerror)
        self._warned = True
