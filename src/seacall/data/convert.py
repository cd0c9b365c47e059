"""Write a recording, or a stretch of it, as WAV without losing anything."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Literal

import soundfile

from seacall.audio import io
from seacall.audio.opening import opened
from seacall.errors import AudioError
from seacall.events import Recording

_AS_WAV = {
    "PCM_S8": ("PCM_16", "int16"),
    "PCM_U8": ("PCM_U8", "int16"),
    "PCM_16": ("PCM_16", "int16"),
    "PCM_24": ("PCM_24", "int32"),
    "PCM_32": ("PCM_32", "int32"),
    "ULAW": ("ULAW", "int16"),
    "ALAW": ("ALAW", "int16"),
    "DOUBLE": ("DOUBLE", "float64"),
}
"""Encoding in a WAV file, and the type that carries every sample unchanged. All other
encodings (float, MP3, Vorbis) are decoded to 32-bit float."""

_WAVS = frozenset({"WAV", "WAVEX", "RF64"})
_PLAIN_WAV_BYTES = 2**32 - 2**16  # sizes in a WAV header have 32 bits
Files = Literal["copy", "link"]


def write_wav(
    source: Path,
    target: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    files: Files = "copy",
) -> Recording:
    """Write a stretch of a recording as WAV, at its own rate and sample format.

    A whole WAV file is copied byte by byte, or linked. Above 4 GiB the file is RF64.

    Parameters
    ----------
    start_s, end_s
        Seconds from the first sample; None: from the start, to the end.
    channel
        Channel to take, counted from 1; None: all.
    files
        ``link`` writes a symbolic link where a whole WAV file would be copied.

    Returns
    -------
    recording
        The new file.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    OSError
        If the new file cannot be written.
    """
    recording = io.probe_whole(source)
    one_channel = channel is not None and recording.n_channels > 1
    whole = start_s is None and end_s is None and not one_channel
    named_wav = source.suffix.lower() in {".wav", ".wave"}
    # Other programs cannot read a file whose header we only put right in memory.
    if whole and named_wav and recording.format in _WAVS and not recording.repaired:
        if files == "link":
            target.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, target)
    else:
        start = round((start_s or 0.0) * recording.sample_rate)
        end = math.inf if end_s is None else round(end_s * recording.sample_rate)
        picked = channel if one_channel else None
        _transcode(recording, target, start=start, end=end, channel=picked)
    return io.probe(target)


def _transcode(
    recording: Recording, target: Path, *, start: int, end: float, channel: int | None
) -> None:
    subtype, dtype = _AS_WAV.get(recording.subtype, ("FLOAT", "float32"))
    n_channels = 1 if channel is not None else recording.n_channels
    n_bytes = 8 * recording.n_samples * n_channels
    left = end - start
    with (
        opened(recording.path) as source,
        soundfile.SoundFile(
            os.fsencode(target),
            "w",
            samplerate=recording.sample_rate,
            channels=n_channels,
            subtype=subtype,
            format="WAV" if n_bytes < _PLAIN_WAV_BYTES else "RF64",
        ) as wav,
    ):
        try:
            sound = source.sound
            sound.seek(start)
            while left > 0:
                length = int(min(left, io.BLOCK_LENGTH))
                block = sound.read(length, dtype=dtype, always_2d=True)
                if len(block) == 0:
                    break
                wav.write(block if channel is None else block[:, channel - 1])
                left -= len(block)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{recording.path}: cannot be copied to WAV ({error.error_string}); "
                "check the file, and the free space of the disk"
            ) from error
