"""Listen to a day at 96 kHz and say how much memory that took above the start.

    OMP_NUM_THREADS=1 python -m bench.memory [--hours 24] [--rate 96000] [--folder TMP]

The recording is an RF64 file of 16.6 GB for a day: noise and calls for a minute in
every ten, zeros between, which the file system need not store. The start is what the
process holds once it has the model and has listened to one minute.
"""

from __future__ import annotations

import argparse
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SOUND_S, EVERY_S = 60, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate", type=int, default=96_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--listen", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.listen:
        listen(*options.listen)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        minute = Path(folder, "20190501_000000.wav")
        day = Path(folder, "20190502_000000.wav")
        write(minute, hours=1 / 60, rate=options.rate)
        write(day, hours=options.hours, rate=options.rate)
        print(f"{day.stat().st_size / 1e9:.1f} GB, {options.hours:g} h", flush=True)
        # A process of its own: what this one holds does not count.
        command = (sys.executable, "-m", "bench.memory", "--listen", minute, day)
        subprocess.run([str(part) for part in command], check=True)


def listen(minute: Path, day: Path) -> None:
    from seacall.detect.archive import Plan, found_in
    from seacall.detect.archive import listen as listen_to
    from seacall.detect.store import Store
    from seacall.detection import DetectSettings
    from seacall.models.checkpoint import read_card
    from seacall.models.shipped import shipped_folder

    card = read_card(shipped_folder())
    plan = Plan(None, card)
    with Store(day.parent / "out") as store:
        listen_to([minute], store, plan)
        start_mb = peak_mb()
        started = time.perf_counter()
        progress = listen_to([day], store, plan)
        took_s = time.perf_counter() - started
        found = [
            one for _, some in found_in(store, card, DetectSettings()) for one in some
        ]
        n_bytes = (day.parent / "out" / "ledger.sqlite").stat().st_size
    heard_s = progress.audio_done_s
    print(
        f"{heard_s / 3600:.2f} h in {took_s:.0f} s, {heard_s / took_s:.0f} times real "
        f"time; {len(found)} detections; ledger {n_bytes / 1e6:.1f} MB"
    )
    print(
        f"peak memory: {start_mb:.0f} MB at the start, {peak_mb() - start_mb:.0f} more"
    )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path, *, hours: float, rate: int) -> None:
    """Write an RF64 file, 16 bit, one channel, with holes where nothing sounds."""
    n_bytes = 2 * round(hours * 3600) * rate
    body = struct.pack("<QQQI", n_bytes + 72, n_bytes, n_bytes // 2, 0)
    head = b"RF64\xff\xff\xff\xffWAVE" + b"ds64" + struct.pack("<I", len(body)) + body
    head += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    head += b"data\xff\xff\xff\xff"
    sound = (minute_of_sound(rate) * 32_767).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + n_bytes)
        for begin_s in range(0, round(hours * 3600), EVERY_S):
            file.seek(len(head) + 2 * begin_s * rate)
            file.write(sound[: n_bytes - 2 * begin_s * rate])


def minute_of_sound(rate: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(SOUND_S * rate) / rate
    call = np.sin(2 * np.pi * (8_000 * t + 500 * np.sin(2 * np.pi * t)))
    return 0.01 * rng.standard_normal(len(t)) + 0.2 * call * (np.sin(0.3 * t) > 0.7)


if __name__ == "__main__":
    main()
