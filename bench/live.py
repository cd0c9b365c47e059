"""Measure a listening station: load, delay, memory over many hours.

    OMP_NUM_THREADS=1 python -m bench.live [--hours 2] [--seconds 30]

Load: processor time for each second of a 48 kHz channel that comes in blocks of 50 ms,
with the model in the package, health, ring of samples and journal. Delay: from the end
of a clip in a TCP stream in real time to the change that is in the journal, by the
clock. Memory: resident size of a station whose model costs nothing, over hours of sound
with detections every minute, as fast as it goes.
"""

from __future__ import annotations

import argparse
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from seacall.live.journal import Journal
from seacall.live.listen import listen, plan_for
from seacall.live.settings import ListenRun, SnippetSettings
from seacall.live.source import OVER, Block, End, Heard, Start
from seacall.live.station import Line, Reported

RATE = 48_000
_BLOCK = RATE // 20


class Noise:
    """A source that gives noise, in blocks of 50 ms, for so many seconds."""

    running = False

    def __init__(self, name: str, seconds: float, rate: int, n_channels: int) -> None:
        self.name = name
        self._n_blocks = round(seconds * 20)
        self._form = rate, n_channels

    def heard(self, stop: threading.Event) -> Iterator[Heard]:
        """Yield one segment."""
        rate, n_channels = self._form
        rng = np.random.default_rng(0)
        noise = 0.1 * rng.standard_normal((rate, n_channels)).astype(np.float32)
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        yield Start(rate, n_channels, begin, "noise")
        length = rate // 20
        for k in range(self._n_blocks):
            if stop.is_set():
                return
            at = (k * length) % (rate - length)
            yield Block(noise[at : at + length], k * length)
        yield End(OVER)


class Cheap:
    """A model that costs nothing, and detects something in one clip of twelve."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self._n = 0

    def logits(self, x: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return one detection in twelve clips."""
        logits = np.zeros((len(x), len(self.card.labels)), np.float32)
        for row in logits:
            self._n += 1
            row[0 if self._n % 12 == 0 else -1] = 30
        return logits


def line_for(source: Any, journal: Journal, run: ListenRun, model: Any = None) -> Line:
    plan = plan_for(run)
    classifier = model or plan.job.classifier()
    return Line(source, journal, classifier, plan=plan, run=run, report=lambda _: None)


def load(seconds: float, n_channels: int) -> float:
    """Return processor time for a second of sound, s."""
    run = ListenRun(channel="each")
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        line = line_for(Noise("noise", seconds, RATE, n_channels), journal, run)
        began = time.process_time()
        line.start()
        line.join()
        assert line.counts.heard_s >= seconds - 1, line.failure
        assert line.counts.n_clips >= n_channels * (seconds // 5)
        return (time.process_time() - began) / seconds


def memory(hours: float) -> list[float]:
    """Return the resident size after each tenth of the hours, MB."""
    run = ListenRun(snippets=SnippetSettings(budget_gb=0.02, min_free_gb=0))
    sizes = []
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        card = plan_for(run).card.model_copy(
            update={"thresholds": {}, "threshold": 0.5}
        )
        source = Noise("noise", hours * 3_600, 16_000, 1)
        line = line_for(source, journal, run, Cheap(card))
        line.start()
        due_s = hours * 360
        while line.is_alive():
            if line.counts.heard_s >= due_s * (len(sizes) + 1):
                sizes.append(resident_mb())
            time.sleep(0.02)
        n = sum(line.counts.detections.values())
        kept = sum(f.stat().st_size for f in Path(folder, "audio").rglob("*.flac"))
        print(f"  {n} detections, sound kept {kept / 1e6:.1f} of 20 MB")
        print(f"  journal {Path(folder, 'station.sqlite').stat().st_size / 1e6:.2f} MB")
    return sizes


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def delays(seconds: float) -> list[float]:
    """Return how long after its end each clip's change was in the journal, s."""
    found: list[float] = []
    sent: list[float] = []

    def report(reported: Reported) -> None:
        if reported.change.kind != "ended":
            end_s = reported.change.detection.end_s
            found.append(time.monotonic() - sent[0] - end_s)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            rng = np.random.default_rng(0)
            block = (3_000 * rng.standard_normal(_BLOCK)).astype("<i2").tobytes()
            sent.append(time.monotonic())
            with connection, suppress(BrokenPipeError, ConnectionResetError):
                for k in range(round(seconds * 20)):
                    due = sent[0] + (k + 1) * 0.05
                    time.sleep(max(0.0, due - time.monotonic()))
                    connection.sendall(block)

        threading.Thread(target=serve, daemon=True).start()
        stop = threading.Event()
        threading.Timer(seconds, stop.set).start()
        with tempfile.TemporaryDirectory() as folder:
            url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            run = ListenRun(rate=RATE, hop_s=1.0, threshold=("0.02",))
            listen([url], Path(folder), run, report=report, stop=stop)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    for n_channels in (1, 4):
        share = load(10 * options.seconds, n_channels)
        print(f"load, {n_channels} channels of 48 kHz: {share:.2%} of a core")
    found = delays(options.seconds)
    if found:
        print(
            f"delay behind a clip's end, {len(found)} clips: "
            f"median {np.median(found):.3f} s, longest {max(found):.3f} s"
        )
    began = time.monotonic()
    sizes = memory(options.hours)
    took = timedelta(seconds=round(time.monotonic() - began))
    print(f"memory over {options.hours:g} h of 16 kHz ({took}), MB by tenths:")
    print("  " + " ".join(f"{size:.1f}" for size in sizes))


if __name__ == "__main__":
    main()
