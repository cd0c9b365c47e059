"""Find more like a detection of a place, for the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from seacall.detect.embeddings import recordings_named
from seacall.detect.outputs.values import finite
from seacall.detect.store import Store
from seacall.errors import SettingsError
from seacall.live.journal import time_us
from seacall.review.archive import ArchivePlace
from seacall.review.place import Place
from seacall.search.examples import Example, covered
from seacall.search.find import Hit, nearest_hits
from seacall.search.index import Index, open_index


def like(place: Place, number: int, n: int = 50) -> list[dict[str, Any]]:
    """Find more like a detection in the run that it is of.

    Nothing is written: the index must have been made, by ``seacall search RUN --build``
    or an earlier search.

    Parameters
    ----------
    place
        A run over an archive.
    number
        The detection's id.
    n
        How many are wanted.

    Returns
    -------
    rows
        The most alike first, as plain values: where and when, ``label`` and ``score``
        (the model's guess), ``similarity``, and ``id``: that of a detection which the
        stretch overlaps, or None.

    Raises
    ------
    KeyError
        If there is no such detection.
    SettingsError
        If the place is a station, or has no index or embeddings.
    """
    if not isinstance(place, ArchivePlace):
        raise SettingsError(
            f"{place.name}: is a station, which keeps no embeddings; search in the run "
            "of seacall detect --embeddings over its recordings"
        )
    found, _ = place.found(number)
    index = open_index(place.folder, make=False)
    example = _example(index, str(found.path), found.start_s, found.end_s)
    return [_row(place, hit) for hit in nearest_hits([index], [example], n=n)]


def _example(index: Index, path: str, start_s: float, end_s: float) -> Example:
    """Return the clips of a stretch of a run."""
    with Store(index.run, writable=False) as store, store.reading() as ledger:
        named = recordings_named(ledger, path)
    rows = np.zeros(len(index.rows), bool)
    for recording, _ in named:
        rows |= covered(index, recording, start_s, end_s)
    if not rows.any():
        raise SettingsError(
            f"{path}: has no embeddings there yet; bring the index up with: seacall "
            f"search {index.run} --build"
        )
    return Example(path, index.vectors[rows].astype(np.float32), {0: rows})


def _row(place: ArchivePlace, hit: Hit) -> dict[str, Any]:
    return {
        "id": _detection(place, hit),
        "source": hit.path.name,
        "channel": hit.channel,
        "label": hit.label,
        "start_us": None if hit.start is None else time_us(hit.start),
        "start_s": hit.start_s,
        "end_s": hit.end_s,
        "low_hz": finite(hit.low_hz),
        "high_hz": finite(hit.high_hz),
        "score": hit.score,
        "snr_db": finite(hit.snr_db),
        "similarity": round(hit.similarity, 4),
        "n_clips": hit.n_clips,
    }


def _detection(place: ArchivePlace, hit: Hit) -> int | None:
    """Return the detection that overlaps a stretch, the one with the highest score."""
    columns = place.columns()
    both = np.flatnonzero((columns.start_s < hit.end_s) & (columns.end_s > hit.start_s))
    mine = [k for k in both if columns.sources[columns.source[k]] == str(hit.path)]
    if not mine:
        return None
    return int(columns.id[max(mine, key=lambda k: float(columns.score[k]))])
