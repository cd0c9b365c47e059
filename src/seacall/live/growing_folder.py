"""A folder in which a recorder leaves files: each is taken once it is whole."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from pathlib import Path
from threading import Event

from seacall.audio import io
from seacall.data.timestamps import recording_times
from seacall.errors import AudioError
from seacall.live.replay import played, recording_key
from seacall.live.source import Heard, Trouble

STILL_S = 10.0
"""A file whose size has stood still for so long is looked at, s."""
_PATIENCE = 6
"""Times as long until a file is taken whose header does not fit: a recorder that was
switched off will never mend it."""


class GrowingFolder:
    """Recordings that appear in a folder, in the order of their names.

    Parameters
    ----------
    folder
        Searched with the folders in it. Hidden files, as copying programs use them
        until they are done, are left alone.
    known
        Keys of recordings that need not be heard again.
    still_s
        How long a size must stand still, s.
    poll_s
        From one look to the next, s.
    timezone, time_pattern
        As for `seacall.data.timestamps.recording_times`.
    """

    running = False

    def __init__(
        self,
        folder: Path,
        *,
        known: Container[str] = (),
        still_s: float = STILL_S,
        poll_s: float = 1.0,
        timezone: str = "UTC",
        time_pattern: str | None = None,
    ) -> None:
        self.name = f"folder:{folder}"
        self._folder = folder
        self._known = known
        self._still_s, self._poll_s = still_s, poll_s
        self._timezone, self._pattern = timezone, time_pattern
        self._sizes: dict[Path, tuple[int, float]] = {}  # since when
        self._done: set[str] = set()

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield the segments of each recording once; goes on until it is stopped.

        Raises
        ------
        AudioError
            If there is no such folder.
        """
        if not self._folder.is_dir():
            raise AudioError(f"{self._folder}: is no folder; make it, or name another")
        while not stop.is_set():
            for path in self._ready():
                yield from self._play(path, stop)
                if stop.is_set():
                    return
            stop.wait(self._poll_s)

    def _ready(self) -> list[Path]:
        """Return recordings that are whole and were not heard."""
        now = time.monotonic()
        ready = []
        for path in self._recordings():
            try:
                key = recording_key(path, self._folder)
                size = path.stat().st_size
            except (AudioError, OSError):
                continue  # gone again
            if self._is_done(key):
                continue
            before, since = self._sizes.get(path, (-1, now))
            if size != before:
                self._sizes[path] = size, since = size, now
            if now - since >= self._still_s and self._fits(path, now - since):
                ready.append(path)
        return ready

    def _is_done(self, key: str) -> bool:
        if key not in self._done and key in self._known:
            self._done.add(key)  # asked once, not at each look
        return key in self._done

    def _recordings(self) -> list[Path]:
        return sorted(
            path
            for path in self._folder.rglob("*")
            if path.suffix.lower() in io.AUDIO_SUFFIXES
            and not any(
                part.startswith(".") for part in path.relative_to(self._folder).parts
            )
        )

    def _fits(self, path: Path, still_s: float) -> bool:
        """Tell whether a file's header fits its size, or will never do so."""
        if still_s >= _PATIENCE * self._still_s:
            return True
        try:
            recording = io.probe(path)
        except AudioError:
            return False
        return not recording.cut_off and not recording.repaired

    def _play(self, path: Path, stop: Event) -> Iterator[Heard]:
        key = f"{path.relative_to(self._folder)}"
        try:
            key = recording_key(path, self._folder)
            times = recording_times(
                [path], timezone=self._timezone, pattern=self._pattern
            )
            yield from played(path, times[path], stop, key=key)
        except AudioError as error:
            yield Trouble("unreadable", str(error))
        self._done.add(key)
        self._sizes.pop(path, None)
