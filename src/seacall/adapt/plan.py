"""Say which classes a model shall have, and which of them are taught anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.adapt.settings import Mode
from seacall.errors import AnnotationError
from seacall.labels import UNKNOWN

IntArray = NDArray[np.int64]

MOST_CHARACTERS = 200
"""Of a label, as cards take them."""


@dataclass(frozen=True)
class Plan:
    """From old classes to new ones."""

    old: tuple[str, ...]
    """The model's classes, ``unknown`` last."""
    labels: tuple[str, ...]
    """Of the adapted model, ``unknown`` last."""
    trained: tuple[str, ...]
    """Whose logits are taught."""

    @property
    def fixed(self) -> tuple[str, ...]:
        """Classes whose logits stay what they were."""
        return tuple(label for label in self.labels if label not in self.trained)

    @property
    def new(self) -> tuple[str, ...]:
        """Species that are taught."""
        return tuple(label for label in self.trained if label != UNKNOWN)

    def fixed_columns(self) -> IntArray:
        """Return the places of the fixed classes among the old ones."""
        return np.array([self.old.index(label) for label in self.fixed], np.int64)

    def in_order(self) -> IntArray:
        """Return, for each final class, its place among fixed, then trained ones."""
        both = (*self.fixed, *self.trained)
        return np.array([both.index(label) for label in self.labels], np.int64)

    def target(self, label: str) -> int:
        """Return a label's place among fixed, then trained classes."""
        return (*self.fixed, *self.trained).index(label)


def plan_classes(old: tuple[str, ...], found: Iterable[str], *, mode: Mode) -> Plan:
    """Choose classes from those of a model and those of a folder.

    Raises
    ------
    AnnotationError
        If there is nothing to teach: all labels exist already, or are ``unknown``.
    """
    species = sorted(set(found) - {UNKNOWN})
    if not species:
        raise AnnotationError(
            f"all clips are labelled {UNKNOWN!r}, which is no class to teach; "
            "label some with a species, and give background by --negatives"
        )
    long = [label for label in species if len(label) > MOST_CHARACTERS]
    if long:
        raise AnnotationError(
            f"label {long[0][:40]!r}... has {len(long[0])} characters, at most "
            f"{MOST_CHARACTERS} fit; shorten it"
        )
    if mode == "only":
        labels = (*species, UNKNOWN)
        return Plan(old, labels, labels)
    new = [label for label in species if label not in old]
    if mode == "add" and not new:
        raise AnnotationError(
            f"the model has all of these classes already ({', '.join(species)}); "
            "teach them anew with --replace, or label something else"
        )
    labels = (*old[:-1], *new, UNKNOWN)
    taught = set(new if mode == "add" else species)
    return Plan(old, labels, tuple(k for k in labels if k in taught))
