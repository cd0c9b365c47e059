"""Cut a waveform into frames and clips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray


def frame(
    y: NDArray[np.float32], *, frame_length: int, hop_length: int
) -> NDArray[np.float32]:
    """Cut a waveform into overlapping frames, without copying samples.

    A tail shorter than ``frame_length`` is dropped: pad before the call if the last
    samples matter.

    Parameters
    ----------
    y
        Waveform, shape ``(n_samples,)``.
    frame_length, hop_length
        Samples in one frame, and from one frame's start to the next.

    Returns
    -------
    frames
        Read-only view, shape ``(n_frames, frame_length)`` with
        ``n_frames = 1 + (n_samples - frame_length) // hop_length``.

    Raises
    ------
    ValueError
        If ``y`` is not mono or shorter than one frame.

    Examples
    --------
    >>> frame(np.arange(5, dtype=np.float32), frame_length=3, hop_length=2)
    array([[0., 1., 2.],
           [2., 3., 4.]], dtype=float32)
    """
    if y.ndim != 1 or len(y) < frame_length:
        raise ValueError(
            f"need a mono waveform of at least {frame_length} samples, "
            f"got shape {y.shape}"
        )
    return np.lib.stride_tricks.sliding_window_view(y, frame_length)[::hop_length]


def fit_clip(
    y: NDArray[np.float32], *, length: int, fit: Literal["pad", "tile"]
) -> NDArray[np.float32]:
    """Bring a waveform to a clip's length: cut the end off, or fill it up.

    Parameters
    ----------
    y
        Waveform, shape ``(n_samples,)`` with at least one sample.
    length
        Samples in the clip.
    fit
        What fills a short clip: ``pad`` puts zeros behind it, ``tile`` repeats it.

    Returns
    -------
    clip
        Shape ``(length,)``.

    Examples
    --------
    >>> fit_clip(np.array([1, 2], np.float32), length=5, fit="tile")
    array([1., 2., 1., 2., 1.], dtype=float32)
    """
    if len(y) >= length:
        return y[:length]
    if fit == "tile":
        return np.resize(y, length)
    return np.pad(y, (0, length - len(y)))


class ClipCutter:
    """Collect chunks of any length and give out clips of one length.

    The clips do not depend on how the waveform arrives in chunks.

    Parameters
    ----------
    clip_length, hop_length
        Samples in one clip, and from one clip's start to the next.
    fit
        How the last clip is filled up; see :func:`fit_clip`.
    """

    def __init__(
        self, *, clip_length: int, hop_length: int, fit: Literal["pad", "tile"]
    ) -> None:
        self._clip_length = clip_length
        self._hop_length = hop_length
        self._fit = fit
        self._pending: list[NDArray[np.float32]] = []  # joined when a clip is there
        self._start = 0  # sample of the recording at which the next clip starts
        self._covered = 0  # first sample that no clip holds yet
        self._gap = 0  # samples still to come before the next clip starts

    def push(self, y: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Add a chunk; yield ``(start_sample, clip)`` for each clip it completes.

        The chunk is kept as it is, so it must not be changed afterwards.
        """
        skipped = min(self._gap, len(y))
        self._gap -= skipped
        self._pending.append(y[skipped:])
        if sum(map(len, self._pending)) < self._clip_length:
            return
        pending = self._joined()
        used = 0
        while len(pending) - used >= self._clip_length:
            self._covered = self._start + self._clip_length
            yield self._start, pending[used : used + self._clip_length]
            used += self._hop_length
            self._start += self._hop_length
        self._gap += max(0, used - len(pending))
        self._pending = [pending[used:]]

    def _joined(self) -> NDArray[np.float32]:
        return np.concatenate([np.empty(0, np.float32), *self._pending])

    def finish(
        self, *, min_length: int = 1
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the last clip, filled up, if enough samples lie in no clip yet.

        Parameters
        ----------
        min_length
            Samples that are enough; where there was no clip at all, one is.
        """
        pending = self._joined()
        left = len(pending)
        n_new = min(left, self._start + left - self._covered)
        if left and (n_new >= min_length or (n_new > 0 and not self._covered)):
            clip = fit_clip(pending, length=self._clip_length, fit=self._fit)
            yield self._start, clip
