"""Open folders as places: stations and runs over archives look the same from here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seacall.detect.store import LEDGER_NAME
from seacall.errors import SettingsError
from seacall.live.journal import JOURNAL_NAME
from seacall.review.archive import ArchivePlace
from seacall.review.nouns import (
    Detected,
    Page,
    Place,
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
