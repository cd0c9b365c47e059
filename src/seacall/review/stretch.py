"""Read a stretch of a recording, as far as the recording reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.errors import AudioError

_LONGEST_S = 600.0
"""Nobody looks at more at once; it bounds what a request may ask for, s."""


def read_stretch(
    path: Path,
    begin_s: float,
    end_s: float,
    *,
    channel: int = 0,
    sample_rate: int | None = None,
) -> tuple[NDArray[np.float32], int, float]:
    """Read from one second to another.

    Parameters
    ----------
    channel
        Counted from 1; 0: the mean of all.
    sample_rate
        The true one, where the header's is wrong, Hz.

    Returns
    -------
    y, sample_rate, start_s
        Samples of shape ``(n,)``, their rate, Hz, and where they really begin, s.

    Raises
    ------
    AudioError
        If it cannot be read, or holds nothing there.
    """
    rate = sample_rate or io.probe(path).sample_rate
    begin = max(0, round(begin_s * rate))
    length = round(min(end_s - begin / rate, _LONGEST_S) * rate)
    y = io.read_channels(path, start=begin, length=length) if length > 0 else None
    if y is None or not len(y):
        raise AudioError(f"{path}: holds no sound from {begin_s:g} s to {end_s:g} s")
    if 0 < channel <= y.shape[1]:
        y = y[:, channel - 1]
    else:
        y = y.mean(axis=1) if y.shape[1] > 1 else y[:, 0]
    return np.nan_to_num(np.ascontiguousarray(y, np.float32)), rate, begin / rate
