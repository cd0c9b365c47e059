"""Probe and read recordings, whole or in blocks, local or remote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.locate import (
    AUDIO_SUFFIXES,
    find_recordings,
    gather,
    location,
    read_file_list,
)
from seacall.audio.opening import EXACT_FORMATS, Sound, opened
from seacall.errors import AudioError
from seacall.events import Recording

__all__ = [
    "AUDIO_SUFFIXES",
    "BLOCK_LENGTH",
    "find_recordings",
    "gather",
    "location",
    "probe",
    "probe_whole",
    "read",
    "read_blocks",
    "read_channels",
    "read_file_list",
    "seekable",
]

BLOCK_LENGTH = 65_536
"""Samples read at once: 256 kB as float32, which stays in a core's own cache."""

_LOUDEST = np.float32(1e12)
"""Full scale is 1, and unscaled 32-bit integers reach 2e9. Beyond 1e16 the power
spectrum overflows float32, and every score would be NaN."""


def probe(path: Path, *, sample_rate: int | None = None) -> Recording:
    """Read a recording's header, and look whether the file keeps what it says.

    Parameters
    ----------
    path
        A file, or what :func:`location` makes of a URL.
    sample_rate
        Hz, in place of the header's where that is known to be wrong.

    Returns
    -------
    recording
        Its length is that of the samples which are there; ``repaired`` and
        ``cut_off`` say what is wrong with the file. Of MP3 and OGG files that are cut
        off the length is an estimate.

    Raises
    ------
    AudioError
        If the file is missing, empty, not audio, without samples, or its sample rate
        lies outside 1 kHz to 500 kHz.
    """
    with opened(path, sample_rate=sample_rate) as sound:
        return sound.recording


def probe_whole(path: Path) -> Recording:
    """Read a recording's header, and refuse a file that is cut off.

    Raises
    ------
    AudioError
        As :func:`probe`, and if the file ends before its header says so.
    """
    recording = probe(path)
    if recording.cut_off:
        raise AudioError(_cut_off(recording))
    return recording


def seekable(recording: Recording) -> bool:
    """Say whether reading from a sample on is exact, and costs no reading up to it.

    So it is for WAV and its relatives, FLAC and AIFF. MP3 and OGG are read from their
    start, and what comes before is dropped.
    """
    return recording.format in EXACT_FORMATS


def read_blocks(
    path: Path,
    *,
    channel: int | None = None,
    block_length: int = BLOCK_LENGTH,
    start: int = 0,
    sample_rate: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Read a recording in blocks, mixed down to one channel.

    Parameters
    ----------
    path
        Any format of libsndfile: WAV (PCM, float, RF64, extensible), FLAC, AIFF, OGG,
        MP3; a file, or what :func:`location` makes of a URL.
    channel
        Channel to use, counted from 1; None takes the mean of all channels.
    block_length
        Samples in one block; blocks at the end and before damage are shorter.
    start
        Sample to begin with.
    sample_rate
        Hz, in place of a header's that is outside the rule.

    Yields
    ------
    y
        Samples, shape ``(n,)``, full scale at +-1.

    Raises
    ------
    AudioError
        As :func:`probe`, and if the file ends before its header says so, cannot be
        decoded, holds samples that are NaN, infinite or beyond 1e12, or has no such
        channel. All samples before that have been yielded. Behind a damaged frame of
        a FLAC file, reading goes on with another ``start``.
    """
    with opened(path, sample_rate=sample_rate) as sound:
        n_channels = sound.recording.n_channels
        if channel is not None and not 1 <= channel <= n_channels:
            raise AudioError(
                f"{path}: has no channel {channel}; choose one from 1 to {n_channels}"
            )
        sound.go_to(start)
        for position, block in _blocks(sound, block_length):
            y = _one_channel(block, channel)
            n_good = _n_possible(y)
            if n_good:
                yield y[:n_good]
            if n_good < len(y):
                raise AudioError(_impossible(path, y[n_good], position + n_good))
        _refuse_short(sound)


def read_channels(path: Path, *, start: int, length: int) -> NDArray[np.float32]:
    """Read a stretch of all channels, as it is.

    Returns
    -------
    y
        Samples, shape ``(n, n_channels)``; fewer than ``length`` at the end. They may
        be NaN.

    Raises
    ------
    AudioError
        If the file cannot be opened, or the stretch not be decoded.
    """
    with opened(path) as sound:
        sound.go_to(start)
        return sound.read(length)


def read(
    path: Path,
    *,
    channel: int | None = None,
    max_length: int | None = None,
    sample_rate: int | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Read a recording, or its first ``max_length`` samples, into memory.

    Returns
    -------
    y
        Samples, shape ``(n,)``, full scale at +-1.
    sample_rate
        Hz.

    Raises
    ------
    AudioError
        As :func:`read_blocks`.
    """
    blocks: list[NDArray[np.float32]] = []
    length = 0
    for block in read_blocks(path, channel=channel, sample_rate=sample_rate):
        blocks.append(block)
        length += len(block)
        if max_length is not None and length >= max_length:
            break
    if not blocks:
        raise AudioError(f"{path}: holds no samples; record or copy it again")
    rate = probe(path, sample_rate=sample_rate).sample_rate
    return np.concatenate(blocks)[:max_length], rate


def _blocks(sound: Sound, length: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield blocks with the position of their first sample, up to the end or damage."""
    while True:
        position = sound.position
        try:
            block = sound.read(length)
        except AudioError:
            if len(good := sound.read_before_damage(length)):
                yield position, good
            raise
        if not len(block):
            return
        yield position, block


def _refuse_short(sound: Sound) -> None:
    recording = sound.recording
    if recording.cut_off:
        raise AudioError(_cut_off(recording))
    if sound.position < recording.n_samples and seekable(recording):
        missing = recording.n_samples - sound.position
        raise AudioError(
            f"{recording.path}: is cut off, its last {missing} samples cannot be read; "
            "copy it again"
        )


def _cut_off(recording: Recording) -> str:
    return (
        f"{recording.path}: is cut off, {recording.cut_off}; copy it again, or "
        "rewrite its header to keep what is there"
    )


def _one_channel(block: NDArray[np.float32], channel: int | None) -> Any:
    if channel is None and block.shape[1] > 1:
        return block.mean(axis=1)
    return block[:, (channel or 1) - 1]


def _n_possible(y: NDArray[np.float32]) -> int:
    """Return how many samples come before the first that is none."""
    # NaN goes through min and max, and is not smaller than anything.
    if y.min() > -_LOUDEST and y.max() < _LOUDEST:
        return len(y)
    return int(np.argmin(np.abs(y) < _LOUDEST))


def _impossible(path: Path, value: np.float32, position: int) -> str:
    finite = np.isfinite(value)
    what = f"{value:g}, and full scale is 1" if finite else "not a finite number"
    return f"{path}: sample {position} is {what}; convert it again or cut that part out"
