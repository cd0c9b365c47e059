"""Recordings as sources: one that is played again, at any speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from seacall.audio.opening import Sound, opened
from seacall.data.timestamps import RecordingTime, recording_times
from seacall.errors import AudioError
from seacall.events import Segment
from seacall.live.source import OVER, Block, End, Heard, Start, Trouble

_BLOCK_LENGTH = 16_384


class Replay:
    """A recording, as if it came now.

    Parameters
    ----------
    path
        The recording.
    speed
        Seconds of sound in a second; 0: as fast as can be.
    timezone, time_pattern
        As for `seacall.data.timestamps.recording_times`.
    """

    running = False

    def __init__(
        self,
        path: Path,
        *,
        speed: float = 1.0,
        timezone: str = "UTC",
        time_pattern: str | None = None,
    ) -> None:
        self.name = str(path)
        self._path = path
        self._speed = speed
        self._timezone, self._pattern = timezone, time_pattern

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield the recording's segments: one, or those of its duty cycle.

        Raises
        ------
        AudioError
            If it cannot be opened.
        """
        times = recording_times(
            [self._path], timezone=self._timezone, pattern=self._pattern
        )
        yield from played(
            self._path,
            times[self._path],
            stop,
            key=recording_key(self._path),
            speed=self._speed,
        )
        yield End(OVER)


def recording_key(path: Path, root: Path | None = None) -> str:
    """Return what a recording is known by: its name, its bytes, its last change.

    Recorders use names again, and write files of one length.
    """
    name = path.relative_to(root) if root else path.absolute()
    try:
        stat = path.stat()
        return f"{name}:{stat.st_size}:{stat.st_mtime_ns}"
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror}); check the path"
        ) from error


def played(
    path: Path, when: RecordingTime, stop: Event, *, key: str, speed: float = 0.0
) -> Iterator[Heard]:
    """Yield the segments of a recording; where it is damaged, what comes before that.

    Raises
    ------
    AudioError
        If it cannot be opened.
    """
    if when.doubt:
        yield Trouble("note", f"{path.name}: {when.doubt}")
    with opened(path, sample_rate=when.sample_rate) as sound:
        n_samples = sound.recording.n_samples
        segments = when.segments or (Segment(0, n_samples, when.start),)
        for number, segment in enumerate(segments):
            # The last one bears the recording's own key: when it is done, all is.
            last = number == len(segments) - 1
            name = key if last else f"{key}#{number}"
            yield Start(
                sound.recording.sample_rate,
                sound.recording.n_channels,
                segment.start,
                f"recording {path.name}",
                name,
                segment.first_sample,
            )
            try:
                sound.go_to(segment.first_sample)
                yield from _paced(_blocks(sound, segment, stop), sound, speed, stop)
            except AudioError as error:
                yield Trouble("unreadable", str(error))
            if stop.is_set():
                return
            yield End("end of the recording's segment")
        if sound.recording.cut_off:
            text = f"{path}: is cut off, {sound.recording.cut_off}"
            yield Trouble("unreadable", text)


def _blocks(sound: Sound, segment: Segment, stop: Event) -> Iterator[Block]:
    position, exact = 0, sound.recording.format not in ("MP3", "OGG")
    while not stop.is_set():
        left = segment.n_samples - position if exact else _BLOCK_LENGTH
        y = sound.read(min(_BLOCK_LENGTH, left)) if left > 0 else None
        if y is None or not len(y):
            return
        yield Block(y, position)
        position += len(y)


def _paced(
    blocks: Iterator[Block], sound: Sound, speed: float, stop: Event
) -> Iterator[Block]:
    """Hold blocks back until they would have been there."""
    began = time.monotonic()
    rate = sound.recording.sample_rate
    for block in blocks:
        if speed > 0:
            due = began + (block.position + len(block.y)) / rate / speed
            stop.wait(max(0.0, due - time.monotonic()))
        yield block
