"""Measure a live station that many watch: is anything lost, what does it cost.

    OMP_NUM_THREADS=1 python -m bench.web [--viewers 50] [--seconds 60]

A recording is replayed at real speed by ``seacall listen``, with a clip every second
and a low threshold, so that there is something to tell all the time; ``seacall serve``
shows it to as many viewers. Reported: detections of the journal that a viewer was not
told, columns of the spectrum that one missed, clips that were scored, processor time of
both programs and of the viewers, and the delay from a change in the journal to each
viewer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import connect

RATE = 48_000


def write_recording(path: Path, seconds: float) -> None:
    """Noise with whistles that come and go."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE)) / RATE
    y = 0.02 * rng.standard_normal(len(t))
    sweep = 9_000 + 3_000 * np.sin(2 * np.pi * 0.4 * t)
    y += 0.2 * np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * (np.sin(t) > 0)
    soundfile.write(path, y.astype(np.float32), RATE, subtype="PCM_16")


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "seacall", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def processor_s(process: subprocess.Popen[str]) -> float:
    """Return the processor time of a program so far, s."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Viewer:
    """One who watches, and notes what it was told and when."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.told_us: dict[tuple[int, float, str], int] = {}
        self.n_columns = 0
        self.first_s: float | None = None
        self.last_s = 0.0

    async def watch(self, url: str, origin: str) -> None:
        """Take all that comes, until it is cancelled."""
        async with connect(url, origin=origin, compression=None) as connection:
            async for text in connection:
                self._note(json.loads(text))

    def _note(self, message: dict[str, Any]) -> None:
        if message["type"] == "detection":
            row = message["row"]
            self.rows[row["id"]] = row
            key = row["id"], row["end_s"], row["state"]
            self.told_us.setdefault(key, time.time_ns() // 1000)
        elif message["type"] == "spectrum":
            if self.first_s is None:
                self.first_s = message["start_s"]
            self.n_columns += message["n_columns"]
            length_s = message["n_columns"] * message["column_s"]
            self.last_s = message["start_s"] + length_s

    @property
    def missed(self) -> int:
        """Columns that it was not shown, of those between the first and the last."""
        assert self.first_s is not None
        return round((self.last_s - self.first_s) * 10) - self.n_columns


async def watch_all(viewers: list[Viewer], address: str, listening: Any) -> None:
    host = address.removeprefix("http://").rstrip("/")
    url = f"ws://{host}/api/places/station/live"
    tasks = [asyncio.create_task(v.watch(url, f"http://{host}")) for v in viewers]
    while listening.poll() is None:
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    for task in tasks:
        if task.done():
            print(f"  a viewer was sent away: {task.exception()}")
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def delays(viewers: list[Viewer], station: Path) -> np.ndarray:
    """Return the delay from the journal to each viewer of each last change, s."""
    with sqlite3.connect(station / "station.sqlite") as db:
        rows = db.execute("SELECT id, end_s, state, changed_us FROM detections")
        return np.array(
            [
                (viewer.told_us[number, end_s, state] - changed_us) / 1e6
                for number, end_s, state, changed_us in rows.fetchall()
                for viewer in viewers
                if (number, end_s, state) in viewer.told_us
            ]
        )


def run(n_viewers: int, seconds: float, folder: Path) -> None:
    recording, station = folder / "20260501_120000.wav", folder / "station"
    write_recording(recording, seconds)
    listening = start(
        *("listen", recording, "-o", station, "--hop", 1, "--threshold", 0.1),
        "--quiet",
        stderr=subprocess.DEVNULL,
    )
    while not (station / "status.json").exists():
        time.sleep(0.05)
    serving = start("serve", station, "--port", 0, "--quiet")
    address = serving.stdout.readline().strip()  # type: ignore[union-attr]
    viewers = [Viewer() for _ in range(n_viewers)]
    began = time.monotonic()
    cpu = {"listen": processor_s(listening), "serve": processor_s(serving)}
    own = resource.getrusage(resource.RUSAGE_SELF)
    finished: dict[str, float] = {}

    class Watched:
        """Notes the listener's time while there is a process to ask."""

        def poll(self) -> int | None:
            if (code := listening.poll()) is None:
                finished["listen"] = processor_s(listening)
                finished["serve"] = processor_s(serving)
                finished["passed"] = time.monotonic() - began
            return code

    try:
        asyncio.run(watch_all(viewers, address, Watched()))
    finally:
        serving.terminate()
        serving.wait()
    with sqlite3.connect(station / "station.sqlite") as db:
        ids = {row[0] for row in db.execute("SELECT id FROM detections")}
        n_clips = db.execute("SELECT sum(n_clips) FROM clips").fetchone()[0]
        troubles = db.execute("SELECT kind, text FROM events").fetchall()
    status = json.loads((station / "status.json").read_text())
    heard_s = sum(one["heard_s"] for one in status["sources"].values())
    late = delays(viewers, station)
    now = resource.getrusage(resource.RUSAGE_SELF)
    own_s = now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime
    passed = finished["passed"]
    print(f"{n_viewers} viewers, {seconds:g} s at real speed")
    print(f"  heard {heard_s:.1f} s of {seconds:g}; {n_clips} clips; {troubles=}")
    lost = sum(len(ids - viewer.rows.keys()) for viewer in viewers)
    print(f"  detections {len(ids)}; not told to some viewer: {lost}")
    print(f"  columns missed: {sum(viewer.missed for viewer in viewers)}")
    for name in ("listen", "serve"):
        share = (finished[name] - cpu[name]) / passed
        print(f"  {name}: {share:.1%} of a core")
    print(f"  viewers: {own_s / passed:.1%} of a core")
    print(
        f"  from journal to viewer: median {np.median(late):.3f} s, 95 % "
        f"{np.quantile(late, 0.95):.3f} s, longest {late.max():.3f} s ({len(late)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(chosen.viewers, chosen.seconds, Path(folder))


if __name__ == "__main__":
    main()
