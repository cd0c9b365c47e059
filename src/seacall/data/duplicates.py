r"""Find the same audio in recordings that must not share any.

Exact copies have the same hash of their samples, whatever the file format. Excerpts,
other gains and other encodings are found by cross-correlation of what the network
would see of them, their first seconds, in two steps.

**Candidates.** Each recording is resampled to 4 kHz and whitened, so that hum and
other lines that all recordings of a machine share weigh no more than any other band.
Scaled to unit power, two stretches of noise of `n` common samples correlate to
:math:`\sqrt{n}`, the same stretch to `n`. The sum of K recordings correlates with one
as K do, with :math:`\sqrt{K}` times the noise: one transform looks at K of them.

**Verification.** At the lag of the peak, the common stretch is cut into segments, and
the median over segments of their correlation coefficients decides. Stereotyped calls
and single clicks may be alike enough for a high peak; the sea between them never is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from seacall.audio import io
from seacall.audio.resample import Resampler
from seacall.errors import AudioError

Float32 = NDArray[np.float32]

RATE = 4_000
"""Rate at which recordings are compared, Hz."""
COMPARED_S = 5.0
"""How much of the start of each recording is compared, s: a clip of the network."""
SAME_AUDIO = 0.5
"""Median correlation of segments from which on two recordings share audio. Independent
segments of 100 ms reach 0.05 +- 0.05, excerpts 0.9 and more, re-encoded ones 0.8."""

_SMOOTH_HZ = 20.0  # width over which the spectrum is made flat
_HIGHEST_LINE = 3.0  # amplitude of a line over its neighbourhood, after whitening
_LOWEST_HZ = 20.0  # below it lie offset and flow noise
_N_SUMMED = 16  # K of the module's text
_PEAK = (
    5.0  # candidates: peak over the noise of the text; 99 % of batches are below 4.7
)
_LEVEL_LENGTH = 200  # samples, 50 ms
_SEGMENT = 400  # samples, 0.1 s
_SHORTEST_SEGMENT = 40
_MIN_OVERLAP = 400  # samples, 0.1 s: less is alike by chance in slow recordings


@dataclass(frozen=True)
class AudioPrint:
    """What two recordings are compared by."""

    sha256: str
    """Of all samples, as float32: the same for WAV and FLAC of the same audio."""
    n_samples: int
    whitened: Float32
    """First seconds at 4 kHz, whitened; shape ``(n,)``."""


@dataclass(frozen=True)
class Duplicate:
    """Two recordings that share audio, by their indices."""

    first: int
    second: int
    similarity: float
    """1 for the same samples, else the median correlation of segments."""


def audio_print(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
) -> AudioPrint:
    """Read a recording, or a stretch of it, to its end.

    Raises
    ------
    AudioError
        If it cannot be read, holds nothing between ``start_s`` and ``end_s``, or every
        sample is the same.
    """
    rate = io.probe(path).sample_rate
    digest = hashlib.sha256()
    resampler = Resampler(rate_in=rate, rate_out=RATE)
    low_rate: list[Float32] = []
    n_samples = 0
    n_kept = 0
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for y in _stretch(path, rate, start_s=start_s, end_s=end_s, channel=channel):
        digest.update(y.tobytes())
        n_samples += len(y)
        low, high = min(low, y.min()), max(high, y.max())
        if n_kept < COMPARED_S * RATE:
            low_rate.append(resampler.process(y))
            n_kept += len(low_rate[-1])
    if n_samples == 0:
        raise AudioError(
            f"{path}: holds nothing between {start_s or 0:g} s and {end_s} s; "
            "correct the times"
        )
    if low == high:
        raise AudioError(
            f"{path}: is silent, each of its {n_samples} samples is {low:g}; "
            "record it again or leave it out"
        )
    low_rate.append(resampler.finish())
    kept = np.concatenate(low_rate)[: round(COMPARED_S * RATE)]
    return AudioPrint(digest.hexdigest(), n_samples, whiten(kept, native_rate=rate))


def _stretch(
    path: Path,
    rate: int,
    *,
    start_s: float | None,
    end_s: float | None,
    channel: int | None,
) -> Iterator[Float32]:
    start = round((start_s or 0.0) * rate)
    left = math.inf if end_s is None else round(end_s * rate) - start
    if start >= io.probe(path).n_samples:
        return
    for y in io.read_blocks(path, channel=channel, start=start):
        yield y[: int(min(left, len(y)))]
        left -= len(y)
        if left <= 0:
            return


def whiten(y: Float32, *, native_rate: int) -> Float32:
    """Flatten a spectrum over 20 Hz, within what was recorded, and level over 50 ms.

    Parameters
    ----------
    y
        Waveform at 4 kHz, shape ``(n,)``.
    native_rate
        Rate that it was recorded at, Hz.

    Returns
    -------
    whitened
        Shape ``(n,)``, of unit mean power unless it is silent.
    """
    if len(y) == 0:
        return y
    n_fft = fft.next_fast_len(2 * len(y), real=True)
    spectrum = fft.rfft(y - y.mean(), n_fft)
    hz = np.arange(len(spectrum)) * (RATE / n_fft)
    power = np.abs(spectrum) ** 2
    width = max(3, round(_SMOOTH_HZ / (RATE / n_fft)))
    # What lies 80 dB below the loudest is rounding, not sound. The mean of logarithms,
    # unlike the mean, hardly sees a line; the line itself is cut down.
    power = np.maximum(power, 1e-8 * float(power.max()) + 1e-30)
    smooth = np.exp(ndimage.uniform_filter1d(np.log(power), width, mode="nearest"))
    spectrum *= np.minimum(1.0 / np.sqrt(smooth), _HIGHEST_LINE / np.sqrt(power))
    spectrum[(hz < _LOWEST_HZ) | (hz > 0.45 * min(native_rate, RATE))] = 0.0
    return _levelled(fft.irfft(spectrum, n_fft)[: len(y)].astype(np.float32))


def _levelled(y: Float32) -> Float32:
    """Bring each 50 ms to the same power, so that no click outweighs the rest."""
    power = ndimage.uniform_filter1d(y**2, _LEVEL_LENGTH, mode="nearest")
    local = np.sqrt(np.maximum(power, 0.0))
    quiet = 1e-3 * float(local.max()) + 1e-20
    levelled = np.clip(y / np.maximum(local, quiet), -3.0, 3.0)
    level = float(np.sqrt(np.mean(levelled**2)))
    return np.asarray(levelled / (level or 1.0), np.float32)


def find_duplicates(
    prints: Sequence[AudioPrint], groups: Sequence[str]
) -> list[Duplicate]:
    """Find pairs of different groups that share audio.

    Parameters
    ----------
    prints
        Of each recording.
    groups
        Of each recording; pairs within a group are not looked at.

    Returns
    -------
    duplicates
        Ordered by first and second index, which are ascending. Of recordings longer
        than 5 s the first 5 s are compared; a stretch shared by two long ones is found
        from 0.9 s on, a short excerpt of 0.2 s inside a long one is too.
    """
    found = {(d.first, d.second): d for d in _same_samples(prints, groups)}
    for i, j in sorted(_candidates(prints, groups)):
        if (i, j) not in found:
            similarity = shared_audio(prints[i].whitened, prints[j].whitened)
            if similarity >= SAME_AUDIO:
                found[i, j] = Duplicate(i, j, similarity)
    return [found[pair] for pair in sorted(found)]


def _same_samples(
    prints: Sequence[AudioPrint], groups: Sequence[str]
) -> Iterator[Duplicate]:
    by_hash: dict[str, list[int]] = {}
    for k, one in enumerate(prints):
        by_hash.setdefault(one.sha256, []).append(k)
    for same in by_hash.values():
        # To one of each other group is enough: the groups are joined one after another.
        seen = {groups[same[0]]}
        for k in same[1:]:
            if groups[k] not in seen:
                seen.add(groups[k])
                yield Duplicate(same[0], k, 1.0)


def _candidates(
    prints: Sequence[AudioPrint], groups: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of different groups whose correlation may have a peak."""
    long = [k for k, p in enumerate(prints) if len(p.whitened) >= _MIN_OVERLAP]
    order = sorted(long, key=lambda k: (groups[k], k))
    if len({groups[k] for k in order}) < 2:
        return
    n_fft = _n_fft(prints[k].whitened for k in order)
    batches = [order[k : k + _N_SUMMED] for k in range(0, len(order), _N_SUMMED)]
    sums = np.stack([_summed(prints, batch, n_fft=n_fft) for batch in batches])
    for b, batch in enumerate(batches):
        for place, i in enumerate(batch):
            spectrum = fft.rfft(prints[i].whitened, n_fft).conj()
            own = _summed(prints, batch[place + 1 :], n_fft=n_fft)
            looked_at = [batch[place + 1 :], *batches[b + 1 :]]
            for others, total in zip(looked_at, [own, *sums[b + 1 :]], strict=True):
                pairs = [_pair(i, j) for j in others if groups[j] != groups[i]]
                if pairs and _has_peak(
                    fft.irfft(total * spectrum, n_fft, overwrite_x=True),
                    n_samples=len(prints[i].whitened),
                    n_summed=len(others),
                ):
                    yield from pairs


def _pair(i: int, j: int) -> tuple[int, int]:
    return min(i, j), max(i, j)


def _n_fft(waves: Iterator[Float32]) -> int:
    """Return a length at which no lag of two of the waves folds onto another."""
    first, second = sorted((len(w) for w in waves), reverse=True)[:2]
    return int(fft.next_fast_len(first + second, real=True))


def _summed(
    prints: Sequence[AudioPrint], members: Sequence[int], *, n_fft: int
) -> NDArray[np.complex64]:
    total = np.zeros(n_fft, np.float32)
    for k in members:
        total[: len(prints[k].whitened)] += prints[k].whitened
    return np.asarray(fft.rfft(total), np.complex64)


def _has_peak(correlation: Float32, *, n_samples: int, n_summed: int) -> bool:
    peak = max(float(correlation.max()), -float(correlation.min()))
    return peak > _PEAK * math.sqrt(n_samples * n_summed)


def shared_audio(a: Float32, b: Float32) -> float:
    """Return how alike two whitened waveforms are where they agree best.

    Returns
    -------
    similarity
        Median over segments of the common stretch of the magnitude of the correlation
        coefficient, 0 to 1; 0 if they have less than 50 ms in common.
    """
    n_fft = fft.next_fast_len(len(a) + len(b), real=True)
    correlation = fft.irfft(fft.rfft(a, n_fft) * fft.rfft(b, n_fft).conj(), n_fft)
    lag = int(np.argmax(np.abs(correlation)))
    lag = lag - n_fft if lag >= len(a) else lag
    x, y = (a[lag:], b) if lag >= 0 else (a, b[-lag:])
    n = min(len(x), len(y))
    if n < _MIN_OVERLAP:
        return 0.0
    length = max(_SHORTEST_SEGMENT, min(_SEGMENT, n // 5))
    return _median_correlation(x[:n], y[:n], length=length)


def _median_correlation(x: Float32, y: Float32, *, length: int) -> float:
    n = len(x) // length * length
    xs, ys = x[:n].reshape(-1, length), y[:n].reshape(-1, length)
    energy = np.sqrt((xs**2).sum(axis=1) * (ys**2).sum(axis=1))
    # Digital silence between calls says nothing.
    heard = energy > 1e-6 * energy.max()
    if not heard.any():
        return 0.0
    dots = (xs * ys).sum(axis=1)
    return float(np.median(np.abs(dots[heard] / energy[heard])))


def join_groups(groups: Sequence[str], duplicates: Sequence[Duplicate]) -> list[str]:
    """Return groups such that no two share audio: those that do become one."""
    joined = {group: group for group in groups}

    def root(group: str) -> str:
        while joined[group] != group:
            group = joined[group]
        return group

    for pair in duplicates:
        first, second = sorted((root(groups[pair.first]), root(groups[pair.second])))
        joined[second] = first
    return [root(group) for group in groups]
