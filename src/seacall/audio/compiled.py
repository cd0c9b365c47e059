"""Transform sixteen frames at once and sum up their spectra: compiled by numba.

The arithmetic of :mod:`seacall.audio.logmel` and :mod:`seacall.audio.features`, in
float32 as there, about four times faster. A row is sixteen numbers, one of each frame:
every step of one frame's transform is the same step of all sixteen, so that vector
instructions need no shuffling, and what a frame comes out as depends on no other frame.

Complex numbers lie as a row of real beside a row of imaginary parts. The transform is
the one of Cooley and Tukey, in place, decimated in frequency: its results come out in
digit-reversed order, which costs nothing, since rows are looked up by a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from seacall.audio.lanes import (
    N_LANES,
    below,
    load,
    splat,
    square_root,
    store,
    transpose,
)

_NOT_ALL = 128
"""Rows that fit the L1 cache; passes over more go through everything first."""
_COS_1, _COS_2 = np.float32(np.cos(2 * np.pi / 5)), np.float32(np.cos(4 * np.pi / 5))
_SIN_1, _SIN_2 = np.float32(np.sin(2 * np.pi / 5)), np.float32(np.sin(4 * np.pi / 5))
_GROUP = 32  # neighbouring bins that are summed up first

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def columns(y: Any, lead: int, hop_length: int, n_columns: int, out: Any) -> None:
    """Lay a waveform out in columns of one hop: ``out[r, c] = y[c * hop + r - lead]``.

    Zeros before and behind it. Both counts are multiples of sixteen.
    """
    for first in range(0, n_columns, N_LANES):
        start = first * hop_length - lead
        inside = start >= 0 and start + N_LANES * hop_length <= len(y)
        for row in range(0, hop_length, N_LANES):
            to = row * n_columns + first
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
def hop_sums(waveform: Any, layout: Any, zero: float, out: Any) -> None:
    """Write of each hop its energy, its sign changes, and two signs.

    Four rows of ``out``, one number for each column: the sum of squares; changes from
    one sample to the next within the hop; 1 where the first, the last sample lies
    below ``-zero``.
    """
    hop_length, n_columns = layout
    low = splat(np.float32(-zero))
    for first in range(0, n_columns, N_LANES):
        energy = splat(np.float32(0))
        changes = splat(np.float32(0))
        opening = splat(np.float32(0))
        before = splat(np.float32(0))
        for row in range(hop_length):
            y = load(waveform, row * n_columns + first)
            energy = energy + y * y
            negative = below(y, low)
            change = (negative - before) * (negative - before)
            if row:
                changes = changes + change
            else:
                opening = negative
            before = negative
        store(out, first, energy)
        store(out, n_columns + first, changes)
        store(out, 2 * n_columns + first, opening)
        store(out, 3 * n_columns + first, before)


@compiled
def mel_sums(
    waveform: Any, layout: Any, transform: Any, bands: Any, magnitude: bool, out: Any
) -> None:
    """Sum the spectra of all frames over bands, into ``out``: rows are frames."""
    n_bands = len(bands[0])
    buffer, power = rows(2 * transform[0]), rows(transform[0] + 1)
    sums = rows(n_bands)
    for first in range(0, len(out), N_LANES):
        _power(waveform, layout, transform, first, buffer, power)
        if magnitude:
            for k in range(transform[0] + 1):
                at = k * N_LANES
                store(power, at, square_root(load(power, at)))
        _band_sums(power, bands, sums)
        _write_frames(sums, n_bands, first, out)


@compiled
def feature_sums(
    waveform: Any,
    layout: Any,
    transform: Any,
    bands: Any,
    weights: Any,
    share: float,
    out: Any,
) -> None:
    """Sum the spectra of all frames over bands and in other ways.

    A row of ``out`` is a frame: the bands' power; then, of its magnitudes, the sum,
    the two that ``weights`` make of it, and the number of bins before the one at which
    the running sum reaches ``share``.
    """
    n_bands = len(bands[0])
    buffer, power = rows(2 * transform[0]), rows(transform[0] + 1)
    sums, groups = rows(n_bands + 4), rows(transform[0] // _GROUP + 1)
    for first in range(0, len(out), N_LANES):
        _power(waveform, layout, transform, first, buffer, power)
        _band_sums(power, bands, sums)
        found = sums[n_bands * N_LANES :]
        _magnitude_sums(power, transform[0], weights, share, groups, found)
        _write_frames(sums, n_bands + 4, first, out)


@compiled
def rows(n: int) -> Any:
    """Return room for rows, on a border of 64 bytes: vectors do not straddle two."""
    room = np.empty((n + 1) * N_LANES, np.float32)
    lead = -(room.ctypes.data // 4) % N_LANES
    return room[lead : lead + n * N_LANES]


@compiled
def _write_frames(sums: Any, n_bands: int, first: int, out: Any) -> None:
    for lane in range(min(N_LANES, len(out) - first)):
        for band in range(n_bands):
            out[first + lane, band] = sums[band * N_LANES + lane]


@compiled
def _power(
    waveform: Any, layout: Any, transform: Any, first: int, buffer: Any, power: Any
) -> None:
    """Write the power spectra of sixteen frames, rows in the order of frequency."""
    n, radices, twiddles, places, turns, window = transform
    _windowed(waveform, layout, first, window, n, buffer)
    _transform(buffer, n, radices, twiddles)
    _unpack(buffer, n, places, turns, power)


@compiled
def _windowed(
    waveform: Any, layout: Any, first: int, window: Any, n: int, buffer: Any
) -> None:
    """Write windowed frames: even samples as real, odd ones as imaginary parts."""
    hop_length, n_columns = layout
    for hop in range(0, len(window), hop_length):
        at = first + hop // hop_length
        for k in range(hop, min(hop + hop_length, len(window))):
            store(buffer, k * N_LANES, load(waveform, at) * splat(window[k]))
            at += n_columns
    for k in range(len(window), 2 * n):
        store(buffer, k * N_LANES, splat(np.float32(0)))


@compiled
def _transform(z: Any, n: int, radices: Any, twiddles: Any) -> None:
    """Transform ``n`` complex rows in place; results are in digit-reversed order."""
    size, step, at = n, 0, 0
    last = len(radices) - 1  # the last is 4, and needs no twiddles
    while step < last and size > _NOT_ALL:
        radix = radices[step]
        for base in range(0, n, size):
            _pass(z, base, size // radix, radix, twiddles, at)
        at += 2 * (radix - 1) * (size // radix)
        size //= radix
        step += 1
    for base in range(0, n, size):
        _transform_block(z, base, size, radices[step:], twiddles, at)


@compiled
def _transform_block(
    z: Any, base: int, size: int, radices: Any, twiddles: Any, at: int
) -> None:
    part = size
    for radix in radices[:-1]:
        quotient = part // radix
        for first in range(base, base + size, part):
            _pass(z, first, quotient, radix, twiddles, at)
        at += 2 * (radix - 1) * quotient
        part = quotient
    for first in range(base, base + size, 4):
        _last_pass(z, first)


@compiled
def _pass(z: Any, base: int, quotient: int, radix: int, twiddles: Any, at: int) -> None:
    if radix == 4:
        _pass_4(z, base, quotient, twiddles, at)
    elif radix == 5:
        _pass_5(z, base, quotient, twiddles, at)
    else:
        _pass_2(z, base, quotient, twiddles, at)


@compiled
def _turned(z: Any, at: int, re: Any, im: Any, twiddles: Any, k: int) -> None:
    """Write one complex row, multiplied by a complex number."""
    wr, wi = splat(twiddles[k]), splat(twiddles[k + 1])
    store(z, at, re * wr - im * wi)
    store(z, at + N_LANES, re * wi + im * wr)


@compiled
def _pass_2(z: Any, base: int, quotient: int, twiddles: Any, at: int) -> None:
    step = 2 * N_LANES * quotient
    for j in range(quotient):
        a = 2 * N_LANES * (base + j)
        ar, ai = load(z, a), load(z, a + N_LANES)
        br, bi = load(z, a + step), load(z, a + step + N_LANES)
        store(z, a, ar + br)
        store(z, a + N_LANES, ai + bi)
        _turned(z, a + step, ar - br, ai - bi, twiddles, at + 2 * j)


@compiled
def _pass_4(z: Any, base: int, quotient: int, twiddles: Any, at: int) -> None:
    step = 2 * N_LANES * quotient
    for j in range(quotient):
        a = 2 * N_LANES * (base + j)
        b, c, d = a + step, a + 2 * step, a + 3 * step
        ar, ai, br, bi = load(z, a), load(z, a + 16), load(z, b), load(z, b + 16)
        cr, ci, dr, di = load(z, c), load(z, c + 16), load(z, d), load(z, d + 16)
        er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
        gr, gi, hr, hi = br + dr, bi + di, bi - di, dr - br
        k = at + 6 * j
        store(z, a, er + gr)
        store(z, a + N_LANES, ei + gi)
        _turned(z, b, fr + hr, fi + hi, twiddles, k)
        _turned(z, c, er - gr, ei - gi, twiddles, k + 2)
        _turned(z, d, fr - hr, fi - hi, twiddles, k + 4)


@compiled
def _last_pass(z: Any, base: int) -> None:
    a = 2 * N_LANES * base
    b, c, d = a + 2 * N_LANES, a + 4 * N_LANES, a + 6 * N_LANES
    ar, ai, br, bi = load(z, a), load(z, a + 16), load(z, b), load(z, b + 16)
    cr, ci, dr, di = load(z, c), load(z, c + 16), load(z, d), load(z, d + 16)
    er, ei, fr, fi = ar + cr, ai + ci, ar - cr, ai - ci
    gr, gi, hr, hi = br + dr, bi + di, bi - di, dr - br
    store(z, a, er + gr)
    store(z, a + N_LANES, ei + gi)
    store(z, b, fr + hr)
    store(z, b + N_LANES, fi + hi)
    store(z, c, er - gr)
    store(z, c + N_LANES, ei - gi)
    store(z, d, fr - hr)
    store(z, d + N_LANES, fi - hi)


@compiled
def _pass_5(z: Any, base: int, quotient: int, twiddles: Any, at: int) -> None:
    cos_1, cos_2 = splat(_COS_1), splat(_COS_2)
    sin_1, sin_2 = splat(_SIN_1), splat(_SIN_2)
    step = 2 * N_LANES * quotient
    for j in range(quotient):
        a = 2 * N_LANES * (base + j)
        b, c, d, e = a + step, a + 2 * step, a + 3 * step, a + 4 * step
        ar, ai, br, bi = load(z, a), load(z, a + 16), load(z, b), load(z, b + 16)
        cr, ci, dr, di = load(z, c), load(z, c + 16), load(z, d), load(z, d + 16)
        er, ei = load(z, e), load(z, e + 16)
        # Sums and differences of what lies at the same angle above and below.
        sr, si, tr, ti = br + er, bi + ei, cr + dr, ci + di
        ur, ui, vr, vi = br - er, bi - ei, cr - dr, ci - di
        pr, pi = ar + cos_1 * sr + cos_2 * tr, ai + cos_1 * si + cos_2 * ti
        qr, qi = ar + cos_2 * sr + cos_1 * tr, ai + cos_2 * si + cos_1 * ti
        xr, xi = sin_1 * ur + sin_2 * vr, sin_1 * ui + sin_2 * vi
        yr, yi = sin_2 * ur - sin_1 * vr, sin_2 * ui - sin_1 * vi
        k = at + 8 * j
        store(z, a, ar + sr + tr)
        store(z, a + N_LANES, ai + si + ti)
        _turned(z, b, pr + xi, pi - xr, twiddles, k)
        _turned(z, c, qr + yi, qi - yr, twiddles, k + 2)
        _turned(z, d, qr - yi, qi + yr, twiddles, k + 4)
        _turned(z, e, pr - xi, pi + xr, twiddles, k + 6)


@compiled
def _unpack(z: Any, n: int, places: Any, turns: Any, power: Any) -> None:
    """Separate what even and odd samples gave; write the power of ``n + 1`` bins.

    With E and O the transforms of even and odd samples and Z = E + iO as it lies here,
    ``2E(k) = Z(k) + conj Z(n-k)``, ``2iO(k) = Z(k) - conj Z(n-k)``,
    ``X(k) = E(k) + w O(k)`` and ``conj X(n-k) = E(k) - w O(k)``, w = exp(-i pi k / n).
    The factors 2 are in the window.
    """
    for k in range(n // 2 + 1):
        a, b = 2 * N_LANES * places[k], 2 * N_LANES * places[n - k]
        ar, ai, br, bi = load(z, a), load(z, a + 16), load(z, b), load(z, b + 16)
        wr, wi = splat(turns[2 * k]), splat(turns[2 * k + 1])
        er, ei, odd_r, odd_i = ar + br, ai - bi, ai + bi, br - ar
        tr, ti = odd_r * wr - odd_i * wi, odd_r * wi + odd_i * wr
        xr, xi, yr, yi = er + tr, ei + ti, er - tr, ei - ti
        store(power, k * N_LANES, xr * xr + xi * xi)
        store(power, (n - k) * N_LANES, yr * yr + yi * yi)


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
