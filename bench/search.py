"""How fast, how exact and how large an index of many clips is.

    python -m bench.search [--n 1000000] [--length 96] [--no-graph] [--folder FOLDER]

Times of single answers are by the clock and, since they run on one thread, of the
processor too: that is what they take on an idle machine.

Embeddings are synthesised: directions of a few thousand kinds of sound, each with
variation that has most of its power in few dimensions, all positive as behind a ReLU.
A query is a clip of one of the kinds that is not in the index.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from seacall.models.checkpoint import read_card
from seacall.models.shipped import shipped_folder
from seacall.search.build import write_index
from seacall.search.files import check_files, read_header
from seacall.search.graph import Graph, nearest_exactly, opened_usearch
from seacall.search.rows import ROW, Clips, unit_vectors

N_KINDS = 2_000
UNIT = 120
"""Clips of a unit of ten minutes."""
N_QUERIES = 50


class Sounds:
    """Draws embeddings."""

    def __init__(self, length: int) -> None:
        self._rng = np.random.default_rng(0)
        self._kinds = np.maximum(self._rng.normal(size=(N_KINDS, length)), 0)
        self._spread = 0.5 * np.linspace(1, 0.1, length)

    def draw(self, n: int) -> np.ndarray:
        """Return embeddings ``(n, length)``."""
        kind = self._rng.integers(N_KINDS, size=n)
        noise = self._rng.normal(size=(n, len(self._spread))) * self._spread
        return np.maximum(self._kinds[kind] + noise, 0)


def clips(sounds: Sounds, n: int) -> Iterator[Clips]:
    """Yield units of clips as a ledger would."""
    for first in range(0, n, UNIT):
        size = min(UNIT, n - first)
        rows = np.zeros(size, ROW)
        rows["recording"] = first // (6 * UNIT)
        rows["start_s"] = 5.0 * (np.arange(first, first + size) % (6 * UNIT))
        rows["end_s"] = rows["start_s"] + 5
        vectors, _ = unit_vectors(sounds.draw(size))
        yield Clips(rows, vectors)


def timed(what: str, ask, queries: np.ndarray) -> list:
    """Return what is answered; print how long answers took."""
    found, clock, processor = [], [], []
    for query in queries:
        begin, before = time.perf_counter(), time.process_time()
        found.append(ask(query))
        clock.append(1000 * (time.perf_counter() - begin))
        processor.append(1000 * (time.process_time() - before))
    print(
        f"{what}: median {np.median(clock):.1f} ms by the clock (worst "
        f"{max(clock):.1f}), {np.median(processor):.1f} ms of the processor"
    )
    return found


def resident_mb() -> float:
    """Return the memory that this process holds now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def recall(found: list, exact: list) -> float:
    """Return the share of the ten nearest that is among the ten found."""
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len({*a[0][:10]} & {*b[0][:10]}) / 10 for a, b in pairs]))


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument("--no-graph", action="store_true")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    opened_usearch()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        run(Path(name), given.n, given.length, graph=not given.no_graph)


def run(folder: Path, n: int, length: int, *, graph: bool) -> None:
    """Measure one size."""
    sounds = Sounds(length)
    n_units = -(-n // UNIT)
    digests = np.arange(n_units, dtype=np.uint64)
    card = read_card(shipped_folder())
    begin = time.perf_counter()
    write_index(
        folder, clips(sounds, n), digests, card=card, n_clips=n, graph_from=10**15
    )
    print(
        f"{n:,} clips of {length}; rows and vectors {time.perf_counter() - begin:.0f} s"
    )
    if graph:
        link(folder, digests)
    for kind, mark in read_header(folder).files.items():
        print(f"  {kind}: {mark.size / 1e6:.0f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"most memory while building: {peak:.0f} MB")
    ask(folder, n, length, sounds)


def link(folder: Path, digests: np.ndarray) -> None:
    """Add the graph to an index without one."""
    begin, before = time.perf_counter(), time.process_time()
    write_index(
        folder,
        iter(()),
        digests,
        card=read_card(shipped_folder()),
        n_clips=0,
        earlier=read_header(folder),
        graph_from=0,
    )
    print(
        f"graph: {time.perf_counter() - begin:.0f} s by the clock on "
        f"{len(os.sched_getaffinity(0))} cores, {time.process_time() - before:.0f} s "
        "of the processor"
    )


def ask(folder: Path, n: int, length: int, sounds: Sounds) -> None:
    """Measure opening and asking."""
    header = read_header(folder)
    begin, before = time.perf_counter(), resident_mb()
    check_files(folder, header)
    print(f"checked in {1000 * (time.perf_counter() - begin):.1f} ms")
    vectors = np.memmap(header.path(folder, "vectors"), "<f2", "r", shape=(n, length))
    queries, _ = unit_vectors(sounds.draw(N_QUERIES))
    exact = timed("one by one", lambda q: nearest_exactly(vectors, q, 200), queries)
    if "graph" not in header.files:
        return
    path = header.path(folder, "graph")
    graph = Graph(path, n_rows=n, length=length)
    found = timed("graph", lambda q: graph.nearest(q, 200), queries)
    print(f"memory while asking: {resident_mb() - before:.0f} MB more (mapped pages)")
    print(f"recall at 10 of the graph: {recall(found, exact):.4f}")


if __name__ == "__main__":
    main()
