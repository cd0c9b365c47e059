"""Pass on what a station hears to all who watch it: read once, however many they are.

A viewer that does not keep up is sent away, and connects again: what it would show is
then whole, in place of a picture with holes that nobody sees.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import SeacallError
from seacall.live.journal import now_us
from seacall.live.ring_file import UNDATED, Columns, RingReader
from seacall.live.spectrum import HIGH_DB, LOW_DB
from seacall.web.station_view import Source, StationView

Log = logging.getLogger("seacall.web")

TURN_S = 0.25
"""From one look at the station to the next, s."""
HEALTH_S = 5.0
_RECENT_COLUMNS = 300
"""Of the spectrum, that a new viewer gets at once: half a minute."""
_RECENT_DETECTIONS_S = 60.0
_MOST_COLUMNS = 1_200
_WAITING = 240
"""Messages that wait for a viewer, some tens of seconds of them."""
_OVERLAP_US = 60_000_000
"""How far it is looked back each time: what is written to a slow card is there seconds
after its own time, and clocks are set back a little."""
_REMEMBERED = 10_000


class Message:
    """Something for viewers: of one source, or of the station (None)."""

    def __init__(self, source: str | None, content: dict[str, Any]) -> None:
        self.source = source
        # Once for all who watch.
        self.text = json.dumps(content, allow_nan=False, separators=(",", ":"))


class Tail:
    """What is new at a station since one last looked.

    Parameters
    ----------
    view
        The station.
    row
        Gives a detection by its number as plain values; raises ``KeyError`` if it is
        hidden or gone.
    """

    def __init__(self, view: StationView, row: Callable[[int], dict[str, Any]]) -> None:
        self._view, self._row = view, row
        self._rings: dict[int, RingReader] = {}
        self._since_us = now_us()
        self._last_id = self._newest()
        self._seen: OrderedDict[int, int] = OrderedDict()
        self._health_due_us = 0
        self._health_key = ""
        for source in view.sources():
            self._ring(source).take(most=1)
        self._changes()  # what was before is told by recent()

    def hello(self) -> Message:
        """Return what a viewer is told first."""
        names = [source.name for source in self._view.sources()]
        values = {"sources": names, "low_db": LOW_DB, "high_db": HIGH_DB}
        return Message(None, {"type": "hello", **values})

    def news(self) -> list[Message]:
        """Return what is new."""
        sources = self._view.sources()
        return [
            *(m for source in sources for m in self._spectra(source)),
            *self._of_rows(self._changes()),
            *self._health(),
        ]

    def recent(self) -> list[Message]:
        """Return what those who watch already were told, for one who comes."""
        found = [
            message
            for source in self._view.sources()
            for message in _messages(source, self._again(source))
        ]
        since_us = now_us() - round(_RECENT_DETECTIONS_S * 1e6)
        rows = self._view.journal.rows(
            "SELECT d.id, s.name FROM detections d JOIN segments g ON d.segment = g.id "
            "JOIN sources s ON g.source = s.id WHERE d.changed_us >= ? ORDER BY d.id "
            "DESC LIMIT 200",
            since_us,
        )
        found += self._of_rows([(row[0], row[1]) for row in reversed(rows)])
        return [*found, Message(None, {"type": "health", **self._view.health()})]

    def _ring(self, source: Source) -> RingReader:
        if source.number not in self._rings:
            self._rings[source.number] = RingReader(self._view.ring(source))
        return self._rings[source.number]

    def _spectra(self, source: Source) -> Iterator[Message]:
        yield from _messages(source, self._ring(source).take(most=_MOST_COLUMNS))

    def _again(self, source: Source) -> Columns | None:
        return self._ring(source).again(most=_RECENT_COLUMNS)

    def _newest(self) -> int:
        rows = self._view.journal.rows("SELECT max(id) FROM detections")
        return int(rows[0][0] or 0)

    def _changes(self) -> list[tuple[int, str]]:
        """Return what began or changed, and its source: each change once.

        By number and by time: the time alone would not do, a clock that is set back by
        an hour hides all that happens in that hour.
        """
        now = now_us()
        # Two questions: together SQLite would look at every detection for them.
        since_us = min(self._since_us, now) - _OVERLAP_US
        found = {
            row["id"]: row["changed_us"]
            for where, value in (
                ("changed_us >= ?", since_us),
                ("id > ?", self._last_id),
            )
            for row in self._view.journal.rows(
                f"SELECT id, changed_us FROM detections WHERE {where}", value
            )
        }
        new = [k for k in sorted(found) if self._seen.get(k) != found[k]]
        for number in new:
            self._seen[number] = found[number]
            self._seen.move_to_end(number)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self._since_us = now
        self._last_id = max([self._last_id, *new])
        return [(number, self._source_of(number)) for number in new]

    def _source_of(self, number: int) -> str:
        rows = self._view.journal.rows(
            "SELECT s.name FROM detections d JOIN segments g ON d.segment = g.id "
            "JOIN sources s ON g.source = s.id WHERE d.id = ?",
            number,
        )
        return str(rows[0]["name"])

    def _of_rows(self, found: list[tuple[int, str]]) -> Iterator[Message]:
        for number, source in found:
            try:
                row = self._row(number)
            except KeyError:  # below a threshold that a person set
                continue
            yield Message(source, {"type": "detection", "source": source, "row": row})

    def _health(self) -> Iterator[Message]:
        now = now_us()
        health = self._view.health()
        states = [(one["name"], one["state"]) for one in health["sources"]]
        key = json.dumps([health["alive"], states])
        if key == self._health_key and abs(now - self._health_due_us) < HEALTH_S * 1e6:
            return
        self._health_key, self._health_due_us = key, now
        yield Message(None, {"type": "health", **health})


def _messages(source: Source, columns: Columns | None) -> Iterator[Message]:
    if columns is None:
        return
    for run in columns.runs():
        yield Message(source.name, _spectrum(source, columns, run))
        rms = 10 * np.log10(np.mean(10 ** (run["rms_db"].astype(float) / 10)))
        level = {"peak_db": _tenths(run["peak_db"].max()), "rms_db": _tenths(rms)}
        yield Message(source.name, {"type": "level", "source": source.name, **level})


def _spectrum(source: Source, columns: Columns, run: NDArray[Any]) -> dict[str, Any]:
    form, start_us = columns.form, int(run["start_us"][0])
    return {
        "type": "spectrum",
        "source": source.name,
        "start_us": None if start_us == UNDATED else start_us,
        "start_s": round(float(run["start_s"][0]), 6),
        "column_s": form.column_s,
        "top_hz": form.top_hz,
        "n_bins": form.n_bins,
        "n_columns": len(run),
        "columns": base64.b64encode(run["bins"].tobytes()).decode("ascii"),
    }


def _tenths(db: Any) -> float:
    return round(float(db), 1)


class Viewer:
    """One who watches.

    Parameters
    ----------
    source
        The only source of interest; None: all.
    """

    def __init__(self, source: str | None) -> None:
        self._source = source
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self.overrun = asyncio.Event()
        """Set when it does not keep up."""

    def offer(self, messages: list[Message], *, first: bool = False) -> None:
        """Put messages into its queue."""
        if self.overrun.is_set():
            return
        for message in messages:
            if self._source in (None, message.source) or message.source is None:
                self._queue.put_nowait(message.text)
        if not first and self._queue.qsize() > _WAITING:
            self.overrun.set()

    async def next(self) -> str:
        """Return the next message, when there is one."""
        return await self._queue.get()


class Feed:
    """Reads a station as long as anyone watches it.

    Parameters
    ----------
    view
        The station.
    row
        As for :class:`Tail`.
    """

    def __init__(self, view: StationView, row: Callable[[int], dict[str, Any]]) -> None:
        self._view, self._row = view, row
        self._tail: Tail | None = None
        self._viewers: set[Viewer] = set()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def n_viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    async def join(self, viewer: Viewer) -> None:
        """Let one watch: first what was, then what comes."""
        async with self._turn:
            if self._tail is None:
                self._tail = await asyncio.to_thread(Tail, self._view, self._row)
            else:
                self._pass_on(await asyncio.to_thread(self._tail.news))
            hello = await asyncio.to_thread(self._tail.hello)
            recent = await asyncio.to_thread(self._tail.recent)
            viewer.offer([hello, *recent], first=True)
            self._viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, viewer: Viewer) -> None:
        """Let one go."""
        self._viewers.discard(viewer)

    async def close(self) -> None:
        """End."""
        self._viewers.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _pass_on(self, messages: list[Message]) -> None:
        for viewer in self._viewers:
            viewer.offer(messages)

    async def _run(self) -> None:
        while True:
            async with self._turn:
                if not self._viewers or self._tail is None:
                    self._tail = None
                    return
                try:
                    self._pass_on(await asyncio.to_thread(self._tail.news))
                except SeacallError as error:  # a journal that is busy, or gone
                    Log.warning("%s", error)
            await asyncio.sleep(TURN_S)
