"""Do the same to many files, in one process or several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from seacall.errors import AudioError

Progress = Callable[[int, int], None]
"""Called with the number of files done and of all files."""

J = TypeVar("J")
R = TypeVar("R")
_BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def map_files(
    work: Callable[[J], R],
    jobs: Sequence[J],
    *,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> list[R]:
    """Call ``work`` on each job; the results come in the order of the jobs.

    Parameters
    ----------
    work
        A function at module level, so that other processes find it.
    n_workers
        Processes; 1 works in this one. Each uses one core.

    Raises
    ------
    AudioError
        If a worker process was killed.
    """
    if n_workers <= 1 or len(jobs) < 2:
        return _collect(map(work, jobs), n=len(jobs), progress=progress)
    # spawn: a fork of a process with threads (torch, BLAS) may hang.
    context = multiprocessing.get_context("spawn")
    try:
        with (
            one_blas_thread(),
            ProcessPoolExecutor(min(n_workers, len(jobs)), mp_context=context) as pool,
        ):
            results = pool.map(work, jobs, chunksize=8)
            return _collect(results, n=len(jobs), progress=progress)
    except BrokenProcessPool as error:
        raise AudioError(
            f"one of {n_workers} worker processes was killed, most likely for memory; "
            "run again with fewer workers"
        ) from error


def _collect(results: Iterator[R], *, n: int, progress: Progress | None) -> list[R]:
    collected = []
    for result in results:
        collected.append(result)
        if progress is not None:
            progress(len(collected), n)
    return collected


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let processes that start meanwhile compute on one core each."""
    before = {name: os.environ.get(name) for name in _BLAS_THREADS}
    os.environ.update(dict.fromkeys(_BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
