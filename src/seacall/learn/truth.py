"""What people marked in recordings: calls by class, and which stretches count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seacall.data.annotations import Marks
from seacall.errors import AnnotationError, SettingsError
from seacall.learn.stretches import (
    FloatArray,
    as_stretches,
    common,
    joined,
    without,
)
from seacall.learn.text import listed
from seacall.taxonomy import normalised

NEGATIVE = ("noise",)
"""Labels of stretches that were looked through and hold no call."""
LEFT_OUT = ("unlabelled", "undefined", "unknown")
"""Labels of stretches about which nobody knows what calls there, if anything."""

_NONE = as_stretches([])


@dataclass(frozen=True, eq=False)
class Truth:
    """Annotations, by recording."""

    calls: Mapping[tuple[Path, str], FloatArray]
    """Start and end of a class's annotations, s, shape ``(n, 2)``."""
    labels: tuple[str, ...]
    """Classes that are annotated anywhere, in order."""
    labelled: Mapping[Path, FloatArray]
    """Stretches with any label but those that are left out."""
    left_out: Mapping[Path, FloatArray]
    """Stretches about which nobody said anything."""
    n_by_label: Mapping[str, int]
    """Annotations of each label, as they were called; negative ones too."""

    def calls_of(self, path: Path, label: str) -> FloatArray:
        """Return the annotations of a class in a recording."""
        return self.calls.get((path, label), _NONE)

    def counted(self, path: Path, heard: FloatArray, *, only: bool) -> FloatArray:
        """Return the stretches of a recording that count.

        Parameters
        ----------
        heard
            What was listened to.
        only
            Whether only what has a label counts; else all that is not left out does.
        """
        whole = common(heard, self.labelled.get(path, _NONE)) if only else joined(heard)
        return without(whole, self.left_out.get(path, _NONE))


def truth_of(
    marks: Marks,
    *,
    names: Mapping[str, str],
    negative: Sequence[str] = NEGATIVE,
    left_out: Sequence[str] = LEFT_OUT,
) -> Truth:
    """Sort annotations by what they say.

    Parameters
    ----------
    names
        What each label is called here, by normalised label; others stay as they are.
    negative
        Labels that say there is no call.
    left_out
        Labels that say nothing is known.

    Examples
    --------
    >>> from seacall.events import Annotation
    >>> a = Annotation(Path("a.wav"), 1.0, 2.0, "humpback whale")
    >>> marks = Marks((a,), (None,), (), {})
    >>> truth_of(marks, names=names_of(["Humpback_Whale"], {})).labels
    ('Humpback_Whale',)
    """
    calls: dict[tuple[Path, str], list[tuple[float, float]]] = defaultdict(list)
    labelled: dict[Path, list[tuple[float, float]]] = defaultdict(list)
    nothing: dict[Path, list[tuple[float, float]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    is_negative, is_left_out = _set(negative), _set(left_out)
    for one in marks.annotations:
        key, stretch = normalised(one.label), (one.start_s, one.end_s)
        label = names.get(key, one.label)
        counts[label] += 1
        if key in is_left_out:
            nothing[one.path].append(stretch)
            continue
        labelled[one.path].append(stretch)
        if key not in is_negative:
            calls[one.path, label].append(stretch)
    return Truth(
        calls={key: as_stretches(pairs) for key, pairs in calls.items()},
        labels=tuple(sorted({label for _, label in calls})),
        labelled={path: as_stretches(pairs) for path, pairs in labelled.items()},
        left_out={path: as_stretches(pairs) for path, pairs in nothing.items()},
        n_by_label=dict(counts.most_common()),
    )


def _set(labels: Iterable[str]) -> set[str]:
    return {normalised(label) for label in labels}


def names_of(known: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what annotations' labels are called, by normalised label.

    A label that differs from a known one in case, accents or punctuation alone is that
    one; ``own`` says what else is meant, and wins.

    Examples
    --------
    >>> names_of(["Killer_Whale"], {"Orca": "killer whale"})
    {'killer whale': 'Killer_Whale', 'orca': 'Killer_Whale'}
    """
    found = {normalised(label): label for label in known}
    return found | {
        normalised(label): found.get(normalised(name), name)
        for label, name in own.items()
    }


def read_map(wanted: Sequence[str]) -> dict[str, str]:
    """Read ``LABEL=NAME`` pairs.

    Raises
    ------
    SettingsError
        If one has no ``=``, or one of its sides is empty.
    """
    pairs = [text.partition("=")[::2] for text in wanted]
    for text, (label, name) in zip(wanted, pairs, strict=True):
        if not label.strip() or not name.strip():
            raise SettingsError(
                f"--map {text!r}: need LABEL=NAME, what the annotations call it and "
                "what the detections do"
            )
    return {label.strip(): name.strip() for label, name in pairs}


def check_labels(truth: Truth, known: Sequence[str]) -> tuple[str, ...]:
    """Return the annotated classes that can be detected.

    Raises
    ------
    AnnotationError
        If calls are annotated, and none of them can be detected.
    """
    shared = tuple(label for label in truth.labels if label in known)
    if truth.labels and not shared and known:
        raise AnnotationError(
            f"the annotations name {listed(truth.labels)}, the detections "
            f"{listed(known)}: not one is the same; say which is which with "
            f"--map '{truth.labels[0]}=NAME'"
        )
    return shared
