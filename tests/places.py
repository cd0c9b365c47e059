"""Makes places to review: stations and archives whose detections are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import soundfile
import tiny
from heard import clip_table
from sounds import noise, write_wav

from seacall.config import DetectRun, write_toml
from seacall.detect.archive import Plan, preflight
from seacall.detect.clip_table import empty_table
from seacall.detect.store import Store
from seacall.detect.units import UnitResult
from seacall.events import Detection
from seacall.live.growing import Change
from seacall.live.journal import Journal, time_us
from seacall.live.listener import News
from seacall.live.source import Start
from seacall.models.checkpoint import read_card

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
RATE = 16_000


def station(
    folder: Path, found, *, rate: int = RATE, source: str = "tcp://h:1"
) -> Path:
    """A station that heard an hour; ``found``: (label, start_s, score) of 2 s each."""
    with Journal(folder) as journal:
        front_end = tiny.FRONT_END.front_end().model_dump(mode="json")
        journal.station_of(
            {"labels": list(tiny.LABELS), "front_end": front_end, "hop": None},
            {"settings": {}},
        )
    return more(folder, found, rate=rate, source=source)


def more(folder: Path, found, *, rate: int = RATE, source: str) -> Path:
    """Another hour of a station, from one of its sources."""
    with Journal(folder) as journal:
        segment = journal.begin(journal.source(source), Start(rate, 1, NOON, ""))
        changes = [
            Change("begun", detection(label, start_s, score))
            for label, start_s, score in found
        ]
        journal.put(segment, 0, News(0, empty_table(len(tiny.LABELS)), changes))
        journal.end(segment, n_samples=3600 * rate, why="over")
        with journal.transaction() as db:
            db.execute("UPDATE detections SET state = 'closed'")
    return folder


def detection(label: str, start_s: float, score: float, length_s: float = 2.0):
    return Detection(
        Path("x"),
        *(start_s, start_s + length_s, 100, 1000, label, score),
        start=NOON + timedelta(seconds=start_s),
    )


def keep_sound(folder: Path, number: int, *, start_s: float, length_s: float = 6.0):
    """Give a detection of a station its sound, as a listener does."""
    path = folder / "audio" / f"{number}.flac"
    path.parent.mkdir(exist_ok=True)
    y = noise(sample_rate=RATE, duration_s=length_s, seed=number)
    soundfile.write(path, y, RATE)
    with Journal(folder) as journal, journal.transaction() as db:
        db.execute(
            "UPDATE detections SET audio = ?, audio_bytes = ?, audio_start_s = ? "
            "WHERE id = ?",
            (f"audio/{path.name}", path.stat().st_size, start_s, number),
        )


def archive(
    folder: Path, scores, *, model: Path, settings: DetectRun | None = None
) -> Path:
    """A run over recordings; ``scores``: by name, of the first classes, a row a clip.

    Recordings are made beside the run, one clip of 1 s after the other.
    """
    paths = []
    for k, (name, rows) in enumerate(scores.items()):
        y = noise(sample_rate=RATE, duration_s=float(len(rows)), seed=k)
        paths.append(write_wav(folder.parent / "recordings" / name, y, RATE))
    plan = Plan(model, read_card(model))
    with Store(folder) as store:
        about = {"card": plan.card.model_dump(mode="json"), "run": plan.run}
        store.run_of(plan.key, about)
        preflight(paths, store, plan)
        for unit in store.waiting():
            rows = scores[unit.path.name]
            store.put([UnitResult(unit, clip_table(rows))])
    if settings is not None:
        store(settings, folder)
    return folder


def store(settings: DetectRun, folder: Path) -> None:
    """Say how the run's scores become detections, as the command line does."""
    write_toml(folder / "settings.toml", settings.model_dump(mode="json"))


def many(folder: Path, n: int, labels: tuple[str, str]) -> Path:
    """A station with n detections, one each 3 s, their scores evenly from 0.5 to 1."""
    station(folder, [(labels[0], 0.0, 0.5)])
    columns = (
        "segment, channel, low_hz, high_hz, n_clips, level_unit, begun_us, changed_us"
    )
    with Journal(folder) as journal, journal.transaction() as db:
        db.execute("DELETE FROM detections")
        db.execute(
            "WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k "
            f"WHERE i + 1 < :n) INSERT INTO detections ({columns}, state, label, "
            "start_s, end_s, start_us, score) SELECT 1, 0, 100, 1000, 1, 'dBFS', "
            ":now, :now, 'closed', CASE i % 2 WHEN 0 THEN :a ELSE :b END, 3.0 * i, "
            "3.0 * i + 2, :now + 3000000 * i, 0.5 + 0.5 * (i * 7919 % :n) / :n FROM k",
            {"n": n, "now": time_us(NOON), "a": labels[0], "b": labels[1]},
        )
    return folder
