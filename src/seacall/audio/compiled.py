"""Sum up the spectra of sixteen frames at once: compiled by numba.

The arithmetic of :mod:`seacall.audio.logmel` and :mod:`seacall.audio.features`, in
float32 as there, about four times faster. A row is sixteen numbers, one of each frame:
every step of one frame's work is the same step of all sixteen, so that vector
instructions need no shuffling, and what a frame comes out as depends on no other frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seacall.audio.fourier import transformed, unpacked
from seacall.audio.lanes import (
    N_LANES,
    below,
    compiled,
    load,
    rows,
    splat,
    square_root,
    store,
    transpose,
)

_GROUP = 32  # neighbouring bins that are summed up first


@compiled
def columns(y: Any, lead: int, hop_length: int, n_columns: int, out: Any) -> None:
    """Lay a waveform out in columns of one hop: ``out[r, c] = y[c * hop + r - lead]``.

    Zeros before and behind it. Both counts are multiples of sixteen.
    """
    for column in range(0, n_columns, N_LANES):
        _columns(y, column * hop_length - lead, hop_length, n_columns, out, column)


@compiled
def _columns(
    y: Any, start: int, hop_length: int, n_columns: int, out: Any, column: int
) -> None:
    """Lay out sixteen columns, the first of which begins at sample ``start``."""
    inside = start >= 0 and start + N_LANES * hop_length <= len(y)
    for row in range(0, hop_length, N_LANES):
        to = row * n_columns + column
        if inside:
            transpose(y, start + row, hop_length, out, to, n_columns)
        else:
            _square(y, start + row, hop_length, out, to, n_columns)


@compiled
def _square(
    y: Any, start: int, hop_length: int, out: Any, to: int, n_columns: int
) -> None:
    """Lay out 16 x 16 samples of which some lie outside the waveform."""
    for column in range(N_LANES):
        for row in range(N_LANES):
            at = start + column * hop_length + row
            value = y[at] if 0 <= at < len(y) else np.float32(0)
            out[to + row * n_columns + column] = value


@compiled
def _next_columns(y: Any, layout: Any, first: int, out: Any) -> None:
    """Lay out the columns from number ``first`` on, sixteen further than before.

    All but the last sixteen are there already, and move to the left. So little of the
    waveform lies around at once that it stays in the cache.
    """
    lead, hop_length, n_columns = layout
    if first == 0:
        columns(y, lead, hop_length, n_columns, out)
        return
    new = n_columns - N_LANES
    for row in range(0, hop_length * n_columns, n_columns):
        for at in range(row, row + new, N_LANES):
            store(out, at, load(out, at + N_LANES))
    start = (first + new) * hop_length - lead
    _columns(y, start, hop_length, n_columns, out, new)


@compiled
def _hop_sums(
    waveform: Any, layout: Any, column: int, zero: float, sums: Any, first: int
) -> None:
    """Write of sixteen hops their energy, their sign changes, and two signs.

    Four rows of ``sums``, one number for each hop: the sum of squares; changes from
    one sample to the next within the hop; 1 where the first, the last sample lies
    below ``-zero``.
    """
    _, hop_length, n_columns = layout
    low = splat(np.float32(-zero))
    energy = splat(np.float32(0))
    changes = splat(np.float32(0))
    opening = below(load(waveform, column), low)
    before = opening
    for row in range(hop_length):
        y = load(waveform, row * n_columns + column)
        energy = energy + y * y
        negative = below(y, low)
        changes = changes + (negative - before) * (negative - before)
        before = negative
    store(sums[0], first, energy)
    store(sums[1], first, changes)
    store(sums[2], first, opening)
    store(sums[3], first, before)


@compiled
def mel_sums(
    y: Any, layout: Any, transform: Any, bands: Any, magnitude: bool, out: Any
) -> None:
    """Sum the spectra of all frames over bands, into ``out``: rows are frames.

    ``layout`` holds the zeros before the waveform, the hop, and the columns of one hop
    that sixteen frames need, all in samples or columns of :func:`columns`.
    """
    n_bands = len(bands[0])
    buffer, power = rows(2 * transform[0]), rows(transform[0] + 1)
    sums, waveform = rows(n_bands), rows(layout[1] * layout[2] // N_LANES)
    for first in range(0, len(out), N_LANES):
        _next_columns(y, layout, first, waveform)
        _power(waveform, layout, transform, buffer, power)
        if magnitude:
            for at in range(0, len(power), N_LANES):
                store(power, at, square_root(load(power, at)))
        _band_sums(power, bands, sums)
        _write_frames(sums, n_bands, first, out)


@compiled
def feature_sums(
    y: Any,
    layout: Any,
    transform: Any,
    bands: Any,
    weights: Any,
    limits: Any,
    out: Any,
    hops: Any,
) -> None:
    """Sum the spectra of all frames over bands and in other ways.

    A row of ``out`` is a frame: the bands' power; then, of its magnitudes, the sum,
    the two that ``weights`` make of it, and the number of bins before the one at which
    the running sum reaches the share ``limits[0]``. ``hops`` gets what
    :func:`_hop_sums` finds, zero being ``limits[1]``.
    """
    n_bands, n_columns = len(bands[0]), layout[2]
    buffer, power = rows(2 * transform[0]), rows(transform[0] + 1)
    sums, groups = rows(n_bands + 4), rows(transform[0] // _GROUP + 1)
    waveform = rows(layout[1] * n_columns // N_LANES)
    for first in range(0, len(out), N_LANES):
        _next_columns(y, layout, first, waveform)
        for column in range(n_columns - N_LANES if first else 0, n_columns, N_LANES):
            _hop_sums(waveform, layout, column, limits[1], hops, first + column)
        _power(waveform, layout, transform, buffer, power)
        _band_sums(power, bands, sums)
        found = sums[n_bands * N_LANES :]
        _magnitude_sums(power, transform[0], weights, limits[0], groups, found)
        _write_frames(sums, n_bands + 4, first, out)


@compiled
def _write_frames(sums: Any, n_bands: int, first: int, out: Any) -> None:
    for lane in range(min(N_LANES, len(out) - first)):
        for band in range(n_bands):
            out[first + lane, band] = sums[band * N_LANES + lane]


@compiled
def _power(waveform: Any, layout: Any, transform: Any, buffer: Any, power: Any) -> None:
    """Write the power spectra of sixteen frames, rows in the order of frequency."""
    n, radices, twiddles, places, turns, window = transform
    _windowed(waveform, layout, window, n, buffer)
    transformed(buffer, n, radices, twiddles)
    unpacked(buffer, n, places, turns, power)


@compiled
def _windowed(waveform: Any, layout: Any, window: Any, n: int, buffer: Any) -> None:
    """Write windowed frames: even samples as real, odd ones as imaginary parts."""
    _, hop_length, n_columns = layout
    for hop in range(0, len(window), hop_length):
        at = hop // hop_length
        for k in range(hop, min(hop + hop_length, len(window))):
            store(buffer, k * N_LANES, load(waveform, at) * splat(window[k]))
            at += n_columns
    for k in range(len(window), 2 * n):
        store(buffer, k * N_LANES, splat(np.float32(0)))


@compiled
def _band_sums(spectra: Any, bands: Any, sums: Any) -> None:
    """Sum weighted bins, each band over its own stretch of them."""
    firsts, counts, weights = bands
    at = 0
    for band in range(len(firsts)):
        row = N_LANES * firsts[band]
        even = splat(np.float32(0))
        odd = splat(np.float32(0))
        # Counts are even. Two sums wait half as long for each other as one.
        for k in range(at, at + counts[band], 2):
            even = even + load(spectra, row) * splat(weights[k])
            odd = odd + load(spectra, row + N_LANES) * splat(weights[k + 1])
            row += 2 * N_LANES
        at += counts[band]
        store(sums, band * N_LANES, even + odd)


@compiled
def _magnitude_sums(
    power: Any, n: int, weights: Any, share: float, groups: Any, sums: Any
) -> None:
    """Take the root of the power in place; write the four numbers of each frame.

    Groups of bins are summed up by themselves, so that neither their sums nor the
    running sums within them wait for each other.
    """
    total, in_band, moment = _root_and_sums(power, n, weights, groups)
    store(sums, 0, total)
    store(sums, N_LANES, in_band)
    store(sums, 2 * N_LANES, moment)
    threshold = total * splat(np.float32(share))
    until = splat(np.float32(0))
    bins = splat(np.float32(0))
    for group in range(0, n, _GROUP):
        running = until
        found = splat(np.float32(0))
        for k in range(group, min(group + _GROUP, n)):
            running = running + load(power, k * N_LANES)
            found = found + below(running, threshold)
        bins = bins + found
        until = until + load(groups, group // _GROUP * N_LANES)
    store(sums, 3 * N_LANES, bins)


@compiled
def _root_and_sums(power: Any, n: int, weights: Any, groups: Any) -> Any:
    total = splat(np.float32(0))
    in_band = splat(np.float32(0))
    moment = splat(np.float32(0))
    for group in range(0, n + 1, _GROUP):
        group_total = splat(np.float32(0))
        group_in_band = splat(np.float32(0))
        group_moment = splat(np.float32(0))
        for k in range(group, min(group + _GROUP, n + 1)):
            magnitude = square_root(load(power, k * N_LANES))
            store(power, k * N_LANES, magnitude)
            group_total = group_total + magnitude
            group_in_band = group_in_band + magnitude * splat(weights[0, k])
            group_moment = group_moment + magnitude * splat(weights[1, k])
        store(groups, group // _GROUP * N_LANES, group_total)
        total = total + group_total
        in_band = in_band + group_in_band
        moment = moment + group_moment
    return total, in_band, moment
