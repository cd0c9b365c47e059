"""Find the nearest of many vectors: the one door to usearch."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.errors import SeacallError, require

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

CONNECTIVITY = 16
EXPANSION_ADD = 64
EXPANSION_SEARCH = 128
"""Neighbours of each vector, and how widely the graph is searched (usearch's names):
chosen by ``bench/search.py``."""
_BLOCK = 65_536
"""Rows that are compared at once; memory stays flat."""
_ADD = 10_000


class Graph:
    """A graph of neighbours over vectors (HNSW), mapped from its file.

    Parameters
    ----------
    path
        File that `build_graph` wrote.
    n_rows, length
        How many vectors it must hold, and how long they must be.

    Raises
    ------
    SeacallError
        If it is damaged, or the graph of other vectors.
    """

    def __init__(self, path: Path, *, n_rows: int, length: int) -> None:
        self._index = _opened(path, n_rows=n_rows, length=length, view=True)

    def nearest(self, query: Float16, k: int) -> tuple[Ints, Float32]:
        """Return the rows most like a query of length 1, and their cosine."""
        self._index.expansion_search = max(EXPANSION_SEARCH, k)
        found = self._index.search(query, k, threads=1)
        return found.keys.astype(np.int64), 1 - np.asarray(found.distances, np.float32)


def build_graph(
    path: Path,
    vectors: Float16,
    *,
    earlier: Path | None = None,
    watch: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the graph of vectors of length 1.

    Parameters
    ----------
    vectors
        Shape ``(n, length)``.
    earlier
        The graph of the first of them, to go on from.
    watch
        Told how many rows are in.

    Raises
    ------
    SeacallError
        If it cannot be written.
    """
    usearch = opened_usearch()
    length = vectors.shape[1]
    index = usearch.Index(
        ndim=length,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
    if earlier is not None:
        index.load(os.fspath(earlier))
    for first in range(len(index), len(vectors), _ADD):
        rows = np.arange(first, min(first + _ADD, len(vectors)))
        index.add(rows, np.asarray(vectors[first : first + _ADD]), threads=_threads())
        watch(int(rows[-1]) + 1)
    try:
        index.save(os.fspath(path))
    except (RuntimeError, ValueError) as error:  # what usearch makes of a full disk
        raise OSError(f"{path}: {error}") from error


def nearest_exactly(
    vectors: Float16, query: Float16, k: int, *, chosen: NDArray[np.bool_] | None = None
) -> tuple[Ints, Float32]:
    """Compare a query of length 1 with all vectors, or with those that are chosen.

    Returns
    -------
    rows, cosines
        The ``k`` most alike, the most alike first.
    """
    usearch = opened_usearch()
    kind = usearch.MetricKind.Cos
    rows, cosines = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK]
        at = np.arange(first, first + len(block))
        if chosen is not None:
            keep = chosen[first : first + len(block)]
            block, at = block[keep], at[keep]
        if not len(at):
            continue
        found = usearch.search(
            np.asarray(block), query, min(k, len(at)), kind, exact=True, threads=1
        )
        rows.append(at[found.keys.astype(np.int64)])
        cosines.append(1 - np.asarray(found.distances, np.float32))
    every, values = np.concatenate(rows), np.concatenate(cosines)
    # Equal cosines in the order of the archive, so that answers do not change.
    order = np.lexsort((every, -values))[:k]
    return every[order], values[order]


def opened_usearch() -> Any:
    """Import usearch.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    # Whichever of the two comes second must be usearch: ONNX Runtime 1.32 ends the
    # process if it is imported after usearch 2.26.
    importlib.import_module("onnxruntime")
    require("usearch", "search")
    return importlib.import_module("usearch.index")


def _opened(path: Path, *, n_rows: int, length: int, view: bool) -> Any:
    """Open a graph once its header says that it is the one that is meant."""
    usearch = opened_usearch()
    try:
        about = usearch.Index.metadata(os.fspath(path))
        wanted = {
            "count_present": n_rows,
            "dimensions": length,
            "kind_metric": usearch.MetricKind.Cos,
            "kind_scalar": usearch.ScalarKind.F16,
        }
        if about is None or any(about.get(k) != v for k, v in wanted.items()):
            raise SeacallError(f"{path}: is the graph of other vectors")
        index = usearch.Index.restore(os.fspath(path), view=view)
    except (RuntimeError, ValueError, KeyError) as error:
        raise SeacallError(f"{path}: is damaged ({error})") from error
    if index is None or len(index) != n_rows:
        raise SeacallError(f"{path}: is damaged, or of another kind")
    return index


def _threads() -> int:
    return len(os.sched_getaffinity(0))
