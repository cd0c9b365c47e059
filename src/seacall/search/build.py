"""Write the files of an index, whole or not at all, going on from an earlier one."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.errors import SeacallError, SettingsError
from seacall.models.checkpoint import Card
from seacall.models.embedding import embedder_name
from seacall.search.files import Header, drop_others, mark_of, put_in_place
from seacall.search.graph import build_graph
from seacall.search.rows import ROW, Clips

Watch = Callable[[str, int, int], None]
"""Told what is done, how far it is, and how far it has to go."""

GRAPH_FROM = 100_000_000
"""Numbers in all vectors from which on there is a graph: those of a million clips of
the built-in model and some. Fewer are compared one by one in a tenth of a second
(``bench/search.py``), without missing any or the minutes that a graph takes."""
_GRAPH_ROW = 180
"""Bytes of a vector's neighbours in the graph, about."""


def write_index(
    folder: Path,
    clips: Iterable[Clips],
    digests: NDArray[np.uint64],
    *,
    card: Card,
    n_clips: int,
    earlier: Header | None = None,
    graph_from: int = GRAPH_FROM,
    watch: Watch = lambda *_: None,
) -> Header:
    """Write an index into a folder that this process has locked.

    Parameters
    ----------
    clips
        Those that are new.
    digests
        Of all units whose clips are in it then, ``(n_units,)``.
    card
        Of the model that made the embeddings.
    n_clips
        About how many come.
    earlier
        The index to go on from; None: there is none.

    Raises
    ------
    SeacallError
        If there is no room.
    SettingsError
        If no clip can be searched for.
    OSError
        If the disk is full all the same, or cannot be written.
    """
    header = Header(
        model=embedder_name(card),
        weights=card.weights,
        length=earlier.length if earlier else 1,
        n_rows=earlier.n_rows if earlier else 1,
        n_units=len(digests),
        files={},
        generation=secrets.token_hex(8),
    )
    try:
        header = _copied(folder, clips, header, earlier, n_clips=n_clips, watch=watch)
        digests.tofile(header.path(folder, "units"))
        kinds = ["rows", "vectors", "units"]
        if header.n_rows * header.length >= graph_from:
            _graph(folder, header, earlier, watch)
            kinds.append("graph")
        marks = {kind: mark_of(header.path(folder, kind)) for kind in kinds}
        header = header.model_copy(update={"files": marks})
        put_in_place(folder, header)
    except BaseException:
        drop_others(folder, earlier.generation if earlier else "none")
        raise
    return header


def _copied(
    folder: Path,
    clips: Iterable[Clips],
    header: Header,
    earlier: Header | None,
    *,
    n_clips: int,
    watch: Watch,
) -> Header:
    """Write rows and vectors, and return the header with their number and length."""
    paths = [header.path(folder, kind) for kind in ("rows", "vectors")]
    n, length, checked = 0, 0, False
    if earlier is not None:
        n, length = earlier.n_rows, earlier.length
        for kind, path in zip(("rows", "vectors"), paths, strict=True):
            shutil.copyfile(earlier.path(folder, kind), path)
    with paths[0].open("ab") as rows, paths[1].open("ab") as vectors:
        for n_done, part in enumerate(clips):
            length = length or part.vectors.shape[1]
            if part.vectors.shape[1] != length:
                raise SeacallError(
                    f"{folder.parent}: its embeddings are of {length} and of "
                    f"{part.vectors.shape[1]} numbers; run seacall detect --embeddings "
                    "into another folder"
                )
            if not checked:
                _require_room(folder, n + n_clips, length)
                checked = True
            part.rows.tofile(rows)
            part.vectors.tofile(vectors)
            n += len(part.rows)
            watch("reading embeddings", min(n, n_clips - 1), max(n_clips, n_done))
    if n == 0:
        raise SettingsError(
            f"{folder.parent}: every clip of it is silent; there is nothing to find"
        )
    watch("reading embeddings", n_clips, n_clips)
    return header.model_copy(update={"n_rows": n, "length": length})


def _graph(folder: Path, header: Header, earlier: Header | None, watch: Watch) -> None:
    n = header.n_rows
    shape = (n, header.length)
    vectors = np.memmap(header.path(folder, "vectors"), "<f2", "r", shape=shape)
    goes_on = earlier is not None and "graph" in earlier.files
    build_graph(
        header.path(folder, "graph"),
        vectors,
        earlier=earlier.path(folder, "graph") if earlier and goes_on else None,
        watch=lambda n_done: watch("linking neighbours", n_done, n),
    )


def _require_room(folder: Path, n_rows: int, length: int) -> None:
    """Raise if an index would not fit: half of one is worth nothing."""
    each = ROW.itemsize + 4 * length + _GRAPH_ROW
    free = shutil.disk_usage(folder).free
    if n_rows * each > free:
        raise SeacallError(
            f"{folder}: the index of {n_rows:,} clips takes {n_rows * each / 1e6:,.0f} "
            f"MB and {free / 1e6:,.0f} MB are free; make room there"
        )
