"""The index of a run: vectors of its clips on disk, kept beside the ledger."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import ClipGrid
from seacall.detect.embeddings import embedded_units
from seacall.detect.store import Store
from seacall.errors import SeacallError, SettingsError
from seacall.models.checkpoint import Card
from seacall.search.build import GRAPH_FROM, Watch, write_index
from seacall.search.files import FOLDER, Header, check_files, read_header, writing
from seacall.search.graph import Graph, nearest_exactly
from seacall.search.rows import ROW, Rows, clips_of, unit_digests

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]
_FEW = 20_000
"""Chosen rows up to which they are compared one by one whatever the graph."""


@dataclass(frozen=True)
class Index:
    """The clips of a run, to be searched in."""

    run: Path
    header: Header
    card: Card
    """Of the model that listened."""
    grid: ClipGrid
    about: dict[str, Any]
    """How the run was made: its model, channel, hop."""
    rows: Rows
    vectors: Float16
    graph: Graph | None
    notes: tuple[str, ...] = field(default=())
    """What a user should know of it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes that ``rows["label"]`` counts."""
        return self.card.labels

    def nearest(
        self, query: Float16, k: int, *, chosen: NDArray[np.bool_] | None = None
    ) -> tuple[Ints, Float32]:
        """Return the ``k`` rows most like a query of length 1, and their cosine.

        Parameters
        ----------
        chosen
            Among which rows, shape ``(n_rows,)``; None: all.
        """
        k = min(k, len(self.rows))
        if self.graph is None or k * 10 > len(self.rows):
            return nearest_exactly(self.vectors, query, k, chosen=chosen)
        if chosen is None:
            return self.graph.nearest(query, k)
        n_chosen = int(chosen.sum())
        wider = k * 4 * len(chosen) // max(n_chosen, 1)
        if n_chosen > _FEW and wider < _FEW:
            rows, cosines = self.graph.nearest(query, wider)
            keep = chosen[rows]
            if keep.sum() >= k:
                return rows[keep][:k], cosines[keep][:k]
        return nearest_exactly(self.vectors, query, k, chosen=chosen)


def open_index(
    run: Path,
    *,
    watch: Watch = lambda *_: None,
    graph_from: int = GRAPH_FROM,
    make: bool = True,
) -> Index:
    """Open the index of a run, made or brought up to date if need be.

    Parameters
    ----------
    run
        Folder that ``seacall detect -o --embeddings`` wrote.
    graph_from
        See `seacall.search.build.GRAPH_FROM`.
    make
        False: write nothing; what a grown run got since is not searched.

    Raises
    ------
    SettingsError
        If it is no such folder, or holds no embeddings.
    SeacallError
        If the index cannot be written.
    """
    with Store(run, writable=False) as store, store.reading() as ledger:
        maker = _Maker(run, store, ledger, watch, graph_from)
        maker.require_units()
        return maker.opened() if make else maker.as_it_is()


class _Maker:
    """Makes the index of a run from its ledger."""

    def __init__(
        self,
        run: Path,
        store: Store,
        ledger: sqlite3.Connection,
        watch: Watch,
        graph_from: int,
    ) -> None:
        self._run, self._folder = run, run / FOLDER
        self._ledger, self._watch, self._graph_from = ledger, watch, graph_from
        self._about = dict(store.about.get("run", {}))
        self._units = embedded_units(ledger)
        if "card" not in store.about:
            self._refuse()
        self._card = Card.model_validate(store.about["card"])
        self._grid = ClipGrid.of(self._card.front_end, hop_s=store.key.get("hop"))
        self._digests = unit_digests(self._units, key=store.key, card=self._card)

    def require_units(self) -> None:
        if not self._units:
            self._refuse()

    def _refuse(self) -> None:
        model = self._about.get("model")
        named = f" -m {model}" if model else ""
        raise SettingsError(
            f"{self._run}: holds no embeddings; run the same command again with "
            f"--embeddings, it keeps the scores: seacall detect RECORDINGS{named} "
            f"-o {self._run} --embeddings"
        )

    def opened(self) -> Index:
        """Return the index as it is, or brought up to date."""
        header, known = self._kept()
        if header is not None and set(known.tolist()) == set(self._digests.tolist()):
            return self._open(header)
        if header is not None and not np.isin(known, self._digests).all():
            header, known = None, known[:0]  # something that is in it is gone
        try:
            with writing(self._folder):
                return self._open(self._written(header, known))
        except SeacallError as error:
            if header is None:
                raise
            n = int((~np.isin(self._digests, known)).sum())
            note = f"{n} parts of the run are not searched yet: {error}"
            return self._open(header, notes=(note,))

    def as_it_is(self) -> Index:
        """Return the index that is there, if it holds nothing that is gone."""
        header, known = self._kept()
        if header is None or not np.isin(known, self._digests).all():
            raise SettingsError(
                f"{self._run}: has no index to search in yet; make it with: seacall "
                f"search {self._run} --build"
            )
        return self._open(header)

    def _kept(self) -> tuple[Header | None, NDArray[np.uint64]]:
        """Return the index that is there, if it is whole and of this model."""
        none = np.empty(0, np.uint64)
        header = read_header(self._folder)
        if header is None or header.weights != self._card.weights:
            return None, none
        try:
            check_files(self._folder, header)
            known = np.fromfile(header.path(self._folder, "units"), np.uint64)
            self._open(header)
        except (SeacallError, OSError, ValueError, KeyError):
            return None, none  # whatever happened to it: it is made anew
        return header, known

    def _open(self, header: Header, notes: tuple[str, ...] = ()) -> Index:
        n, length = header.n_rows, header.length
        rows = _mapped(header.path(self._folder, "rows"), ROW, (n,))
        vectors = _mapped(header.path(self._folder, "vectors"), "<f2", (n, length))
        graph = None
        if "graph" in header.files:
            path = header.path(self._folder, "graph")
            graph = Graph(path, n_rows=n, length=length)
        return Index(
            self._run,
            header,
            self._card,
            self._grid,
            self._about,
            rows,
            vectors,
            graph,
            notes,
        )

    def _written(self, earlier: Header | None, known: NDArray[np.uint64]) -> Header:
        """Write the index, going on from an earlier one where there is one."""
        new = ~np.isin(self._digests, known)
        units = [unit for unit, is_new in zip(self._units, new, strict=True) if is_new]
        return write_index(
            self._folder,
            clips_of(self._ledger, units, self._grid, self._card),
            np.append(known, self._digests[new]),
            card=self._card,
            n_clips=sum(unit.n_clips for unit in units),
            earlier=earlier,
            graph_from=self._graph_from,
            watch=self._watch,
        )


def _mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a file of numbers that is just as long as it must be."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if path.stat().st_size != n_bytes:
        raise SeacallError(f"{path}: has not the size that its index says")
    return np.memmap(path, dtype, "r", shape=shape)
