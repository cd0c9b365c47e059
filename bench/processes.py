"""Time two processes against one: a module of its own, so that others can import it."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from seacall.detect.classify import classify_recording
from seacall.models.backend import OnnxClassifier


def two_processes(model: Path, recording: Path, *, rounds: int) -> dict[str, float]:
    """Time a recording in one process, and two recordings in two; by the clock.

    Returns milliseconds a clip of two and of one, and their ratio.
    """
    times: dict[int, list[float]] = {1: [], 2: []}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(n_clips_of, [model] * 2, [recording] * 2))  # start, and warm up
        for _ in range(max(3, rounds // 3)):
            for n, side in times.items():
                started = time.perf_counter()
                n_clips = sum(pool.map(n_clips_of, [model] * n, [recording] * n))
                side.append(1e3 * (time.perf_counter() - started) / n_clips)
    one, two = (statistics.median(times[n]) for n in (1, 2))
    return {"seacall_ms": two, "plain_ms": one, "ratio": one / two}


def n_clips_of(model: Path, recording: Path) -> int:
    """Classify a recording; return how many clips it has."""
    return len(list(classify_recording(recording, OnnxClassifier(model))))
