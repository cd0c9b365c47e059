"""Probe and read recordings, whole or in blocks: the one door to libsndfile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from seacall.errors import AudioError
from seacall.events import Recording

MIN_SAMPLE_RATE = 1_000
MAX_SAMPLE_RATE = 500_000
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".rf64"}
)
"""Endings of file names that a search for recordings picks up, in lower case."""

BLOCK_LENGTH = 65_536
"""Samples read at once: 256 kB as float32, which stays in a core's own cache."""

_LOSSY = frozenset({"MP3", "OGG"})  # their headers only estimate the length
_INT16_SCALE = np.float32(1 / 32_768)
_LOUDEST = np.float32(1e12)
"""Full scale is 1, and unscaled 32-bit integers reach 2e9. Beyond 1e16 the power
spectrum overflows float32, and every score would be NaN."""


def find_recordings(folder: Path) -> list[Path]:
    """List the recordings below a folder, sorted, hidden files left out.

    Raises
    ------
    AudioError
        If the folder does not exist or holds none.
    """
    if not folder.is_dir():
        raise AudioError(f"{folder}: no such folder; give a folder of recordings")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )
    if not found:
        endings = " ".join(sorted(AUDIO_SUFFIXES))
        raise AudioError(f"{folder}: holds no recordings; looked for {endings}")
    return found


def probe(path: Path) -> Recording:
    """Read a recording's header.

    Raises
    ------
    AudioError
        If the file is missing, empty, not audio, without samples, or its sample rate
        lies outside 1 kHz to 500 kHz.
    """
    with _open(path) as sound:
        return _describe(path, sound)


def read_blocks(
    path: Path,
    *,
    channel: int | None = None,
    block_length: int = BLOCK_LENGTH,
    start: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Read a recording in blocks, mixed down to one channel.

    Parameters
    ----------
    path
        Any format of libsndfile: WAV (PCM, float, RF64, extensible), FLAC, AIFF, OGG,
        MP3.
    channel
        Channel to use, counted from 1; None takes the mean of all channels.
    block_length
        Samples in one block; the last may be shorter.
    start
        Sample to begin with.

    Yields
    ------
    y
        Samples, shape ``(n,)``, full scale at +-1.

    Raises
    ------
    AudioError
        As :func:`probe`, and if the file ends before its header says so, cannot be
        decoded, holds samples that are NaN, infinite or beyond 1e12, or has no such
        channel. What was yielded before stays valid.
    """
    with _open(path) as sound:
        recording = _describe(path, sound)
        if channel is not None and not 1 <= channel <= recording.n_channels:
            raise AudioError(
                f"{path}: has no channel {channel}; "
                f"choose one from 1 to {recording.n_channels}"
            )
        position = sound.seek(start) if start else 0
        while (block := _read(path, sound, block_length)).shape[0]:
            y = _one_channel(block, channel)
            _refuse_impossible(path, y, position)
            position += len(y)
            yield y
        if position < recording.n_samples and sound.format not in _LOSSY:
            raise AudioError(_truncated(path, recording.n_samples, position))


def read(
    path: Path, *, channel: int | None = None, max_length: int | None = None
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
    for block in read_blocks(path, channel=channel):
        blocks.append(block)
        length += len(block)
        if max_length is not None and length >= max_length:
            break
    return np.concatenate(blocks)[:max_length], probe(path).sample_rate


def _open(path: Path) -> soundfile.SoundFile:
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; give an audio file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: is empty (0 bytes); record or copy it again")
    try:
        # As bytes, since a file name need not be text.
        return soundfile.SoundFile(os.fsencode(path))
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise AudioError(
            f"{path}: is not audio that can be read ({_reason(error)}); "
            "give WAV, FLAC, MP3, OGG or AIFF"
        ) from error


def _describe(path: Path, sound: soundfile.SoundFile) -> Recording:
    recording = Recording(
        path=path,
        sample_rate=sound.samplerate,
        n_channels=sound.channels,
        n_samples=sound.frames,
        subtype=sound.subtype,
    )
    if not MIN_SAMPLE_RATE <= recording.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{path}: sample rate {recording.sample_rate} Hz is outside "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz; correct the header or resample"
        )
    if recording.n_samples <= 0:
        raise AudioError(f"{path}: holds no samples; record or copy it again")
    promised = _promised_samples(sound)
    if promised is not None and promised > recording.n_samples:
        raise AudioError(_truncated(path, promised, recording.n_samples))
    return recording


def _promised_samples(sound: soundfile.SoundFile) -> int | None:
    """Return the length that a WAV header gives, where libsndfile corrected it.

    libsndfile opens a WAV file that was cut off as if it had been meant so, and only
    notes ``data : 960000 (should be 480000)`` in its log. A recorder that streams
    writes 0 or 0xFFFFFFFF there; that is not a cut.
    """
    for line in sound.extra_info.splitlines():
        name, _, rest = line.partition(":")
        if name.strip() in {"data", "SSND"} and "should be" in rest:
            n_bytes = int(rest.split("(")[0])
            n_found = int(rest.split("should be")[1].strip(" )"))
            if n_bytes in {0, 0xFFFFFFFF} or n_found <= 0:
                return None
            return int(n_bytes // max(1, n_found // max(1, sound.frames)))
    return None


def _read(path: Path, sound: soundfile.SoundFile, length: int) -> NDArray[np.float32]:
    try:
        if sound.subtype == "PCM_16":  # five times faster than libsndfile's float path
            block = sound.read(length, dtype="int16", always_2d=True)
            y: NDArray[np.float32] = np.multiply(block, _INT16_SCALE, dtype=np.float32)
            return y
        block = sound.read(length, dtype="float32", always_2d=True)
        return np.asarray(block, np.float32)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path}: cannot be decoded at sample {sound.tell()} ({_reason(error)}); "
            "record or copy it again"
        ) from error


def _one_channel(block: NDArray[np.float32], channel: int | None) -> Any:
    if channel is None and block.shape[1] > 1:
        return block.mean(axis=1)
    return block[:, (channel or 1) - 1]


def _refuse_impossible(path: Path, y: NDArray[np.float32], position: int) -> None:
    # NaN goes through min and max, and is not smaller than anything.
    if y.min() > -_LOUDEST and y.max() < _LOUDEST:
        return
    first = int(np.argmin(np.abs(y) < _LOUDEST))
    finite = np.isfinite(y[first])
    what = f"{y[first]:g}, and full scale is 1" if finite else "not a finite number"
    raise AudioError(
        f"{path}: sample {position + first} is {what}; "
        "convert it again or cut that part out"
    )


def _truncated(path: Path, promised: int, found: int) -> str:
    return (
        f"{path}: is cut off, its header promises {promised} samples and {found} "
        "are there; copy it again, or rewrite its header to keep what is there"
    )


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return text or type(error).__name__
