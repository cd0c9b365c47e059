"""Transform sixteen frames at once: compiled by numba.

Rows are sixteen numbers, one of each frame; complex numbers lie as a row of real beside
a row of imaginary parts. The transform is the one of Cooley and Tukey (1965), in place,
decimated in frequency: its results come out in digit-reversed order, which costs
nothing, since whole rows are looked up by a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seacall.audio.lanes import N_LANES, compiled, load, splat, store

_NOT_ALL = 128
"""Rows that fit the L1 cache; passes over more go through everything first."""
_COS_1, _COS_2 = np.float32(np.cos(2 * np.pi / 5)), np.float32(np.cos(4 * np.pi / 5))
_SIN_1, _SIN_2 = np.float32(np.sin(2 * np.pi / 5)), np.float32(np.sin(4 * np.pi / 5))


@compiled
def transformed(z: Any, n: int, radices: Any, twiddles: Any) -> None:
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
def unpacked(z: Any, n: int, places: Any, turns: Any, power: Any) -> None:
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
