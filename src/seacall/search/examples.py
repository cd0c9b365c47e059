"""From what a user names as examples to vectors: clips of files, or of a run."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.clips import ClipGrid
from seacall.audio.locate import location
from seacall.detect.classify import unit_tables
from seacall.detect.clip_table import ClipTable
from seacall.detect.embeddings import (
    EmbeddingClassifier,
    open_embedding_classifier,
    recordings_named,
)
from seacall.detect.store import Store
from seacall.detect.units import Unit
from seacall.errors import AudioError, CheckpointError, SettingsError
from seacall.events import Segment
from seacall.search.index import Index
from seacall.search.rows import unit_vectors

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

MOST_CLIPS = 20
"""Clips of an example; a longer one holds more than the call that is meant."""
_STRETCH = re.compile(r"^(.*)@(\d+(?:\.\d*)?)-(\d+(?:\.\d*)?)$", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """What a user named: a recording, or a stretch of one."""

    text: str
    """As it was given."""
    place: str
    stretch_s: tuple[float, float] | None


@dataclass(frozen=True)
class Example:
    """A sound to look for, or to keep away from."""

    named: str
    vectors: Float32
    """Of its clips, of length 1; shape ``(n, length)``."""
    rows: dict[int, Bools] = field(default_factory=dict)
    """Which rows of which index (by its position) it is itself."""


def parse(text: str) -> Named:
    """Read ``FILE``, ``FILE@FROM-TO`` or ``RUN:RECORDING@FROM-TO``, in seconds.

    Raises
    ------
    SettingsError
        If the stretch ends before it begins.

    Examples
    --------
    >>> parse("a.wav@12.5-17.5")
    Named(text='a.wav@12.5-17.5', place='a.wav', stretch_s=(12.5, 17.5))
    """
    found = _STRETCH.match(text)
    if found is None:
        return Named(text, text, None)
    start_s, end_s = float(found[2]), float(found[3])
    if end_s <= start_s:
        raise SettingsError(
            f"{text}: ends before it begins; give FILE@FROM-TO in seconds, such as "
            "call.wav@12.5-17.5"
        )
    return Named(text, found[1], (start_s, end_s))


class Examples:
    """Finds examples in indexes, or embeds them with the indexes' model.

    Parameters
    ----------
    indexes
        What is searched in; all of one model.
    model
        Model folder; None: the one that the first run names.
    """

    def __init__(self, indexes: Sequence[Index], *, model: Path | None = None) -> None:
        self._indexes = indexes
        self._model = model
        self._classifier: EmbeddingClassifier | None = None

    def find(self, text: str) -> Example:
        """Return an example by what a user calls it.

        Raises
        ------
        AudioError
            If it is a file that cannot be read, or holds nothing but silence.
        SettingsError
            If it is neither a file nor a part of a run, or could be several.
        CheckpointError
            If it has to be embedded and the model is not at hand.
        """
        named = parse(text)
        found = self._in_runs(named)
        if found is not None:
            return found
        path = location(named.place)
        if "://" not in named.place and not path.is_file():
            raise SettingsError(
                f"{text}: is no file, and no recording of the run; give a sound file, "
                "FILE@FROM-TO in seconds, or RUN:RECORDING@FROM-TO"
            )
        return self._embedded(named, path)

    def _in_runs(self, named: Named) -> Example | None:
        """Return the clips of a run that are named; None: no such recording."""
        found = [
            (position, number, path)
            for position, index in enumerate(self._indexes)
            for number, path in _recordings(index, named.place)
            # A whole file that only shares its name with a recording is a file.
            if named.stretch_s is not None or str(path) == named.place
        ]
        if not found:
            return None
        if len({path for _, _, path in found}) > 1 or len(found) > 1:
            several = ", ".join(f"{self._indexes[k].run}:{p}" for k, _, p in found[:3])
            raise SettingsError(f"{named.text}: could be {several}; name one of them")
        position, number, path = found[0]
        index = self._indexes[position]
        rows = covered(index, number, *(named.stretch_s or (0.0, math.inf)))
        _require_one_call(named, path, int(rows.sum()))
        if not rows.any():
            raise SettingsError(
                f"{named.text}: no clip of {path.name} lies there, or it is silent; "
                "give a stretch that was listened to"
            )
        vectors = index.vectors[rows].astype(np.float32)
        return Example(named.text, vectors, {position: rows})

    def _embedded(self, named: Named, path: Path) -> Example:
        classifier = self._opened()
        recording = io.probe(path)
        rate, n = recording.sample_rate, recording.n_samples
        start_s, end_s = named.stretch_s or (0.0, n / rate)
        first, last = round(start_s * rate), min(n, round(end_s * rate))
        profile = classifier.card.front_end.profile
        frame_s = profile.win_length / profile.sample_rate
        if (last - first) / rate < frame_s:
            raise AudioError(
                f"{named.text}: {max(0, last - first) / rate:.3f} s is shorter than a "
                f"frame ({frame_s:.3f} s); give a stretch that holds the whole call"
            )
        segment = Segment(first, last - first)
        channel = classifier.card.front_end.clip.channel
        grid = ClipGrid.of(classifier.card.front_end)
        n_clips = grid.count(last - first, sample_rate=rate)
        _require_one_call(named, path, n_clips)
        unit = Unit(path, rate, channel, segment, 0, 0, n_clips)
        tables = list(unit_tables(unit, classifier, grid=grid))
        return Example(named.text, _vectors(tables, named.text))

    def _opened(self) -> EmbeddingClassifier:
        if self._classifier is None:
            index = self._indexes[0]
            kept = index.about.get("model")
            folder = self._model or (Path(kept) if kept else None)
            self._classifier = _classifier_of(index, folder)
        return self._classifier


def covered(index: Index, number: int, start_s: float, end_s: float) -> Bools:
    """Say which rows a stretch of a recording covers: at least half of one.

    Half of a clip, or half of the stretch where it is shorter.
    """
    rows = index.rows
    among = np.flatnonzero(rows["recording"] == number)
    begin = np.maximum(rows["start_s"][among], start_s)
    both = np.minimum(rows["end_s"][among], end_s) - begin
    length = rows["end_s"][among] - rows["start_s"][among]
    enough = both >= 0.5 * np.minimum(length, end_s - start_s) - 1e-6
    found = np.zeros(len(rows), bool)
    found[among[enough]] = True
    return found


def _require_one_call(named: Named, path: Path, n_clips: int) -> None:
    if n_clips > MOST_CLIPS:
        raise SettingsError(
            f"{named.text}: is {n_clips} clips long, and an example is one call; name "
            f"it as FILE@FROM-TO in seconds, such as {path.name}@12.5-17.5, at most "
            f"{MOST_CLIPS} clips"
        )


def _recordings(index: Index, place: str) -> list[tuple[int, Path]]:
    run, colon, name = place.partition(":")
    if colon and run in (str(index.run), index.run.name):
        place = name
    with Store(index.run, writable=False) as store, store.reading() as ledger:
        found = recordings_named(ledger, place)
    exact = [one for one in found if str(one[1]) == place]
    return exact or found


def _classifier_of(index: Index, folder: Path | None) -> EmbeddingClassifier:
    """Open the model that made an index's embeddings, set up as it was."""
    try:
        classifier = open_embedding_classifier(folder)
    except CheckpointError as error:
        raise CheckpointError(
            f"{index.run}: its model is needed to look for a sound file ({error}); "
            "name its folder with -m"
        ) from error
    if classifier.card.weights != index.header.weights:
        raise CheckpointError(
            f"{folder or 'the model built in'}: is another model than the one that "
            f"listened to {index.run} ({index.header.model}), whose embeddings cannot "
            "be compared; name that one with -m, or listen again into another folder"
        )
    # With the channel that the run was asked for.
    classifier.card = index.card
    return classifier


def _vectors(tables: Sequence[ClipTable], text: str) -> Float32:
    """Return the directions of the clips that are not silent."""
    if tables:
        table = ClipTable.joined(tables)
        assert table.embeddings is not None  # for the type checker
        vectors, usable = unit_vectors(table.embeddings)
        usable &= ~table.silent
        if usable.any():
            return vectors[usable].astype(np.float32)
    raise AudioError(
        f"{text}: is silent to the model; give a recording of the call itself"
    )
