"""Look at one recording before any compute: its header, its end, a few seconds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio.io import BLOCK_LENGTH, seekable
from seacall.audio.opening import Sound, opened
from seacall.errors import AudioError
from seacall.events import Recording

Float32 = NDArray[np.float32]

N_PLACES = 4
"""Places, from the start to the end, at which a recording is listened to."""
PLACE_S = 1.0
"""How long at each, s."""

_FULL_SCALE = 0.9999
"""From here on to 1 a sample is at the end of what 16 bits hold."""
_FLAT = 4
"""As many equal samples in a row, at the highest or lowest value of all, are a top
that was cut off; the waves of a loud and low tone have some too, so that only a few
such tops count (``_N_TOPS``), and only if they are loud (``_LOUD``)."""
_N_TOPS = 3
_LOUD = 0.25
_CLIPPED_SHARE = 1e-5
_HASHED = 4_096  # samples of each place; more would cost more than decoding them
_STILL = 2.5 / 32_768
"""From the lowest to the highest sample: two steps of 16 bits, which is no sea."""


@dataclass(frozen=True)
class Sampled:
    """What a few seconds of a recording, or all of it, sound like."""

    peak: float
    """Largest sample, full scale 1."""
    rms: float
    """Root mean square about the mean, of the loudest channel."""
    clipped_share: float
    """Share of the samples that lie at full scale or in a top that is cut flat."""
    is_silent: bool
    """Nothing but the last bit or two moves."""
    dead_channels: tuple[int, ...]
    """Channels, from 1, in which nothing moves at any place."""
    dead_share: float
    """Share of the places where at least one channel does not move at all."""
    digest: str
    """Of samples of each place: the same for the same audio, in WAV as in FLAC."""

    @property
    def is_clipped(self) -> bool:
        """Say whether so much is clipped that it will be heard."""
        return self.clipped_share >= _CLIPPED_SHARE


@dataclass(frozen=True)
class Look:
    """One recording as it was found."""

    path: Path
    n_bytes: int
    recording: Recording | None
    """None: it could not be opened."""
    sampled: Sampled | None
    """None: none of it could be decoded."""
    failure: str = ""
    """Why it, or a part of it, cannot be read; empty: nothing was found."""


def look_at(path: Path, *, thorough: bool = False) -> Look:
    """Open a recording and listen to a few seconds of it, or to all; never fails."""
    recording: Recording | None = None
    listener: _Listener | None = None
    failure = ""
    try:
        with opened(path) as sound:
            recording = sound.recording
            listener = _Listener(recording)
            for stretch in _all(sound) if thorough else _stretches(sound):
                listener.hear(stretch)
    except AudioError as error:
        failure = str(error)
    if recording is not None and not failure and recording.cut_off:
        failure = f"{path}: is cut off, {recording.cut_off}"
    return Look(
        path=path,
        n_bytes=_size(path),
        recording=recording,
        sampled=listener.result() if listener and listener.n_places else None,
        failure=failure or (listener.failure if listener else ""),
    )


def _size(path: Path) -> int:
    try:
        return int(path.stat().st_size)
    except (OSError, ValueError):
        return 0


def _all(sound: Sound) -> Iterator[Float32]:
    while len(block := sound.read(BLOCK_LENGTH)):
        yield block


def _stretches(sound: Sound) -> Iterator[Float32]:
    recording = sound.recording
    length = max(1, round(PLACE_S * recording.sample_rate))
    if not seekable(recording):  # going further means decoding all before
        starts = [k * length for k in range(N_PLACES)]
    else:
        spare = max(0, recording.n_samples - length)
        starts = sorted({round(spare * k / (N_PLACES - 1)) for k in range(N_PLACES)})
    for start in starts:
        if start < recording.n_samples:
            sound.go_to(start)
            if len(stretch := sound.read(length)):
                yield stretch


class _Listener:
    """Gathers what is heard at each place."""

    def __init__(self, recording: Recording) -> None:
        n = recording.n_channels
        self.n_places = 0
        self.failure = ""
        self._recording = recording
        self._low = np.full(n, np.inf)
        self._high = np.full(n, -np.inf)
        self._sum = np.zeros(n)
        self._power = np.zeros(n)
        self._n = 0
        self._n_clipped = 0
        self._n_dead = 0
        self._digest = hashlib.blake2b(digest_size=16)

    def hear(self, y: Float32) -> None:
        """Take the samples of one place, shape ``(n, n_channels)``."""
        low, high = y.min(axis=0), y.max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            path = self._recording.path
            self.failure = f"{path}: holds samples that are not finite numbers"
            y = np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0)
            low, high = y.min(axis=0), y.max(axis=0)
        self.n_places += 1
        self._n += len(y)
        self._digest.update(y[:_HASHED].tobytes())
        self._low = np.minimum(self._low, low)
        self._high = np.maximum(self._high, high)
        self._n_dead += bool((low == high).any())
        y64 = y.astype(np.float64)
        self._sum += y64.sum(axis=0)
        self._power += (y64**2).sum(axis=0)
        self._n_clipped += sum(_n_clipped(column) for column in y.T)

    def result(self) -> Sampled:
        """Return what was heard at all places."""
        moves = self._high - self._low
        variance = self._power / self._n - (self._sum / self._n) ** 2
        n_samples = self._n * len(moves)
        return Sampled(
            peak=float(np.maximum(-self._low, self._high).max()),
            rms=math.sqrt(max(0.0, float(variance.max()))),
            clipped_share=self._n_clipped / n_samples,
            is_silent=bool(moves.max() <= _STILL),
            dead_channels=tuple(int(k) + 1 for k in np.flatnonzero(moves == 0)),
            dead_share=self._n_dead / self.n_places,
            digest=self._digest.hexdigest(),
        )


def _n_clipped(y: Float32) -> int:
    """Count samples at full scale, and those in tops that are cut flat below it."""
    loudest = max(float(y.max()), -float(y.min()))
    if loudest < _LOUD:
        return 0
    size = np.abs(y)
    n = int(np.count_nonzero((size >= _FULL_SCALE) & (size <= 1)))
    if n:
        return n
    return sum(_n_in_flat_tops(y == extreme) for extreme in (y.max(), y.min()))


def _n_in_flat_tops(at_extreme: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.r_[0, at_extreme.view(np.int8), 0]))
    lengths = edges[1::2] - edges[::2]
    tops = lengths[lengths >= _FLAT]
    return int(tops.sum()) if len(tops) >= _N_TOPS else 0
