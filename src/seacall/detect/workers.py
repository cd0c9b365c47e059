"""Engines of this machine: score tasks in this process, or in several."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seacall.audio.clips import ClipGrid
from seacall.audio.fast import kernels
from seacall.audio.frontend import condition
from seacall.data.pool import one_blas_thread
from seacall.detect.classify import clip_table, score_unit
from seacall.detect.clip_table import empty_table
from seacall.detect.embeddings import open_embedding_classifier
from seacall.detect.units import Task, Unit, UnitResult
from seacall.models.backend import Classifier, load_classifier
from seacall.models.checkpoint import Card

_IN_FLIGHT = 3
"""Tasks handed out for each worker, so that none waits and few are lost."""
_KILLED = (
    "the worker process that read it was killed twice, most likely for memory; "
    "run again with fewer workers"
)


@dataclass(frozen=True)
class Job:
    """What every worker needs to know."""

    model: Path | None
    """Model folder; None: the model that comes with the package."""
    card: Card
    """As the user wants it: with channels, thresholds."""
    grid: ClipGrid
    embeddings: bool = False
    """Keep embeddings too."""

    def classifier(self) -> Classifier:
        """Load the model."""
        classifier: Classifier = (
            open_embedding_classifier(self.model)
            if self.embeddings
            else load_classifier(self.model)
        )
        classifier.card = self.card
        return classifier


def score_here(tasks: Sequence[Task], job: Job) -> Iterator[UnitResult]:
    """Score tasks one after the other in this process."""
    classifier = job.classifier()
    for task in tasks:
        for unit in task:
            yield score_unit(unit, classifier, grid=job.grid)


def score_in_processes(
    tasks: Sequence[Task], job: Job, *, n_workers: int
) -> Iterator[UnitResult]:
    """Score tasks in several processes; results come as they are ready.

    A worker that is killed takes its pool with it. What was in flight is then done
    again unit by unit in one process at a time, so that a unit which kills its worker
    is found; it is given up when it has done so twice.
    """
    _prepare(job)
    left = deque(tasks)
    while left:
        flight: dict[Future[list[UnitResult]], Task] = {}
        try:
            with _pool(job, n_workers) as pool:
                yield from _results(pool, left, flight, n_workers * _IN_FLIGHT)
        except BrokenProcessPool:
            # What was in flight: some of it may be done, but nobody has seen it.
            for unit in [unit for task in flight.values() for unit in task]:
                yield _score_alone(unit, job)


def _prepare(job: Job) -> None:
    """Find out here what is wrong with a model; compile once, not in each worker."""
    classifier = job.classifier()
    if kernels() is None:
        return
    front_end = job.card.front_end
    rate = front_end.profile.sample_rate
    silence = np.zeros(front_end.clip_length, np.float32)
    deque(condition([silence], sample_rate=rate, settings=front_end), maxlen=0)
    clip_table([silence], [0.0], classifier, sample_rate=rate)


def _results(
    pool: ProcessPoolExecutor,
    left: deque[Task],
    flight: dict[Future[list[UnitResult]], Task],
    n_most: int,
) -> Iterator[UnitResult]:
    try:
        while left or flight:
            while left and len(flight) < n_most:
                # Workers that start now keep what is held back: all of Ctrl-C.
                with _uninterrupted():
                    flight[pool.submit(_score_task, left[0])] = left[0]
                    left.popleft()
            done, _ = wait(flight, return_when=FIRST_COMPLETED)
            for future in done:
                results = future.result()
                del flight[future]
                yield from results
    except BrokenProcessPool:
        raise
    except BaseException:  # interrupted, or nobody wants more
        _end(pool)
        raise


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back for a moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    """End workers in the middle of their tasks, which nobody will ask about."""
    with _uninterrupted():  # a second Ctrl-C here would leave a pool that never ends
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _score_alone(unit: Unit, job: Job) -> UnitResult:
    for _ in range(2):
        with contextlib.suppress(BrokenProcessPool), _pool(job, 1) as pool:
            (result,) = pool.submit(_score_task, (unit,)).result()
            return result
    failure = f"{unit.path}: {_KILLED}"
    return UnitResult(unit, empty_table(len(job.card.labels)), failure)


def _pool(job: Job, n_workers: int) -> ProcessPoolExecutor:
    # spawn: a fork of a process with threads (ONNX Runtime, BLAS) may hang.
    context = multiprocessing.get_context("spawn")
    with one_blas_thread():
        return ProcessPoolExecutor(
            n_workers, mp_context=context, initializer=_begin, initargs=(job,)
        )


_worker: tuple[Classifier, ClipGrid] | None = None


def _begin(job: Job) -> None:
    """Load the model, once for each process."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = job.classifier(), job.grid


def _end_with_parent() -> None:
    """End when the parent does, however it ends; else workers would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _score_task(task: Task) -> list[UnitResult]:
    assert _worker is not None
    classifier, grid = _worker
    return [score_unit(unit, classifier, grid=grid) for unit in task]
