"""Filter and resampler as one matrix product, for waveforms at a recorder's own rate.

Both are linear, so that together they are one response: the filter's impulse response,
cut off where it has died away, through the resampler's, which is asked for it: impulses
are sent through it. After M samples in and L samples out (``L / M`` the ratio of the
rates) the resampler is where it was, so that a block of outputs is a matrix times the
samples around it, the same for each block.

A clip alone has no past. As at the start of a recording, the filter begins as if the
first sample had lasted for ever, and the resampler as if silence had come before and
would follow; soxr's later stages leave something out there, which is measured too. A
clip from the middle of a recording differs for as long as the response lasts.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seacall.audio.filter import impulse_response
from seacall.audio.resample import QUALITY
from seacall.config import FrontEndSettings
from seacall.errors import SettingsError

FloatArray = NDArray[np.float64]

FORGOTTEN = 1e-7
"""Share of its largest value below which a response is cut off: float32's rounding."""
_MOST_PHASES = 1_000
"""Ratios with more than so many phases would make a file of many megabytes."""
_BLOCK = 64
"""Outputs that are computed together, at least."""


class Conditioner(nn.Module):
    """From clips at a recorder's rate to conditioned clips at the profile's.

    Parameters
    ----------
    rate
        Of the waveforms that come in, Hz.
    settings
        The front end.

    Raises
    ------
    SettingsError
        If the two rates have no simple ratio.
    """

    matrix: Tensor
    beginning: Tensor
    ending: Tensor

    def __init__(self, *, rate: int, settings: FrontEndSettings) -> None:
        super().__init__()
        profile = settings.profile
        self.length_in = round(settings.clip.duration_s * rate)
        self.length_out = settings.clip_length
        up, down = _ratio(rate, profile.sample_rate)
        self.has_filter = profile.band_hz is not None
        heard = (
            impulse_response(rate, profile.band_hz, forgotten=FORGOTTEN)
            if profile.band_hz is not None
            else np.ones(1)
        )
        resampled = _resampler_response(rate, profile.sample_rate)
        repeats = -(-_BLOCK // up)
        self.n_out, self.step = up * repeats, down * repeats
        matrix, self.lead = _block_matrix(resampled, heard, up, down, repeats)
        beginning = _beginning(matrix, self.lead, heard, rate, profile.sample_rate)
        self.register_buffer("beginning", torch.from_numpy(beginning))
        self.n_steps = -(-len(matrix) // self.step)
        matrix = np.pad(matrix, ((0, self.n_steps * self.step - len(matrix)), (0, 0)))
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.n_blocks = -(-self.length_out // self.n_out)
        ending = _ending(resampled, heard, up, down, self.length_in, self.length_out)
        self.register_buffer("ending", torch.from_numpy(ending))

    def forward(self, y: Tensor) -> Tensor:
        """Condition clips, shape ``(batch, length_in)``.

        Returns
        -------
        y
            Shape ``(batch, clip_length)``.
        """
        # In float64: what float32 rounds off lies at -140 dB of the loudest sound, as
        # does what the package's own resampler rounds off, and there it would count
        # twice.
        y = y.double()
        if self.has_filter:
            y = y - y[:, :1]
        n_rows = self.n_blocks + self.n_steps - 1
        behind = n_rows * self.step - self.lead - self.length_in
        padded = functional.pad(y, (self.lead, max(0, behind)))
        rows = padded[:, : n_rows * self.step].reshape(-1, n_rows, self.step)
        parts = [rows[:, k : k + self.n_blocks] for k in range(self.n_steps)]
        blocks = torch.matmul(torch.cat(parts, dim=2), self.matrix)
        out = blocks.reshape(-1, self.n_blocks * self.n_out)[:, : self.length_out]
        n_heard, n_first = self.beginning.shape
        missing = torch.matmul(y[:, :n_heard], self.beginning)
        out = out - functional.pad(missing, (0, self.length_out - n_first))
        n_heard, n_last = self.ending.shape
        rings = torch.matmul(y[:, self.length_in - n_heard :], self.ending)
        out = out - functional.pad(rings, (self.length_out - n_last, 0))
        return out.float()


def _ratio(rate_in: int, rate_out: int) -> tuple[int, int]:
    shared = gcd(rate_in, rate_out)
    up, down = rate_out // shared, rate_in // shared
    if max(up, down) > _MOST_PHASES:
        raise SettingsError(
            f"--rate {rate_in}: {rate_in} to {rate_out} Hz is {down} to {up}, too many "
            f"phases for a graph (most {_MOST_PHASES}); export without --rate and "
            "resample before"
        )
    return up, down


class _Response:
    """What a resampler makes of one impulse, for each place of it in a period.

    Attributes
    ----------
    values
        Shape ``(down, n)``: output ``k`` after an impulse at sample ``i`` of the period
        is ``values[i, k + n_before]``, counted from the period's own first output.
    n_before
        Outputs that come before that one.
    """

    def __init__(self, values: FloatArray, n_before: int) -> None:
        self.values, self.n_before = values, n_before


def _resampler_response(rate_in: int, rate_out: int) -> _Response:
    up, down = _ratio(rate_in, rate_out)
    if up == down:
        return _Response(np.ones((1, 1)), 0)
    # soxr's HQ filter spans some 150 samples of the slower rate.
    n_periods = -(-400 // min(up, down))
    values = np.zeros((down, (2 * n_periods + 1) * up))
    for i in range(down):
        impulse = np.zeros((2 * n_periods + 1) * down)
        impulse[n_periods * down + i] = 1.0
        heard = soxr.resample(impulse, rate_in, rate_out, quality=QUALITY)
        n = min(len(heard), values.shape[1])
        values[i, :n] = heard[:n]
    # A grid of 1e-10, so that the last bits of another processor make no other file.
    values = np.round(values, 10)
    values[np.abs(values) < FORGOTTEN * np.abs(values).max()] = 0.0
    seen = np.flatnonzero(values.any(axis=0))
    first, last = int(seen[0]), int(seen[-1]) + 1
    return _Response(values[:, first:last], n_periods * up - first)


def _weights(response: _Response, up: int, down: int) -> tuple[FloatArray, int]:
    """Turn a response round: which samples an output is made of.

    Returns
    -------
    weights
        Shape ``(n_samples, up)``; column ``p`` makes output ``p`` of a period.
    n_before
        Row of the period's own first sample.
    """
    n = response.values.shape[1]
    n_back = -(-max(n - response.n_before, 0) // up) + 1
    n_ahead = -(-response.n_before // up) + 1
    weights = np.zeros(((n_back + n_ahead + 1) * down, up))
    for period in range(-n_back, n_ahead + 1):
        for p in range(up):
            # Output p of period 0 is output p - period * up after this impulse.
            k = p - period * up + response.n_before
            if 0 <= k < n:
                start = (period + n_back) * down
                weights[start : start + down, p] = response.values[:, k]
    return weights, n_back * down


def _block_matrix(
    response: _Response, heard: FloatArray, up: int, down: int, repeats: int
) -> tuple[FloatArray, int]:
    """Return what makes a block of outputs, and how many samples it begins before it.

    Returns
    -------
    matrix
        Shape ``(n_samples, up * repeats)``.
    lead
        Row of the block's own first sample.
    """
    weights, n_before = _weights(response, up, down)
    # Through the filter first: sample j is heard in those after it.
    reach = len(heard) - 1
    joined = np.zeros((len(weights) + reach, up))
    for p in range(up):
        joined[:, p] = np.convolve(weights[:, p], heard[::-1])
    matrix = np.zeros((len(joined) + (repeats - 1) * down, up * repeats))
    for r in range(repeats):
        rows = slice(r * down, r * down + len(joined))
        matrix[rows, r * up : (r + 1) * up] = joined
    used = np.flatnonzero(matrix.any(axis=1))
    first = min(int(used[0]), n_before + reach)
    return matrix[first : int(used[-1]) + 1], n_before + reach - first


def _beginning(
    matrix: FloatArray, lead: int, heard: FloatArray, rate_in: int, rate_out: int
) -> FloatArray:
    """Return what the resampler leaves out of its first outputs.

    Returns
    -------
    beginning
        Shape ``(n_heard, n_first)``: from the first samples to the first outputs.
    """
    n_first = min(_BLOCK, matrix.shape[1])
    n_heard = int(np.flatnonzero(matrix[:, :n_first].any(axis=1))[-1]) + 1 - lead
    steady = matrix[lead : lead + n_heard, :n_first]
    if rate_in == rate_out:
        return np.zeros((1, 1))
    found = np.zeros((n_heard, n_first))
    for i in range(n_heard):
        impulse = np.zeros(2 * n_heard + n_first + 2 * lead)
        impulse[i : i + len(heard)] = heard[: len(impulse) - i]
        made = soxr.resample(impulse, rate_in, rate_out, quality=QUALITY)[:n_first]
        found[i, : len(made)] = made
    missing = np.round(steady - found, 10)
    missing[np.abs(missing) < FORGOTTEN] = 0.0
    rows, columns = np.nonzero(missing)
    if len(rows) == 0:
        return np.zeros((1, 1))
    return np.ascontiguousarray(missing[: rows.max() + 1, : columns.max() + 1])


def _ending(
    response: _Response,
    heard: FloatArray,
    up: int,
    down: int,
    length_in: int,
    length_out: int,
) -> FloatArray:
    """Return what the filter's ringing after the last sample would add to the outputs.

    The resampler of a recording is given what the filter says of its samples, and
    nothing after the last one; the joint response would let it ring on.

    Returns
    -------
    ending
        Shape ``(n_heard, n_last)``: from the last samples to the last outputs.
    """
    reach = len(heard) - 1
    if reach == 0:
        return np.zeros((1, 1))
    weights, n_before = _weights(response, up, down)
    n_ahead = len(weights) - n_before
    n_last = min(length_out, up * (-(-n_ahead // down) + 1))
    # Ringing: sample -1 - a rings at +b with heard[a + b + 1].
    rings = np.zeros((reach, n_ahead))
    for b in range(min(n_ahead, reach)):
        rings[: reach - b, b] = heard[b + 1 :]
    made = np.zeros((n_ahead, n_last))
    for k in range(n_last):
        period, p = divmod(length_out - n_last + k, up)
        first = period * down - n_before  # sample of the first weight
        for b in range(n_ahead):
            row = length_in + b - first
            if 0 <= row < len(weights):
                made[b, k] = weights[row, p]
    ending: FloatArray = (rings @ made)[::-1]
    return np.ascontiguousarray(ending)
