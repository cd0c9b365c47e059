"""A run over an archive as a place: detections are made from its scores, and kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seacall.config import DetectRun, checked, read_toml
from seacall.detect.archive import found_in
from seacall.detect.outputs.listening import heard_of, in_utc
from seacall.detect.rescore import card_for
from seacall.detect.store import LEDGER_NAME, Store
from seacall.errors import AudioError, SettingsError
from seacall.events import Detection, Searched
from seacall.live.journal import time_us
from seacall.models.checkpoint import Card
from seacall.review.columns import NO_TIME, Columns
from seacall.review.nouns import Detected, Kind
from seacall.review.shelf import Float32, Shelf, Stretches, family_of, offered
from seacall.review.stretch import read_stretch

_SETTINGS_NAME = "settings.toml"
_ID_BITS = 52
"""What JavaScript still holds as a whole number."""
_PATIENCE = 10.0
"""A run that goes on is read again after so many times the time that reading took."""


@dataclass(frozen=True)
class _Heard:
    """What was found in a run, as its ledger was at a moment."""

    state: Any
    """Of the files that it was read from."""
    card: Card
    asked: tuple[str, ...]
    each_channel: bool
    columns: Columns
    searched: list[Searched]
    stretches: Stretches
    read_at: float
    took_s: float


class ArchivePlace(Shelf):
    """The folder of ``seacall detect -o``.

    Parameters
    ----------
    folder
        With a ``ledger.sqlite``; ``settings.toml`` says how scores become detections.
    """

    kind: Kind = "archive"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if not (folder / LEDGER_NAME).is_file():
            raise SettingsError(
                f"{folder}: holds no {LEDGER_NAME}; give the folder that seacall "
                "detect -o writes"
            )
        self._heard: _Heard | None = None

    def close(self) -> None:
        """Close the files."""
        self.notebook.close()

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be detected there."""
        return offered(self._now().columns, self._now().card.labels[:-1])

    @property
    def card(self) -> Card | None:
        """The card that the run's scores were judged with."""
        return self._now().card

    @property
    def asked(self) -> tuple[str, ...]:
        """Thresholds in place of the card's that the run was asked for."""
        return self._now().asked

    @property
    def recordings(self) -> Sequence[Searched]:
        """Recordings of the run, and what was heard of them."""
        return self._now().searched

    def columns(self) -> Columns:
        """Return all detections at the run's own thresholds."""
        return self._now().columns

    def heard(self) -> Stretches:
        """Return what was heard of dated recordings."""
        return self._now().stretches

    def hours(self) -> float:
        """Return how long was listened, hours."""
        return sum(one.heard_s for one in self._now().searched) / 3600

    def _now(self) -> _Heard:
        with self._turn:
            before, state = self._heard, self._state()
            if before is None or (
                before.state != state
                and time.monotonic() - before.read_at > _PATIENCE * before.took_s
            ):
                self._heard = before = _read(self.folder, state)
            return before

    def _state(self) -> Any:
        names = (LEDGER_NAME, f"{LEDGER_NAME}-wal", _SETTINGS_NAME)
        return [_stamp(self.folder / name) for name in names]

    def _plain(self, columns: Columns, at: Sequence[int]) -> list[Detected]:
        return [self._detected(columns, place, columns.details[place]) for place in at]

    def _detected(self, columns: Columns, place: int, one: Detection) -> Detected:
        return Detected(
            id=int(columns.id[place]),
            target=columns.target(place),
            name=columns.names[columns.source[place]],
            family=family_of(one.label),
            low_hz=one.low_hz,
            high_hz=one.high_hz,
            snr_db=one.snr_db,
            level_db=one.level_db,
            level_unit=one.level_unit,
            has_sound=one.path.exists(),
        )

    def found(self, number: int) -> tuple[Detection, Searched]:
        """Return a detection as the run has it, and its recording."""
        now = self._now()
        place = now.columns.place_of(number)
        found: Detection = now.columns.details[place]
        return found, now.searched[int(now.columns.source[place])]

    def sound(
        self, number: int, *, before_s: float = 1.0, after_s: float = 1.0
    ) -> tuple[Float32, int, float]:
        """Return a stretch of the recording.

        Raises
        ------
        KeyError
            If there is no such detection.
        AudioError
            If the recording cannot be read.
        """
        one, searched = self.found(number)
        if not one.path.exists():
            raise AudioError(f"{one.path}: is not there; bring its drive back")
        now = self._now()
        chosen = now.card.front_end.clip.channel or 0
        return read_stretch(
            one.path,
            one.start_s - before_s,
            one.end_s + after_s,
            channel=one.channel if now.each_channel else chosen,
            sample_rate=searched.recording.sample_rate if searched.recording else None,
        )


def _read(folder: Path, state: Any) -> _Heard:
    began = time.monotonic()
    run = DetectRun()
    if (folder / _SETTINGS_NAME).is_file():
        run = checked(DetectRun, read_toml(folder / _SETTINGS_NAME))
    # The card of the run is kept with its scores; the model itself may be gone.
    run = run.model_copy(update={"model": None})
    with Store(folder, writable=False) as store:
        if not store.about:
            raise SettingsError(
                f"{folder}: the run was stopped before it began; run it again"
            )
        card = card_for(store, run)
        pairs = list(found_in(store, card, run.detect))
        asked = (*store.about.get("run", {}).get("threshold", ()), *run.threshold)
        each = bool(store.key.get("each_channel"))
    searched = [one for one, _ in pairs]
    found = [detection for _, some in pairs for detection in some]
    source = [k for k, (_, some) in enumerate(pairs) for _ in some]
    return _Heard(
        state,
        card,
        asked,
        each,
        _columns(found, source, searched),
        searched,
        [one for searched, _ in pairs for one in _dated(searched)],
        time.monotonic(),
        time.monotonic() - began,
    )


def _columns(
    found: Sequence[Detection], source: Sequence[int], searched: Sequence[Searched]
) -> Columns:
    labels = tuple(sorted({one.label for one in found}))
    number = {name: k for k, name in enumerate(labels)}
    starts = [NO_TIME if d.start is None else time_us(d.start) for d in found]
    return Columns(
        id=np.fromiter(_numbers(found), np.int64, len(found)),
        label=np.array([number[one.label] for one in found], np.int64),
        source=np.array(source, np.int64),
        channel=np.array([one.channel for one in found], np.int64),
        start_us=np.array(starts, np.int64),
        start_s=np.array([one.start_s for one in found], np.float64),
        end_s=np.array([one.end_s for one in found], np.float64),
        score=np.array([one.score for one in found], np.float64),
        labels=labels,
        sources=tuple(str(one.path) for one in searched),
        names=tuple(one.path.name for one in searched),
        details=found,
    )


def _numbers(found: Sequence[Detection]) -> Iterator[int]:
    """Yield an id for each: made of what it is, so that the next run gives the same."""
    used: set[int] = set()
    for one in found:
        text = f"{one.path}\0{one.channel}\0{one.label}\0{round(one.start_s * 1000)}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape")).digest()
        number = int.from_bytes(digest[:8]) >> (64 - _ID_BITS)
        while number in used:
            number += 1
        used.add(number)
        yield number


def _dated(searched: Searched) -> list[tuple[int, int]]:
    return list(in_utc(heard_of(searched, []), searched).stretches)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
