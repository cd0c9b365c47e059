"""Class names: how they are cleaned, ordered and numbered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from seacall.errors import AnnotationError

UNKNOWN = "unknown"
"""The last class: noise, other species, and whatever scores below the threshold."""


def clean_label(text: str) -> str:
    r"""Clean a class name without changing what a reader sees in it.

    Unicode is put into composed form (NFC), runs of white space become one space.
    Accents, slashes and capitals stay: they belong to the name.

    Raises
    ------
    AnnotationError
        If nothing printable is left.

    Examples
    --------
    >>> clean_label("  Dauphin  bleu et\tblanc ")
    'Dauphin bleu et blanc'
    """
    label = re.sub(r"\s+", " ", unicodedata.normalize("NFC", str(text))).strip()
    if not label or not label.isprintable():
        raise AnnotationError(
            f"label {text!r} is empty or not printable; give each row a species name"
        )
    return UNKNOWN if label.lower() == UNKNOWN else label


def class_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Order class names: alphabetical, with ``unknown`` always there and last.

    Examples
    --------
    >>> class_labels(["Sperm Whale", "unknown", "Beluga", "Sperm Whale"])
    ('Beluga', 'Sperm Whale', 'unknown')
    """
    known = sorted({clean_label(label) for label in labels} - {UNKNOWN})
    return (*known, UNKNOWN)


def file_stem(label: str) -> str:
    """Turn a class name into a file name part that every file system takes.

    Different labels may give the same stem; the label itself lives in the tables.

    Examples
    --------
    >>> file_stem("Béluga / white whale")
    'Beluga_white_whale'
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("_.")
    return stem or "class"
