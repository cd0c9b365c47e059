"""Run a station: each source on a thread of its own, all into one journal."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.detect.archive import Plan
from seacall.errors import AudioError, SeacallError, SettingsError
from seacall.events import Segment
from seacall.live.budget import Budget
from seacall.live.buffered import Buffered, Failure
from seacall.live.clock import StreamClock
from seacall.live.growing import Change, Place
from seacall.live.health import Health, Turn
from seacall.live.heard import Counts, HeardChannel, HeardSegment
from seacall.live.journal import Journal
from seacall.live.levels import Seconds
from seacall.live.listener import Listener, News
from seacall.live.pcm import made_possible
from seacall.live.settings import ListenRun
from seacall.live.snippets import Snippets
from seacall.live.source import (
    OVER,
    Block,
    End,
    Heard,
    Source,
    Start,
    Trouble,
    begun_before,
)
from seacall.live.spectrum import Spectrograph, ring_path
from seacall.live.throttle import Throttle
from seacall.models.backend import Classifier

Float32 = NDArray[np.float32]
Log = logging.getLogger("seacall.live")

_TURN_S = 0.25
_NO_ROOM_S = 5.0
"""Until it is tried again to write, s."""
_CAPACITY_WAITING = 64
"""Items that wait of sources that wait themselves."""


@dataclass(frozen=True)
class Reported:
    """A change of a detection that is in the journal."""

    source: str
    number: int
    change: Change


Report = Callable[[Reported], None]


class Line(threading.Thread):
    """Listens to one source until it is over, or it is told to stop.

    Parameters
    ----------
    source
        Where the sound comes from.
    journal
        Where everything goes.
    classifier
        The model; may be shared.
    plan
        Channels and grid.
    run
        All settings.
    report
        Told of each change, when it is on the disk.
    """

    def __init__(
        self,
        source: Source,
        journal: Journal,
        classifier: Classifier,
        *,
        plan: Plan,
        run: ListenRun,
        report: Report,
    ) -> None:
        super().__init__(name=f"line {source.name}", daemon=True)
        self.source = source
        self._journal = journal
        self._classifier = classifier
        self._plan, self._run, self._report = plan, run, report
        self._budget = Budget(journal, run.snippets)
        self._number = journal.source(source.name)
        capacity = {} if source.running else {"capacity": _CAPACITY_WAITING}
        self._buffered = Buffered(source, **capacity)
        self._stop_asked = threading.Event()
        self._segment: HeardSegment | None = None
        path = ring_path(journal.folder, self._number)
        self._spectrograph = Spectrograph(path, run.spectrum)
        self._waited_at = self._sound_at = time.monotonic()
        self.health = Health(run.health)
        self.counts = Counts()
        self._throttle = Throttle()
        self._marked: dict[str, float] = {}  # when in the sound, s
        self.failure = ""
        """Why it could not go on; empty: it could."""
        self.turned_at = time.monotonic()
        """When it last came round: a thread that hangs does not."""

    def stop(self) -> None:
        """Ask for the end: what has arrived of a stream is still heard."""
        self._stop_asked.set()
        self._buffered.stop()

    @property
    def lag_s(self) -> float:
        """How far the sound lies behind the clock, or how long there was none, s."""
        without_s = time.monotonic() - self._sound_at
        clock = self._segment.clock if self._segment else None
        return max(without_s, clock.lag_s if clock else 0.0)

    @property
    def fill(self) -> float:
        """How full the buffer is, 0 to 1."""
        return self._buffered.fill

    def run(self) -> None:
        """Listen."""
        self._buffered.start()
        try:
            while self._one_turn():
                pass
        except SeacallError as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 (the other sources go on)
            Log.exception("%s", self.source.name)
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self._buffered.stop()
            self._spectrograph.close()

    def _give_up(self, reason: str) -> None:
        self.failure = " ".join(reason.split())
        with suppress(SeacallError):  # it may be the journal that failed
            self._fail(reason)

    def _one_turn(self) -> bool:
        self.turned_at = time.monotonic()
        if self._stop_asked.is_set() and not self.source.running:
            self._leave()
            return False
        try:
            heard = self._buffered.take(timeout_s=_TURN_S)
        except TimeoutError:
            self._wait()
            return True
        if isinstance(heard, Failure):
            self._fail(str(heard.error))
        elif heard is None:
            self._end(End(OVER))
            for kind, n in self._throttle.rest().items():
                self._write_event(kind, f"{n} more before the end")
            return False
        else:
            self._take(heard)
        return True

    def _leave(self) -> None:
        """Stop in the middle of a recording: it is heard again from its start."""
        if self._segment is not None and not self._segment.start.key:
            self._end(End("stopped"))

    def _fail(self, reason: str) -> None:
        self.failure = " ".join(reason.split())
        self._event("failed", self.failure)

    def _take(self, heard: Heard) -> None:
        if isinstance(heard, Start):
            self._end(End("another begins"))
            self._begin(heard)
        elif isinstance(heard, Block):
            self._listen(heard.y)
        elif isinstance(heard, End):
            self._end(heard)
        else:
            self._trouble(heard)

    def _trouble(self, trouble: Trouble) -> None:
        if trouble.kind not in ("note", "reconnect"):
            self._marked[trouble.kind] = self.counts.heard_s
        self._event(trouble.kind, trouble.text)

    def _marks(self) -> list[str]:
        """Return what is wrong now, or was within the last clip."""
        grid = self._plan.grid
        since_s = self.counts.heard_s - grid.clip_length / grid.sample_rate - 1
        recent = [kind for kind, at_s in self._marked.items() if at_s >= since_s]
        return [*self.health.states, *recent]

    def _event(self, kind: str, text: str, *, state: str = "was") -> None:
        self.counts.events[kind] = self.counts.events.get(kind, 0) + (state != "off")
        said = self._throttle.words(kind, text) if state == "was" else text
        if said is not None:
            self._write_event(kind, said, state=state)

    def _write_event(self, kind: str, text: str, *, state: str = "was") -> None:
        Log.warning("%s: %s: %s", self.source.name, kind, text)
        self._journal.event(self._number, kind, text, state=state)

    def _begin(self, start: Start) -> None:
        known = bool(start.key) and self._journal.is_done(self._number, start.key)
        if known:
            self._event("note", f"{start.why}: was heard before; left out")
        number = 0 if known else self._journal.begin(self._number, start)
        timed = self.source.running and start.start is not None
        self.counts.n_segments += not known
        if not known:
            self._spectrograph.begin(start)
        self._segment = HeardSegment(
            number,
            start,
            [self._channel(n, start) for n in self._channel_numbers(start)],
            Seconds(start.sample_rate),
            StreamClock(start.start, start.sample_rate)
            if timed and start.start
            else None,
            skipped=known,
        )

    def _channel_numbers(self, start: Start) -> list[int]:
        if self._plan.each_channel:
            return list(range(1, start.n_channels + 1))
        chosen = self._plan.card.front_end.clip.channel or 0
        if chosen > start.n_channels:
            raise AudioError(
                f"{self.source.name}: has no channel {chosen}; choose one from 1 to "
                f"{start.n_channels}"
            )
        return [chosen]

    def _channel(self, number: int, start: Start) -> HeardChannel:
        rate, grid = start.sample_rate, self._plan.grid
        segment = Segment(start.first_sample, 0, start.start)
        place = Place(Path(self.source.name), rate, number or 1, segment)
        return HeardChannel(
            number,
            Listener(self._classifier, place, grid=grid, settings=self._run.detect),
            Snippets(
                self._journal,
                self._run.snippets,
                self._budget,
                sample_rate=rate,
                clip_s=grid.clip_length / grid.sample_rate,
                offset_s=start.first_sample / rate,
            ),
        )

    def _listen(self, y: Float32) -> None:
        segment = self._segment
        if segment is None or segment.skipped:
            return
        y, n_bad = made_possible(y)
        if n_bad:
            text = f"{n_bad} samples that are no numbers; set to 0"
            self._trouble(Trouble("unreadable", text))
        segment.n_samples += len(y)
        self._sound_at = time.monotonic()
        self.counts.last_sound = datetime.now(UTC)
        self.counts.heard_s += len(y) / segment.start.sample_rate
        for channel in segment.channels:
            mono = channel.of(y)
            if channel is segment.channels[0]:
                self._examine(segment, mono)
                self._spectrograph.push(mono)
            channel.snippets.push(mono)
            self._keep(segment, channel, channel.listener.push(mono))
            channel.snippets.write_due()
        self._check_clock(segment)

    def _examine(self, segment: HeardSegment, y: Float32) -> None:
        for second in segment.seconds.push(y):
            for turn in self.health.second(second):
                self._turned(turn)

    def _turned(self, turn: Turn) -> None:
        self._event(turn.kind, turn.text, state="on" if turn.on else "off")

    def _wait(self) -> None:
        self._check_lateness()

    def _check_lateness(self) -> None:
        now = time.monotonic()
        passed_s, self._waited_at = now - self._waited_at, now
        if self.source.running:
            for turn in self.health.waited(self.lag_s, passed_s):
                self._turned(turn)

    def _check_clock(self, segment: HeardSegment) -> None:
        self._check_lateness()
        off = segment.clock and segment.clock.arrived(segment.n_samples)
        if not off:
            return
        start = segment.start
        self._event(off.kind, off.text)
        self._end(End(off.text))
        anew = begun_before(0, start.sample_rate)
        self._begin(Start(start.sample_rate, start.n_channels, anew, off.text))

    def _keep(self, segment: HeardSegment, channel: HeardChannel, news: News) -> None:
        if not news:
            return
        numbers = self._put(segment.number, channel.number, news)
        self.counts.n_clips += len(news.table)
        for number, change in zip(numbers, news.changes, strict=True):
            channel.snippets.want(number, change)
            if change.kind == "begun":
                label = change.detection.label
                n = self.counts.detections.get(label, 0)
                self.counts.detections[label] = n + 1
            self._report(Reported(self.source.name, number, change))

    def _put(self, segment: int, channel: int, news: News) -> list[int]:
        """Write; where there is no room, wait for it while the buffer fills."""
        while True:
            try:
                return self._journal.put(segment, channel, news, marks=self._marks())
            except SettingsError as error:
                full = isinstance(error.__cause__, sqlite3.OperationalError)
                if not full or self._stop_asked.wait(_NO_ROOM_S):
                    raise
                self.turned_at = time.monotonic()
                Log.warning("%s: %s", self.source.name, error)

    def _end(self, end: End) -> None:
        segment, self._segment = self._segment, None
        if segment is None or segment.skipped:
            return
        for channel in segment.channels:
            self._keep(segment, channel, channel.listener.finish())
            channel.snippets.write_due(last=True)
        self._journal.end(segment.number, n_samples=segment.n_samples, why=end.why)


def settled(lines: Sequence[Line]) -> bool:
    """Tell whether all have ended."""
    return not any(line.is_alive() for line in lines)


def about(line: Line) -> dict[str, Any]:
    """Return how a source is, as plain values."""
    counts, last = line.counts, line.health.last
    return {
        "alive": line.is_alive() and "late" not in line.health.states,
        "states": line.health.states,
        "failure": line.failure,
        "level_db": None if last is None else round(last.level_db, 1),
        "last_sound": counts.last_sound.isoformat() if counts.last_sound else None,
        "lag_s": round(line.lag_s, 2),
        "buffer": round(line.fill, 3),
        "heard_s": round(counts.heard_s, 3),
        "n_segments": counts.n_segments,
        "n_clips": counts.n_clips,
        "detections": dict(counts.detections),
        "events": dict(counts.events),
    }
