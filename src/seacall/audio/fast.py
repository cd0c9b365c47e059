"""Choose the compiled kernels where numba is installed, and lay out what they need.

``pip install 'seacall[fast]'`` brings numba. Without it, or with SEACALL_COMPILED=0 in
the environment, NumPy and SciPy compute the same numbers, to rounding.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

SWITCH = "SEACALL_COMPILED"
"""Environment variable: 0 leaves the compiled kernels out."""
_LANES = 16
_RADICES = (5, 4, 2)


def kernels(name: str = "compiled") -> Any:
    """Return a compiled module of this package; None where it cannot be had."""
    return None if os.environ.get(SWITCH) == "0" else _kernels(name)


@lru_cache(maxsize=4)
def _kernels(name: str) -> Any:
    try:
        return import_module(f"seacall.audio.{name}")
    except (ImportError, RuntimeError):  # no numba; or nowhere to keep compiled code
        return None


@dataclass(frozen=True)
class FrameLayout:
    """Frames of one kind, and the tables that transform them sixteen at a time.

    The tables go to the kernels as they are; :mod:`seacall.audio.compiled` says why
    each is there.
    """

    columns: tuple[int, int, int]
    """Zeros before the waveform, hop, and columns of a hop for sixteen frames."""
    transform: tuple[Any, ...]
    """Size, radices, twiddle factors, places of the results, turns, window."""


def frame_layout(
    window: NDArray[np.float64], *, n_fft: int, hop_length: int, lead: int = 0
) -> FrameLayout | None:
    """Make the tables for frames of one kind; None if the kernels cannot do them.

    They can where the hop is a multiple of 16, the window is even, and half of
    ``n_fft`` is four times a product of 2, 4 and 5.

    Parameters
    ----------
    lead
        Zeros before the waveform's first sample.
    """
    n = n_fft // 2
    radices = _radices(n) if n_fft % 2 == 0 else None
    if radices is None or hop_length % _LANES or len(window) % 2:
        return None
    n_columns = _LANES - 1 + -(-len(window) // hop_length)
    return FrameLayout(
        columns=(lead, hop_length, _LANES * -(-n_columns // _LANES)),
        transform=(
            n,
            np.array(radices),
            _twiddles(n, radices),
            np.array([_place(k % n, n, radices) for k in range(n + 1)]),
            _pairs(np.exp(-1j * np.pi * np.arange(n // 2 + 1) / n)),
            (window / 2).astype(np.float32),
        ),
    )


def band_tables(weights: NDArray[Any]) -> tuple[Any, ...]:
    """Return first bin, number of bins and weights of each band, for the kernels.

    Parameters
    ----------
    weights
        Filter bank, shape ``(n_bins, n_bands)``. Each band gets an even number of
        bins, one of which may weigh nothing.
    """
    n_bins = len(weights)
    firsts, counts, parts = [], [], [np.empty(0)]
    for band in weights.T:
        seen = np.flatnonzero(band)
        first, stop = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
        if (stop - first) % 2:
            first, stop = (first, stop + 1) if stop < n_bins else (first - 1, stop)
        firsts.append(first)
        counts.append(stop - first)
        parts.append(band[first:stop])
    return np.array(firsts), np.array(counts), np.concatenate(parts).astype(np.float32)


def _radices(n: int) -> list[int] | None:
    """Factor a transform's length, 4 last; None if other factors are left."""
    if n <= 0 or n % 4:
        return None
    left, radices = n // 4, []
    for radix in _RADICES:
        while left % radix == 0:
            radices.append(radix)
            left //= radix
    return [*radices, 4] if left == 1 else None


def _twiddles(n: int, radices: list[int]) -> Float32:
    """Return the factors of all passes but the last, in the order of their use.

    A pass over blocks of n multiplies output k of butterfly j by exp(-2 pi i jk / n).
    """
    parts = [np.empty(0, np.complex128)]
    for radix in radices[:-1]:
        turns = np.arange(n // radix)[:, None] * np.arange(1, radix) / n
        parts.append(np.exp(-2j * np.pi * turns).ravel())
        n //= radix
    return _pairs(np.concatenate(parts))


def _place(k: int, n: int, radices: list[int]) -> int:
    """Return the row in which decimation in frequency leaves frequency ``k``."""
    row = 0
    for radix in radices:
        n //= radix
        row += (k % radix) * n
        k //= radix
    return row


def _pairs(z: NDArray[np.complex128]) -> Float32:
    """Return real and imaginary parts in turn."""
    return np.stack([z.real, z.imag], axis=-1).ravel().astype(np.float32)
