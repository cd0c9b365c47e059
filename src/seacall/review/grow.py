"""Add what a station heard meanwhile to the columns of what it heard before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seacall.review.columns import NO_TIME, Columns

_NAMES = ("id", "label", "source", "channel", "start_us", "start_s", "end_s", "score")


def grown(
    before: Columns,
    *,
    at: Sequence[int],
    rows: Sequence[Sequence[Any]],
    segments: Mapping[int, Any],
) -> Columns:
    """Return columns with some rows replaced, and others behind them.

    Places do not change: what was found at one is still there.

    Parameters
    ----------
    at
        Places of the first rows; all others are new.
    rows
        Id, label, segment, channel, start (us), start and end (s), score.
    segments
        All that there are, by number, with their source.
    """
    by_column = [list(column) for column in zip(*rows, strict=True)]
    labels = tuple(dict.fromkeys([*before.labels, *by_column[1]]))
    label = {name: k for k, name in enumerate(labels)}
    sources = tuple(f"{s['name']}#{number}" for number, s in segments.items())
    source = {number: k for k, number in enumerate(segments)}
    by_column[1] = [label[name] for name in by_column[1]]
    by_column[2] = [source[number] for number in by_column[2]]
    by_column[4] = [NO_TIME if us is None else us for us in by_column[4]]
    n_old = len(at)
    arrays = {}
    for name, values in zip(_NAMES, by_column, strict=True):
        old = getattr(before, name)
        array = np.r_[old, np.asarray(values[n_old:], old.dtype)]
        array[list(at)] = values[:n_old]
        arrays[name] = array
    return Columns(
        **arrays,
        labels=labels,
        sources=sources,
        names=tuple(shown_name(s) for s in segments.values()),
    )


def shown_name(segment: Any) -> str:
    """Return what people call a source: of a folder's recordings their own name."""
    path = path_of_key(segment["key"])
    return path.name if path is not None else str(segment["name"])


def path_of_key(key: str) -> Path | None:
    """Take size, time of change and number of the part off a recording's key."""
    name, _, _ = key.rpartition("#") if key.count("#") else (key, "", "")
    whole = name if name.count(":") >= 2 else key
    parts = whole.rsplit(":", 2)
    return Path(parts[0]) if len(parts) == 3 else None
