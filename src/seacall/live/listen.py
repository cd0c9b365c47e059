"""Run a whole station: sources, journal, health files, alerts, readings."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seacall.config import DetectRun
from seacall.detect.archive import Plan
from seacall.detect.recordings import plan_of
from seacall.errors import SeacallError, SettingsError
from seacall.live.address import source_of
from seacall.live.alerts import Messenger, ask_for_alerts
from seacall.live.health import Latch
from seacall.live.journal import Journal, now_us
from seacall.live.notify import notify, watchdog_s
from seacall.live.readings import Sidecar, join
from seacall.live.settings import AlertRule, ListenRun
from seacall.live.source import Source
from seacall.live.station import Line, Report, about, settled
from seacall.live.status import station_status, write_status

Log = logging.getLogger("seacall.live")

STATUS_S = 2.0
"""From one status file to the next, s."""
_HANGS_S = 60.0
"""A thread that did not come round for so long hangs: systemd is not told that all is
well."""
_GB = 10**9
_PATIENCE_S = 20.0
"""How long sources may take to end, s."""


@dataclass
class Result:
    """What came of listening."""

    heard_s: float = 0.0
    n_clips: int = 0
    detections: dict[str, int] = field(default_factory=dict)
    """Number by class."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why sources could not go on, by name."""

    def summary(self) -> str:
        """Say in one line what was heard and found."""
        counts = sorted(self.detections.items(), key=lambda item: (-item[1], item[0]))
        what = ", ".join(f"{label} {count}" for label, count in counts)
        n = sum(self.detections.values())
        return (
            f"heard {self.heard_s / 3600:.2f} h; "
            f"{n} detections{': ' + what if what else ''}"
        )


def plan_for(run: ListenRun) -> Plan:
    """Return how is listened: the model, its channels, where clips lie.

    Raises
    ------
    CheckpointError, SettingsError
        If there is no such model, or it has no such class.
    """
    names = ("model", "hop_s", "channel", "threshold", "timezone", "time_pattern")
    return plan_of(DetectRun(**{name: getattr(run, name) for name in names}))


def listen(
    names: Sequence[str],
    folder: Path,
    run: ListenRun = ListenRun(),  # noqa: B008 (frozen)
    *,
    report: Report = lambda _: None,
    stop: threading.Event | None = None,
    dry_run: Callable[[AlertRule, dict[str, Any]], None] | None = None,
    status_s: float = STATUS_S,
) -> Result:
    """Listen to sources until they are over, or ``stop`` is set.

    Parameters
    ----------
    names
        Sources, as `seacall.live.address.source_of` reads them.
    folder
        Of the station: the journal, sound, and how it is.
    run
        The model and everything else.
    report
        Told of each change of a detection, behind its writing, on any thread.
    stop
        Ends all: what has arrived is still heard.
    dry_run
        Gets alerts in place of those whom they are for.
    status_s
        From one status file to the next, s.

    Raises
    ------
    SettingsError
        If the folder cannot be used, or a source is none.
    CheckpointError
        If the model cannot be loaded.
    """
    plan = plan_for(run)
    with Journal(folder) as journal:
        journal.station_of(
            {k: v for k, v in plan.key.items() if k != "unit"},
            {"settings": run.model_dump(mode="json"), "sources": list(names)},
        )
        sources = [_source(name, run, journal) for name in names]
        _refuse_twice([source.name for source in sources])
        station = _Station(journal, plan, run, sources, report, dry_run)
        return station.work(stop or threading.Event(), status_s=status_s)


def _source(name: str, run: ListenRun, journal: Journal) -> Source:
    made = source_of(name, run)
    known = _Known(journal, journal.source(made.name))
    return source_of(name, run, known=known)


def _refuse_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{name}: is named twice; name each source once")


class _Known:
    """The recordings of a source that were heard to their ends."""

    def __init__(self, journal: Journal, source: int) -> None:
        self._journal, self._source = journal, source

    def __contains__(self, key: object) -> bool:
        return self._journal.is_done(self._source, str(key))


class _Station:
    """Everything that runs beside one another."""

    def __init__(
        self,
        journal: Journal,
        plan: Plan,
        run: ListenRun,
        sources: Sequence[Source],
        report: Report,
        dry_run: Callable[[AlertRule, dict[str, Any]], None] | None,
    ) -> None:
        self._journal = journal
        self._run = run
        self._model = plan.card.name
        classifier = plan.job.classifier()
        journal.hooks.append(ask_for_alerts(run.alerts))
        self.lines = [
            Line(one, journal, classifier, plan=plan, run=run, report=report)
            for one in sources
        ]
        sends = {} if dry_run is None else {"send": dry_run}
        self._messenger = Messenger(journal, run.alerts, **sends)
        self._sidecars = [Sidecar(journal, one) for one in run.environment]
        self._disk = Latch(0.0, 60.0)

    def work(self, stop: threading.Event, *, status_s: float) -> Result:
        """Run until all sources are over, or the end is asked for."""
        for thread in (*self._sidecars, *self.lines, self._messenger):
            thread.start()
        notify("READY=1")
        try:
            self._watch(stop, status_s)
        finally:
            notify("STOPPING=1")
            self._stop()
        return self._result()

    def _watch(self, stop: threading.Event, status_s: float) -> None:
        every_s = min(status_s, (watchdog_s() or 60.0) / 3)
        while not settled(self.lines):
            self._tell(every_s)
            if stop.wait(min(0.1, every_s)):
                return
            self._wait(stop, every_s)

    def _wait(self, stop: threading.Event, every_s: float) -> None:
        until = time.monotonic() + every_s
        while time.monotonic() < until and not settled(self.lines):
            if stop.wait(0.05):
                return

    def _tell(self, passed_s: float) -> None:
        """Write how all is; tell systemd, unless something hangs."""
        try:
            self._write(passed_s)
        except (SeacallError, OSError) as error:  # a full disk is no reason to end
            Log.warning("station: %s", error)
        now = time.monotonic()
        alive = [line for line in self.lines if line.is_alive()]
        if all(now - line.turned_at < _HANGS_S for line in alive):
            notify("WATCHDOG=1")

    def _write(self, passed_s: float) -> None:
        self._join_readings()
        self._check_disk(passed_s)
        write_status(
            self._journal.folder,
            station_status(
                self._journal.folder,
                {line.source.name: about(line) for line in self.lines},
                model=self._model,
                alerts_waiting=self._messenger.waiting(),
            ),
        )

    def _join_readings(self) -> None:
        if not self._run.environment:
            return
        tolerance_s = max(one.tolerance_s for one in self._run.environment)
        # Readings that come late still find the detections of the last while.
        since_us = now_us() - round(2e6 * tolerance_s)
        join(self._journal, tolerance_s=tolerance_s, since_us=since_us)

    def _check_disk(self, passed_s: float) -> None:
        free = shutil.disk_usage(self._journal.folder).free
        low = free < self._run.health.disk_low_gb * _GB
        if self._disk.update(low, passed_s):
            state = "on" if self._disk.on else "off"
            text = f"{free / _GB:.1f} GB free"
            self._journal.event(None, "disk low", text, state=state)

    def _stop(self) -> None:
        for line in self.lines:
            line.stop()
        until = time.monotonic() + _PATIENCE_S
        for line in self.lines:
            line.join(max(0.0, until - time.monotonic()))
            if line.is_alive():
                Log.warning("%s: does not end; left", line.source.name)
        beside: list[Messenger | Sidecar] = [self._messenger, *self._sidecars]
        for thread in beside:
            thread.stop()
        for thread in beside:
            thread.join(_PATIENCE_S)
        self._tell(0.0)
        self._journal.settle()

    def _result(self) -> Result:
        result = Result()
        for line in self.lines:
            result.heard_s += line.counts.heard_s
            result.n_clips += line.counts.n_clips
            for label, n in line.counts.detections.items():
                result.detections[label] = result.detections.get(label, 0) + n
            if line.failure:
                result.failures[line.source.name] = line.failure
        return result
