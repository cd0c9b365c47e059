"""Open a recording, whatever its state and wherever it lies: the door to libsndfile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from seacall.audio import remote
from seacall.audio.repair import Repair, View, examine, shortfall
from seacall.errors import AudioError
from seacall.events import Recording

MIN_SAMPLE_RATE = 1_000
MAX_SAMPLE_RATE = 500_000

EXACT_FORMATS = frozenset(
    {"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF", "WVE", "NIST", "SVX"}
)
"""Formats in which a jump to a sample arrives at that sample."""
_INT16_SCALE = np.float32(1 / 32_768)
_WIDTHS = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
_WIDTHS |= {"FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
"""Bytes of a sample."""
_UNKNOWN_LENGTH = 1 << 62  # libsndfile says 2^63 - 1
_STEP_LENGTH = 65_536
"""Samples read at once on the way to others."""


@dataclass
class Sound:
    """An open recording."""

    recording: Recording
    sound: soundfile.SoundFile
    view: View | None
    """What libsndfile reads through; None: it reads the file by itself."""
    position: int = 0

    def go_to(self, start: int) -> None:
        """Move to a sample, in formats that do not know places by reading up to it.

        Raises
        ------
        AudioError
            If the file cannot be read.
        """
        start = min(start, self.recording.n_samples)
        if self.recording.format in EXACT_FORMATS:
            if start != self.position:
                self._seek(start)
            return
        while self.position < start:
            if not len(self.read(min(_STEP_LENGTH, start - self.position))):
                return

    def read(self, length: int) -> NDArray[np.float32]:
        """Read on, shape ``(n, n_channels)``, full scale at +-1; empty at the end.

        Raises
        ------
        AudioError
            If the samples cannot be decoded; the position stays.
        """
        try:
            block = self._decoded(length)
        except soundfile.LibsndfileError as error:
            raise self._undecodable(error) from error
        self._raise_failure()
        self.position += len(block)
        return block

    def read_before_damage(self, length: int) -> NDArray[np.float32]:
        """Read what can be decoded of a block that cannot, shape ``(n, n_channels)``.

        The decoder is of no use after a failure, and does not say how far it came: a
        new one writes over values that are no numbers.
        """
        block = np.full((length, self.recording.n_channels), np.nan, np.float32)
        try:
            with _sound(self.recording.path, self.view) as sound:
                sound.seek(self.position)
                sound.read(length, dtype="float32", always_2d=True, out=block)
        except (soundfile.LibsndfileError, AudioError):
            pass  # the caller raises what came first
        missing = np.isnan(block).any(axis=1)
        return block[: int(missing.argmax()) if missing.any() else length]

    def _decoded(self, length: int) -> NDArray[np.float32]:
        if self.sound.subtype == "PCM_16":  # five times faster than to float
            block = self.sound.read(length, dtype="int16", always_2d=True)
            y: NDArray[np.float32] = np.multiply(block, _INT16_SCALE, dtype=np.float32)
            return y
        block = self.sound.read(length, dtype="float32", always_2d=True)
        return np.asarray(block, np.float32)

    def _seek(self, start: int) -> None:
        try:
            self.position = self.sound.seek(start)
        except soundfile.LibsndfileError as error:
            self.position = start
            raise self._undecodable(error) from error
        self._raise_failure()

    def _undecodable(self, error: soundfile.LibsndfileError) -> AudioError:
        self._raise_failure()
        return AudioError(
            f"{self.recording.path}: cannot be decoded at sample {self.position} "
            f"({_reason(error)}); record or copy it again"
        )

    def _raise_failure(self) -> None:
        failure = self.view.failure if self.view else None
        if failure is not None:
            raise _readable(self.recording.path, failure)


@contextmanager
def opened(path: Path, *, sample_rate: int | None = None) -> Iterator[Sound]:
    """Open a recording; ``sample_rate`` replaces the header's where it is not None.

    Raises
    ------
    AudioError
        If the file is missing, empty, not audio, without samples, or its sample rate
        lies outside 1 kHz to 500 kHz.
    """
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_stream(path))
            repair = examine(stream)
        except OSError as error:
            raise _readable(path, error) from error
        view = repair.view
        if view is None and remote.is_remote(path):
            view = View(stream)
        sound = stack.enter_context(_sound(path, view))
        recording = _describe(path, sound, repair, sample_rate)
        yield Sound(recording, sound, view)


def _stream(path: Path) -> BinaryIO:
    if remote.is_remote(path):
        raw = remote.RemoteFile(path)
        _refuse_empty(path, raw.n_bytes)
        return cast("BinaryIO", raw)
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise AudioError(f"{path}: no such file; check the path") from error
    except ValueError as error:  # a zero byte in the name
        raise AudioError(f"{path!r}: is no path ({error}); check it") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{path}: is a folder; give an audio file")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise AudioError(f"{path}: is a device or pipe; give an audio file")
    _refuse_empty(path, status.st_size)
    return path.open("rb", buffering=0)


def _refuse_empty(path: Path, n_bytes: int) -> None:
    if n_bytes == 0:
        raise AudioError(f"{path}: is empty (0 bytes); record or copy it again")


def _sound(path: Path, view: View | None) -> soundfile.SoundFile:
    # As bytes, since a file name need not be text.
    file = os.fsencode(path) if view is None else view
    try:
        if view is not None:
            view.seek(0)
        return soundfile.SoundFile(file)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        if view is not None and view.failure is not None:
            raise _readable(path, view.failure) from error
        raise AudioError(
            f"{path}: is not audio that can be read ({_reason(error)}); "
            "give WAV, FLAC, MP3, OGG or AIFF"
        ) from error


def _describe(
    path: Path, sound: soundfile.SoundFile, repair: Repair, sample_rate: int | None
) -> Recording:
    cut_off, repaired = repair.cut_off, repair.repaired
    promised = _promised_samples(sound)
    if not cut_off and not repair.view and promised and promised > sound.frames:
        cut_off = shortfall(promised, sound.frames)
    if sound.frames > _UNKNOWN_LENGTH:
        raise AudioError(
            f"{path}: does not say how long it is, and its end is damaged; "
            "copy it again, or decode it to WAV"
        )
    recording = Recording(
        path=path,
        sample_rate=sound.samplerate if sample_rate is None else sample_rate,
        n_channels=sound.channels,
        n_samples=sound.frames,
        subtype=sound.subtype,
        format=sound.format,
        repaired=repaired,
        cut_off=cut_off,
    )
    if not MIN_SAMPLE_RATE <= recording.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{path}: sample rate {recording.sample_rate} Hz is outside "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz; correct the header or resample"
        )
    if recording.n_samples <= 0:
        raise AudioError(f"{path}: holds no samples; record or copy it again")
    return recording


def _promised_samples(sound: soundfile.SoundFile) -> int | None:
    """Return the length that a header gives, where libsndfile corrected it.

    libsndfile opens an AIFF, W64 or AU file that was cut off as if it had been meant
    so, and only notes ``SSND : 960000 (should be 480000)`` in its log.
    """
    for line in sound.extra_info.splitlines():
        name, _, rest = line.partition(":")
        if name.strip() in {"SSND", "riff", "Data Size"} and "should be" in rest:
            n_bytes = int(rest.split("(")[0])
            n_found = int(rest.split("should be")[1].strip(" )"))
            if n_bytes in {0, 0xFFFFFFFF} or n_found <= 0:
                return None
            width = sound.channels * _WIDTHS.get(sound.subtype, 1 << 30)
            # A part of a sample may be there, so that the missing bytes are rounded up.
            return int(sound.frames - (n_found - n_bytes) // width)
    return None


def _readable(path: Path, error: Exception) -> AudioError:
    """Turn an error of the operating system into one line."""
    if isinstance(error, AudioError):
        return error
    if isinstance(error, PermissionError):
        return AudioError(f"{path}: may not be read; change its permissions")
    return AudioError(
        f"{path}: cannot be read any more ({_reason(error)}); "
        "check the drive or the network"
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None)
    return str(text or error).strip().rstrip(".") or type(error).__name__
