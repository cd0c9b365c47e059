"""Run a filter over sixteen stretches of a recording at once: compiled by numba.

A recursive filter waits for its own last result, so that a processor's width is of no
use within one stretch. Sixteen stretches that follow one another are filtered side by
side, each begun early enough that nothing of its wrong beginning is left.
"""

from __future__ import annotations

from typing import Any

from seacall.audio.compiled import columns
from seacall.audio.lanes import (
    N_LANES,
    compiled,
    load,
    rows,
    splat,
    store,
    transpose,
)

STRETCH = 2_064
"""Samples in each of the sixteen stretches; one more stretch goes before them. Not a
power of two, which would send the same sample of all to the same place of the cache."""
BLOCK = N_LANES * STRETCH
"""Samples that are filtered at once."""
_COLUMNS = 2 * N_LANES


@compiled
def filtered(y: Any, sections: Any, settled: Any, warm_up: int, out: Any) -> None:
    """Filter a block of samples that follows on others.

    Parameters
    ----------
    y
        A stretch before the block and the block, shape ``(STRETCH + BLOCK,)``.
    sections
        Four second-order sections as SciPy has them, shape ``(4, 6)``.
    settled
        Their state after a long constant 1, shape ``(4, 2)``.
    warm_up
        Samples after which the filter has forgotten, at most ``STRETCH``.
    out
        Filled with the block's result, shape ``(BLOCK,)``.
    """
    laid_out = rows(2 * STRETCH)
    columns(y, 0, STRETCH, _COLUMNS, laid_out)
    done = rows(STRETCH)
    _run(laid_out, sections, settled, warm_up, done)
    for first in range(0, STRETCH, N_LANES):
        transpose(done, first * N_LANES, N_LANES, out, first, STRETCH)


@compiled
def _run(laid_out: Any, sections: Any, settled: Any, warm_up: int, done: Any) -> None:
    """Filter rows: column c from the end of stretch c into the whole of c + 1."""
    a, b, c, d = sections[0], sections[1], sections[2], sections[3]
    x = load(laid_out, (STRETCH - warm_up) * _COLUMNS)
    a1, a2 = _settled(x, settled[0])
    b1, b2 = _settled(x, settled[1])
    c1, c2 = _settled(x, settled[2])
    d1, d2 = _settled(x, settled[3])
    for row in range(-warm_up, STRETCH):
        # What lies before row 0 is the end of the column to the left.
        at = row * _COLUMNS + 1 if row >= 0 else (row + STRETCH) * _COLUMNS
        x, a1, a2 = _section(load(laid_out, at), a, a1, a2)
        x, b1, b2 = _section(x, b, b1, b2)
        x, c1, c2 = _section(x, c, c1, c2)
        x, d1, d2 = _section(x, d, d1, d2)
        if row >= 0:
            store(done, row * N_LANES, x)


@compiled
def _settled(x: Any, settled: Any) -> Any:
    return x * splat(settled[0]), x * splat(settled[1])


@compiled
def _section(x: Any, section: Any, z1: Any, z2: Any) -> Any:
    """Do one sample's step of a section, transposed direct form II."""
    y = splat(section[0]) * x + z1
    z1 = splat(section[1]) * x - splat(section[4]) * y + z2
    z2 = splat(section[2]) * x - splat(section[5]) * y
    return y, z1, z2
