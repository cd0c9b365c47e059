"""Take recordings that are sent, and listen to them one after the other."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import HTTPException

from seacall.detect.store import LEDGER_NAME, Store
from seacall.errors import AudioError, SeacallError, SettingsError
from seacall.files import file_sha256
from seacall.review.place import Place, open_place
from seacall.web.answers import without_folders
from seacall.web.settings import ServeSettings
from seacall.web.upload_names import file_name, free_path
from seacall.web.upload_worker import RECORDINGS

INCOMING = "incoming"
WAITING = "waiting"
"""Recordings that are whole; each is put beside the others when it is its turn, so that
it is known which of them ends the program."""
REFUSED = "refused"
"""Recordings at which listening crashed: they would do so each time."""
_MOST_AT_ONCE = 4
_MOST_WAITING = 100
_MOST_REMEMBERED = 1_000
_LOOK_S = 60.0
"""Longest wait for a look at a recording, s."""
_WRITTEN_AT_ONCE = 2**20
_FREE_CHECKED = 2**26
"""The disk is looked at after so many bytes."""


@dataclass
class Job:
    """One recording on its way."""

    id: str
    name: str
    path: Path
    state: str = "waiting"
    """waiting, working, done or failed."""
    progress: float = 0.0
    """0 to 1."""
    place: str | None = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "job": self.id,
            "name": self.name,
            "state": self.state,
            "progress": round(min(self.progress, 1.0), 4),
            "place": self.place,
            "error": self.error,
        }


class Uploads:
    """A folder of recordings that were sent, and what was detected in them.

    The folder is an archive like others: a ledger, and the recordings beside it.

    Parameters
    ----------
    folder
        Made if it is missing.
    settings
        Limits, and the model.
    places
        Gets the folder as a place, as soon as it is one.

    Raises
    ------
    SettingsError
        If the folder cannot be written.
    """

    def __init__(
        self, folder: Path, settings: ServeSettings, places: dict[str, Place]
    ) -> None:
        # The ledger keeps paths: the server may be started elsewhere next time.
        self._folder = folder = folder.resolve()
        self._settings, self._places = settings, places
        self.jobs: dict[str, Job] = {}
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._n_coming = 0
        self._worker: asyncio.Task[None] | None = None
        try:
            for name in (RECORDINGS, INCOMING, WAITING, REFUSED):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for part in (folder / INCOMING).iterdir():  # of a server that died
                part.unlink()
        except OSError as error:
            raise SettingsError(
                f"{folder}: cannot be written ({error.strerror}); name another folder "
                "for --uploads"
            ) from error
        self._place = self._as_place()

    def start(self) -> None:
        """Begin to work; what a server before this one did not hear is heard first."""
        for path in self._unheard():
            path.rename(self._folder / WAITING / f"{_new_id()}_{path.name}")
        for path in sorted((self._folder / WAITING).iterdir()):
            self._ask_for(path.name.partition("_")[2], path)
        self._worker = asyncio.create_task(self._work())

    async def close(self) -> None:
        """End; a recording that is not heard to its end is heard again."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def take(
        self, given: str, chunks: AsyncIterator[bytes], *, length: int | None
    ) -> Job:
        """Take a recording as it comes.

        Parameters
        ----------
        given
            What it is called.
        chunks
            Its bytes.
        length
            How many there will be, if that was said.

        Raises
        ------
        HTTPException
            415: no recording; 503: too many at once; 507: no room.
        """
        try:
            name = file_name(given)
        except AudioError as error:
            raise HTTPException(415, str(error)) from None
        self._check_room(length or 0)
        n_waiting = self._queue.qsize()
        if self._n_coming >= _MOST_AT_ONCE or n_waiting >= _MOST_WAITING:
            text = "too many recordings at once; send it again in a while"
            raise HTTPException(503, text, {"Retry-After": "30"})
        self._n_coming += 1
        part = self._folder / INCOMING / _new_id()
        part = part.with_suffix(Path(name).suffix)
        try:
            await self._write(part, chunks)
            await self._look_at(part, name)
            await self._refuse_twice(part, name)
            path = self._folder / WAITING / f"{_new_id()}_{name}"
            part.rename(path)
        finally:
            self._n_coming -= 1
            part.unlink(missing_ok=True)
        return self._ask_for(name, path)

    def _check_room(self, n_bytes: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free - n_bytes < self._settings.min_free_gb * 1e9:
            text = f"no room for it: {free / 1e9:.1f} GB are free on the server"
            raise HTTPException(507, text, {"Connection": "close"})

    async def _write(self, part: Path, chunks: AsyncIterator[bytes]) -> None:
        n_bytes, checked, waiting = 0, 0, bytearray()
        with part.open("wb") as stream:
            async for chunk in chunks:
                waiting += chunk
                n_bytes += len(chunk)
                if len(waiting) >= _WRITTEN_AT_ONCE:
                    await asyncio.to_thread(_put, stream, bytes(waiting))
                    waiting.clear()
                if n_bytes - checked >= _FREE_CHECKED:
                    checked = n_bytes
                    self._check_room(0)
            await asyncio.to_thread(_put, stream, bytes(waiting), last=True)

    async def _look_at(self, part: Path, name: str) -> None:
        """Open it, in another process."""
        try:
            async with asyncio.timeout(_LOOK_S):
                told = await self._run(["look", str(part)], lambda _: None)
        except TimeoutError:
            told = {}
        longest_h = self._settings.max_upload_h
        if told.get("duration_s", 0.0) > 3_600 * longest_h:
            raise HTTPException(413, f"{name} is longer than {longest_h:g} h")
        if "duration_s" in told:
            return
        reason = told.get("error", "opening it does not end, or ends the program")
        reason = without_folders(reason).replace(part.name, name)
        raise HTTPException(415, f"not taken: {reason}")

    async def _refuse_twice(self, part: Path, name: str) -> None:
        same = self._folder / RECORDINGS / name
        if not same.is_file() or same.stat().st_size != part.stat().st_size:
            return
        sums = [await asyncio.to_thread(file_sha256, path) for path in (part, same)]
        if sums[0] == sums[1]:
            raise HTTPException(409, f"{name} is there already")

    def _unheard(self) -> list[Path]:
        """Return recordings that a server which died did not hear to their ends."""
        heard: set[Path] = set()
        if (self._folder / LEDGER_NAME).is_file():
            with Store(self._folder, writable=False) as store:
                heard = store.stamps().keys() - {unit.path for unit in store.waiting()}
        return [p for p in (self._folder / RECORDINGS).iterdir() if p not in heard]

    def _ask_for(self, name: str, path: Path) -> Job:
        job = Job(_new_id(), name, path)
        self.jobs[job.id] = job
        while len(self.jobs) > _MOST_REMEMBERED:
            del self.jobs[next(iter(self.jobs))]
        self._queue.put_nowait(job)
        return job

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            job.state = "working"
            try:
                await self._listen(job)
            except (SeacallError, OSError) as error:
                job.state, job.error = "failed", without_folders(str(error))

    async def _listen(self, job: Job) -> None:
        def watch(told: Mapping[str, Any]) -> None:
            job.progress = told.get("progress", job.progress)

        path = free_path(self._folder / RECORDINGS, job.name)
        job.path.rename(path)
        job.path = path
        model = self._settings.model or ""
        told = await self._run(["listen", str(self._folder), model], watch)
        job.error = told.get("error")
        if "failures" in told:
            self._place = self._place or self._as_place()
            job.place = self._place
            job.error = told["failures"].get(path.name)
        elif job.error is None:
            job.error = "listening to it ended the program; it was put aside"
            path.rename(free_path(self._folder / REFUSED, path.name))
        job.error = job.error and without_folders(job.error)
        job.state = "failed" if job.error else "done"
        job.progress = 1.0

    async def _run(self, arguments: list[str], watch: Any) -> dict[str, Any]:
        """Run the worker; return the last that it told, nothing if it crashed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "seacall.web.upload_worker", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        told: dict[str, Any] = {}
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                with suppress(ValueError):  # some library may print, too
                    told = json.loads(line)
                    watch(told)
            crashed = await process.wait() not in (0, 1)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return {} if crashed else told

    def _as_place(self) -> str | None:
        """Put the folder among the places, if anything was heard; return its id."""
        if not (self._folder / LEDGER_NAME).is_file():
            return None
        for place in self._places.values():
            if place.folder.resolve() == self._folder.resolve():
                return place.id
        place, k = open_place(self._folder), 1
        name = place.id
        while place.id in self._places:
            k += 1
            place.id = f"{name}-{k}"
        self._places[place.id] = place
        return place.id


def _new_id() -> str:
    """Return the next id: later ones are greater, and none can be guessed."""
    return f"{time.time_ns():x}{secrets.token_hex(4)}"


def _put(stream: BinaryIO, data: bytes, *, last: bool = False) -> None:
    try:
        stream.write(data)
        if last:  # what was taken outlives a power cut
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise HTTPException(507, f"cannot be written ({error.strerror})") from error
