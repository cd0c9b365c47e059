"""Listen to the same recordings in one process, in several, and on Ray.

    OMP_NUM_THREADS=1 python -m bench.cluster [--files 200] [--workers 2]

The recordings are one minute of noise at 96 kHz under many names. The last lines are
what the arithmetic of docs/cluster.md starts from: how many units a second the one
process that keeps the ledger can take, and how large parts and ledger become.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from seacall.detect.archive import Engine, Plan, listen
from seacall.detect.clip_table import ClipTable
from seacall.detect.cluster import Cluster
from seacall.detect.cluster_parts import part_of, result_of
from seacall.detect.store import LEDGER_NAME, Store
from seacall.detect.units import Unit, UnitResult
from seacall.detect.workers import score_here, score_in_processes
from seacall.events import Segment
from seacall.models.checkpoint import read_card
from seacall.models.shipped import shipped_folder

MINUTE_S = 60.0
RATE = 96_000
N_PARTS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = recordings(folder, options.files)
        print(f"{options.files} files of one minute, {options.workers} workers")
        per_file = {}
        for engine in ("one process", "processes", "ray"):
            # What starting costs is the same for both, and falls out.
            few, all_ = (
                timed(part, folder / f"{engine} {len(part)}", engine, options.workers)
                for part in (paths[: options.files // 10], paths)
            )
            per_file[engine] = (all_ - few) / (len(paths) * 0.9)
            start_s = few - per_file[engine] * len(paths) // 10
            print(
                f"{engine:12} {all_:6.1f} s, {start_s:5.1f} s of it to start; then "
                f"{3600 / per_file[engine]:6.0f} files/h, "
                f"{MINUTE_S / per_file[engine]:4.0f} times real time"
            )
        print(f"ray / processes: {per_file['ray'] / per_file['processes']:.2f}")
        print_ceiling(folder)


def recordings(folder: Path, n: int) -> list[Path]:
    y = 0.05 * np.random.default_rng(0).standard_normal(round(MINUTE_S * RATE))
    soundfile.write(folder / "0.wav", y, RATE, subtype="PCM_16")
    for k in range(1, n):
        os.link(folder / "0.wav", folder / f"{k}.wav")
    return [folder / f"{k}.wav" for k in range(n)]


def timed(paths: Sequence[Path], out: Path, name: str, n_workers: int) -> float:
    """Return how long a run takes from its beginning to its end, s."""
    plan = Plan(None, read_card(shipped_folder()))
    begun = time.perf_counter()
    with Store(out) as store:
        engines: dict[str, Engine] = {
            "one process": score_here,
            "processes": partial(score_in_processes, n_workers=n_workers),
            "ray": Cluster(store, n_workers=n_workers),
        }
        listen(paths, store, plan, engine=engines[name])
    return time.perf_counter() - begun


def print_ceiling(folder: Path) -> None:
    """Hand parts of ten minutes to a ledger as the driver does, and nothing else."""
    plan = Plan(None, read_card(shipped_folder()))
    with Store(next(folder.glob("one process *"))) as store:
        entry, *_ = [entry for entry, _ in store.searched(plan.grid)]
        found = store.tables(entry, plan.grid, n_classes=len(plan.card.labels))
        minute = [table for _, _, table in found]
    rows = ClipTable.joined(minute * 10)
    whole = Segment(0, 1 << 40)
    units = [
        Unit(entry.path, RATE, 1, whole, 0, k * len(rows), len(rows))
        for k in range(N_PARTS)
    ]
    parts = [part_of(UnitResult(unit, rows)) for unit in units]
    with Store(folder / "ceiling") as store:
        store.add([(replace(entry, segments=(whole,)), units)])
        begun = time.perf_counter()
        for unit, part in zip(units, parts, strict=True):
            store.put([result_of(part, unit)])
        per_s = N_PARTS / (time.perf_counter() - begun)
    size = (folder / "ceiling" / LEDGER_NAME).stat().st_size
    print(
        f"driver alone: {per_s:.0f} parts a second of {len(rows)} clips, each "
        f"{len(parts[0])} bytes; ledger: {size / N_PARTS / len(rows):.0f} bytes a clip"
    )


if __name__ == "__main__":
    main()
