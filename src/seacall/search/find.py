"""Find more like some examples, and unlike others, in the runs of one model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.detect.embeddings import KeptRecording, kept_recording
from seacall.detect.store import Store
from seacall.errors import SettingsError
from seacall.events import Recording
from seacall.search.build import GRAPH_FROM, Watch
from seacall.search.examples import Example, Examples
from seacall.search.index import Index, open_index

Bools = NDArray[np.bool_]
Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]

UNLIKE = 0.25
"""Share of the unlike that is taken from the like: Rocchio's rule. Measured on real
calls against shares of 0.5 and 0.75, a logistic head and others; docs/search.md."""
_TOUCH_S = 0.05
"""Clips that lie no further apart may be of one call ..."""
_SAME_CALL = 0.1
"""... if their cosines to the examples differ by no more: else what lies between two
calls would join them, and everything in the end."""


@dataclass(frozen=True)
class Wanted:
    """Which clips may be found."""

    species: tuple[str, ...] = ()
    """What the model takes them for, ``unknown`` among it; empty: anything."""
    min_score: float = 0.0
    max_score: float = 1.0
    """Score of the model's best class, calibrated, 0 to 1."""


ANYTHING = Wanted()


@dataclass(frozen=True)
class Hit:
    """Clips that were found, joined where they touch."""

    run: Path
    path: Path
    recording: Recording | None
    channel: int
    """Counted from 1; 1 where the mean of all channels was taken."""
    start_s: float
    end_s: float
    start: datetime | None
    """In UTC; None: not known."""
    similarity: float
    """Cosine to the examples, -1 to 1, of its best clip."""
    label: str
    """What the model takes its best clip for, and how sure it is."""
    score: float
    low_hz: float
    high_hz: float
    snr_db: float
    n_clips: int


@dataclass
class _Span:
    """Clips of one stretch, as they are put together."""

    position: int
    best: int
    """Row of its best clip."""
    similarity: float
    start_s: float
    end_s: float
    n_clips: int = 1


def open_indexes(
    runs: Sequence[Path],
    *,
    watch: Watch = lambda *_: None,
    graph_from: int = GRAPH_FROM,
) -> list[Index]:
    """Open the indexes of runs, made or brought up to date if need be.

    Raises
    ------
    SettingsError
        If a folder holds no embeddings, or two are of different models.
    """
    unique = list(dict.fromkeys(runs))
    indexes = [open_index(run, watch=watch, graph_from=graph_from) for run in unique]
    for index in indexes[1:]:
        if index.header.weights != indexes[0].header.weights:
            raise SettingsError(
                f"{index.run}: was listened to by {index.header.model}, and "
                f"{indexes[0].run} by {indexes[0].header.model}; embeddings of two "
                "models cannot be compared; search one at a time"
            )
    return indexes


def find_like(
    indexes: Sequence[Index],
    *,
    like: Sequence[str],
    unlike: Sequence[str] = (),
    n: int = 50,
    wanted: Wanted = ANYTHING,
    model: Path | None = None,
) -> list[Hit]:
    """Find more like some examples.

    Parameters
    ----------
    indexes
        Of `open_indexes`.
    like, unlike
        ``FILE``, ``FILE@FROM-TO`` or ``RUN:RECORDING@FROM-TO``, in seconds.
    n
        How many are wanted; clips that touch are joined and count once.
    model
        Model folder, where that of the runs has moved.

    Returns
    -------
    hits
        The most alike first; examples that lie in the runs are not among them.

    Raises
    ------
    SettingsError, AudioError, CheckpointError
        If an example cannot be used.
    """
    if not like:
        raise SettingsError("nothing is named to look for; give --like CLIP.wav")
    if both := set(like) & set(unlike):
        raise SettingsError(
            f"{min(both)}: is asked for and asked not to be found; leave one out"
        )
    examples = Examples(indexes, model=model)
    liked = [examples.find(text) for text in like]
    unliked = [examples.find(text) for text in unlike]
    return nearest_hits(indexes, liked, unliked, n=n, wanted=wanted)


def nearest_hits(
    indexes: Sequence[Index],
    like: Sequence[Example],
    unlike: Sequence[Example] = (),
    *,
    n: int,
    wanted: Wanted = ANYTHING,
) -> list[Hit]:
    """Find more like examples that are vectors; see `find_like`."""
    query = direction(like, unlike)
    chosen = [allowed(index, wanted) for index in indexes]
    for example in (*like, *unlike):
        for position, rows in example.rows.items():
            chosen[position] = _without(chosen[position], rows)
    spans = _spans(indexes, query, chosen, n=n)
    return list(_hits(indexes, spans))


def direction(like: Sequence[Example], unlike: Sequence[Example] = ()) -> Float16:
    r"""Return the vector to search with, of length 1.

    Rocchio's rule on directions: the mean of the like, less a share :math:`\beta` of
    the mean of the unlike,

    .. math:: q = \frac{1}{n} \sum_i \hat x_i - \frac{\beta}{m} \sum_j \hat u_j .

    Each example counts the same, however many clips it has.

    Raises
    ------
    SettingsError
        If nothing is left: the same sound is asked for and not.

    References
    ----------
    Rocchio (1971), in The SMART Retrieval System.
    """
    query = np.mean([_mean(example) for example in like], axis=0)
    if unlike:
        query = query - UNLIKE * np.mean([_mean(example) for example in unlike], axis=0)
    length = float(np.linalg.norm(query))
    if length < 1e-6:
        raise SettingsError(
            "what is asked for and what is not cancel each other; leave one out"
        )
    return np.asarray(query / length, np.float16)


def _mean(example: Example) -> Float32:
    mean = example.vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def allowed(index: Index, wanted: Wanted) -> Bools | None:
    """Say which rows may be found, shape ``(n_rows,)``; None: all.

    Raises
    ------
    SettingsError
        If the model has no such class.
    """
    if wanted == ANYTHING:
        return None
    rows = index.rows
    chosen = (rows["score"] >= wanted.min_score) & (rows["score"] <= wanted.max_score)
    if wanted.species:
        absent = [name for name in wanted.species if name not in index.labels]
        if absent:
            raise SettingsError(
                f"species {absent[0]!r}: the model has no such class; choose from "
                + ", ".join(index.labels)
            )
        numbers = [index.labels.index(name) for name in wanted.species]
        chosen &= np.isin(rows["label"], numbers)
    return np.asarray(chosen, bool)


def _without(chosen: Bools | None, rows: Bools) -> Bools:
    return ~rows if chosen is None else chosen & ~rows


def _spans(
    indexes: Sequence[Index], query: Float16, chosen: Sequence[Bools | None], *, n: int
) -> list[_Span]:
    """Return the ``n`` most alike, clips that touch joined.

    What is joined depends on nothing but the ``n``: a clip is, if it comes before the
    last span that is taken.
    """
    most = max((len(index.rows) for index in indexes), default=0)
    k = 2 * n
    while True:
        spans = _joined(indexes, _nearest(indexes, query, chosen, k), n=n)
        if len(spans) >= n or k >= most:
            return spans
        k = min(4 * k, most)


def _nearest(
    indexes: Sequence[Index], query: Float16, chosen: Sequence[Bools | None], k: int
) -> list[tuple[float, int, int]]:
    """Return similarity, index and row of the most alike of all indexes."""
    found: list[tuple[float, int, int]] = []
    for position, index in enumerate(indexes):
        rows, cosines = index.nearest(query, k, chosen=chosen[position])
        found += [
            (float(cosine), position, int(row))
            for row, cosine in zip(rows, cosines, strict=True)
        ]
    # Beyond the k-th of all nothing is known of the runs that gave k.
    return sorted(found, key=lambda one: (-one[0], *one[1:]))[:k]


def _joined(
    indexes: Sequence[Index], found: Sequence[tuple[float, int, int]], *, n: int
) -> list[_Span]:
    spans: list[_Span] = []
    by_place: dict[tuple[int, ...], list[_Span]] = {}
    for similarity, position, number in found:
        row = indexes[position].rows[number]
        place = (position, *(int(row[k]) for k in ("recording", "channel", "segment")))
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
        near = [
            span
            for span in by_place.setdefault(place, [])
            if start_s <= span.end_s + _TOUCH_S
            and end_s >= span.start_s - _TOUCH_S
            and span.similarity - similarity <= _SAME_CALL
        ]
        if not near:
            if len(spans) == n:
                return spans
            span = _Span(position, number, similarity, start_s, end_s)
            spans.append(span)
            by_place[place].append(span)
            continue
        first, *others = near
        for other in others:  # the clip lies between two that were apart
            first.start_s = min(first.start_s, other.start_s)
            first.end_s = max(first.end_s, other.end_s)
            first.n_clips += other.n_clips
            spans = [span for span in spans if span is not other]
            by_place[place] = [span for span in by_place[place] if span is not other]
        first.start_s = min(first.start_s, start_s)
        first.end_s = max(first.end_s, end_s)
        first.n_clips += 1
    return spans


def hits_of_rows(
    indexes: Sequence[Index], rows: Sequence[tuple[int, int]]
) -> list[Hit]:
    """Look up single clips by index and row; the similarity is not known."""
    spans = []
    for position, number in rows:
        row = indexes[position].rows[number]
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
        spans.append(_Span(position, number, float("nan"), start_s, end_s))
    return list(_hits(indexes, spans))


def _hits(indexes: Sequence[Index], spans: Sequence[_Span]) -> Iterator[Hit]:
    """Look up what the ledgers know of what was found."""
    kept: dict[tuple[int, int], KeptRecording | None] = {}
    for position, index in enumerate(indexes):
        numbers = {
            int(index.rows[span.best]["recording"])
            for span in spans
            if span.position == position
        }
        with Store(index.run, writable=False) as store, store.reading() as ledger:
            for number in numbers:
                kept[position, number] = kept_recording(ledger, number)
    for span in spans:
        row = indexes[span.position].rows[span.best]
        recording = kept[span.position, int(row["recording"])]
        if recording is not None:  # else it went while we searched
            yield _hit(indexes[span.position], span, recording)


def _hit(index: Index, span: _Span, kept: KeptRecording) -> Hit:
    row = index.rows[span.best]
    return Hit(
        run=index.run,
        path=kept.path,
        recording=kept.recording,
        channel=max(1, int(row["channel"])),
        start_s=span.start_s,
        end_s=span.end_s,
        start=kept.start_of(span.start_s),
        similarity=span.similarity,
        label=index.labels[int(row["label"])],
        score=float(row["score"]),
        low_hz=float(row["low_hz"]),
        high_hz=float(row["high_hz"]),
        snr_db=float(row["snr_db"]),
        n_clips=span.n_clips,
    )
