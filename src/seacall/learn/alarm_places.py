"""Recordings in which false alarms can be counted, and how they are divided in two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seacall.errors import SettingsError
from seacall.learn.listened import Listened
from seacall.learn.text import count


@dataclass(frozen=True)
class Place:
    """A recording in which false alarms can be counted."""

    listened: Listened
    group: str
    """Deployment, or the recording itself: what must not be on both sides."""
    annotated: bool
    """Whether calls are marked in it; else it holds none, of any class."""


def halves(places: Sequence[Place]) -> tuple[list[Place], list[Place]]:
    """Divide recordings into two halves of about as many hours, group by group.

    The longest group first, each to the half that has less.

    Raises
    ------
    SettingsError
        If there is only one group.
    """
    hours: dict[tuple[bool, str], float] = {}
    for place in places:
        key = (not place.annotated, place.group)
        hours[key] = hours.get(key, 0.0) + place.listened.searched.heard_s
    if len({group for _, group in hours}) < 2:
        raise SettingsError(
            f"{len(places)} recordings of one deployment cannot both set a threshold "
            "and say what comes of it; give recordings of at least two"
        )
    side: dict[str, int] = {}
    sums = [0.0, 0.0]
    # Annotated ones first, so that both halves have some.
    for _, group in sorted(hours, key=lambda key: (key[0], -hours[key], key[1])):
        if group not in side:
            side[group] = int(sums[1] < sums[0])
            whole = sum(h for (_, name), h in hours.items() if name == group)
            sums[side[group]] += whole
    found: tuple[list[Place], list[Place]] = ([], [])
    for place in places:
        found[side[place.group]].append(place)
    return found


def in_words(places: Sequence[Place]) -> str:
    """Say how much there is."""
    n_groups = len({place.group for place in places})
    hours = sum(place.listened.searched.heard_s for place in places) / 3600
    groups = "" if n_groups == len(places) else f" of {count(n_groups, 'deployment')}"
    return f"{count(len(places), 'recording')}{groups}, {hours:.2f} h"


def groups_of(paths: Sequence[Path], deployments: Mapping[str, str]) -> dict[Path, str]:
    """Return what each recording belongs with: its deployment, or itself.

    Parameters
    ----------
    deployments
        By the recording's name without folders and ending, in lower case.
    """
    return {p: deployments.get(p.stem.lower()) or str(p) for p in paths}
