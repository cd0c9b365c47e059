"""Open folders as places: stations and runs over archives look the same from here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.detect.store import LEDGER_NAME
from seacall.errors import SettingsError
from seacall.live.journal import JOURNAL_NAME
from seacall.models.checkpoint import Card
from seacall.review.archive import ArchivePlace
from seacall.review.notebook import Notebook
from seacall.review.nouns import (
    Detected,
    Kind,
    Page,
    Presence,
    Query,
    Target,
    Verdict,
)
from seacall.review.station import StationPlace

__all__ = [
    "ArchivePlace",
    "Detected",
    "Page",
    "Place",
    "Presence",
    "Query",
    "StationPlace",
    "Target",
    "Verdict",
    "open_place",
    "open_places",
]


class Place(Protocol):
    """A station, or a run over an archive, that can be looked at and reviewed.

    All methods may be called from any thread; see `seacall.review.shelf.Shelf`.
    """

    id: str
    """For addresses: letters, digits and dashes."""
    name: str
    folder: Path
    notebook: Notebook
    """What was said of it."""

    @property
    def kind(self) -> Kind:
        """``station`` or ``archive``."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be detected there."""
        ...

    @property
    def card(self) -> Card | None:
        """Of the model; None: not known."""
        ...

    def detections(self, query: Query) -> Page:
        """Return detections that fit."""
        ...

    def detection(self, number: int) -> Detected:
        """Return one by its id; a KeyError if there is none."""
        ...

    def sound(
        self, number: int, *, before_s: float = 1.0, after_s: float = 1.0
    ) -> tuple[NDArray[np.float32], int, float]:
        """Return a detection's sound, its rate, and where it begins in its source, s.

        Raises
        ------
        KeyError
            If there is no such detection.
        AudioError
            If its sound is not there.
        """
        ...

    def presence(self, bin_s: float = 3600.0) -> Presence:
        """Return effort and counts; undated recordings are in no bin."""
        ...

    def changed_since(self, us: int) -> list[Detected]:
        """Return detections that changed later than that; none of archives."""
        ...


def open_place(folder: Path) -> StationPlace | ArchivePlace:
    """Open the folder of a station or of a run, for reading.

    Raises
    ------
    SettingsError
        If it is neither.
    """
    if (folder / JOURNAL_NAME).is_file():
        return StationPlace(folder)
    if (folder / LEDGER_NAME).is_file():
        return ArchivePlace(folder)
    raise SettingsError(
        f"{folder}: holds neither {JOURNAL_NAME} nor {LEDGER_NAME}; give a folder that "
        "seacall listen -o or seacall detect -o wrote"
    )


def open_places(folders: Sequence[Path]) -> list[StationPlace | ArchivePlace]:
    """Open several, with ids that differ.

    Raises
    ------
    SettingsError
        If one is neither a station nor a run.
    """
    places: list[StationPlace | ArchivePlace] = []
    used: set[str] = set()
    for folder in folders:
        place = open_place(folder)
        name, k = place.id, 1
        while place.id in used:
            k += 1
            place.id = f"{name}-{k}"
        used.add(place.id)
        places.append(place)
    return places
