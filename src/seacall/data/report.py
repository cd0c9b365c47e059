"""Say in plain words what a dataset was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import median
from typing import Any

from seacall.data.manifest import Failure, LabelledClip
from seacall.data.split import SPLITS, Split

_WIDTH = 100
_MAX_LISTED = 12


@dataclass(frozen=True)
class SpeciesRow:
    """What there is of one class."""

    label: str
    n: dict[Split, int]
    """Clips in each split."""
    n_deployments: int
    """Known ones."""
    median_s: float
    """Median duration of a clip, s."""
    total_s: float
    sample_rates: tuple[int, ...]
    """Hz, ascending."""

    @property
    def n_clips(self) -> int:
        """Clips in all splits."""
        return sum(self.n.values())

    @property
    def held_out(self) -> bool:
        """Whether it can be scored: it is trained, and is in val or test too."""
        return self.n["train"] > 0 and self.n_clips > self.n["train"]


@dataclass(frozen=True)
class DuplicateNote:
    """Two recordings that share audio, for people to read."""

    first: str
    second: str
    similarity: float
    same_label: bool


@dataclass(frozen=True)
class PrepareReport:
    """What was found, and what was done with it."""

    origin: str
    """What the labels were taken from."""
    rule: str
    """How clips were divided among the splits."""
    species: tuple[SpeciesRow, ...]
    duplicates: tuple[DuplicateNote, ...]
    failures: tuple[Failure, ...]

    def lines(self) -> list[str]:
        """Return the report as text, at most 100 columns wide."""
        return [
            *_wrapped(f"labels   {self.origin}"),
            *_wrapped(f"split    {self.rule}"),
            "",
            *self._table(),
            "",
            *self._remarks(),
            *self._duplicate_lines(),
            *self._failure_lines(),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "origin": self.origin,
            "rule": self.rule,
            "species": [asdict(row) for row in self.species],
            "duplicates": [asdict(pair) for pair in self.duplicates],
            "failures": [
                {"path": str(failure.path), "reason": failure.reason}
                for failure in self.failures
            ],
        }

    def _table(self) -> list[str]:
        width = max([len(row.label) for row in self.species] + [7])
        width = min(width, 34)
        head = (
            f"{'species':{width}} {'train':>6} {'val':>5} {'test':>5} {'deploym.':>8}"
        )
        lines = [f"{head} {'median s':>8} {'total':>8}  rates kHz"]
        for row in self.species:
            counts = f"{row.n['train']:6d} {row.n['val']:5d} {row.n['test']:5d}"
            lines.append(
                f"{_short(row.label, width):{width}} {counts} "
                f"{row.n_deployments or '?':>8} {row.median_s:8.2f} "
                f"{_duration(row.total_s):>8}  {_rates(row.sample_rates)}"
            )
        n = {split: sum(row.n[split] for row in self.species) for split in SPLITS}
        counts = f"{n['train']:6d} {n['val']:5d} {n['test']:5d}"
        total = _duration(sum(row.total_s for row in self.species))
        lines.append(f"{'all':{width}} {counts} {'':8} {'':8} {total:>8}")
        return lines

    def _remarks(self) -> list[str]:
        known = any(row.n_deployments for row in self.species)
        few = [r.label for r in self.species if r.n_deployments < 2] if known else []
        unscored = [r.label for r in self.species if not r.held_out]
        untrained = [r.label for r in self.species if r.n["train"] == 0]
        remarks = [
            ("fewer than 2 deployments, cannot be scored on a new recorder", few),
            ("not in train, so never learnt", untrained),
            ("not in val or test, so never scored", unscored if not known else []),
        ]
        return [
            line
            for text, labels in remarks
            if labels
            for line in _wrapped(f"{text} ({len(labels)}): {', '.join(labels)}")
        ]

    def _duplicate_lines(self) -> list[str]:
        pairs = self.duplicates
        if not pairs:
            return ["no audio was found twice in recordings of different origin"]
        head = f"same audio twice ({len(pairs)} pairs; each was put into one split):"
        lines = []
        for pair in pairs[:_MAX_LISTED]:
            note = "" if pair.same_label else "  DIFFERENT SPECIES"
            text = f"{pair.first} = {pair.second} ({pair.similarity:.2f}){note}"
            lines += _wrapped(f"  {text}")
        return [head, *lines, *_rest(len(pairs))]

    def _failure_lines(self) -> list[str]:
        if not self.failures:
            return ["nothing was left out"]
        head = f"left out ({len(self.failures)}):"
        lines = [
            line
            for failure in self.failures[:_MAX_LISTED]
            for line in _wrapped(f"  {failure.reason}")
        ]
        return [head, *lines, *_rest(len(self.failures))]


def species_rows(clips: Sequence[LabelledClip]) -> tuple[SpeciesRow, ...]:
    """Count what there is of each class, in alphabetical order."""
    by_label = sorted(clips, key=lambda clip: clip.label)
    return tuple(
        _species_row(label, list(members))
        for label, members in groupby(by_label, key=lambda clip: clip.label)
    )


def _species_row(label: str, clips: list[LabelledClip]) -> SpeciesRow:
    in_split = Counter(clip.split for clip in clips)
    durations = [clip.duration_s or 0.0 for clip in clips]
    return SpeciesRow(
        label=label,
        n={split: in_split[split] for split in SPLITS},
        n_deployments=len({clip.deployment for clip in clips} - {""}),
        median_s=median(durations),
        total_s=sum(durations),
        sample_rates=tuple(sorted({clip.sample_rate for clip in clips})),
    )


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _rates(rates: tuple[int, ...]) -> str:
    if len(rates) <= 2:
        return ", ".join(f"{rate / 1000:g}" for rate in rates)
    return f"{rates[0] / 1000:g}..{rates[-1] / 1000:g} ({len(rates)})"


def _rest(n: int) -> list[str]:
    return [f"  and {n - _MAX_LISTED} more"] if n > _MAX_LISTED else []


def _wrapped(text: str) -> list[str]:
    """Break at spaces; a path longer than a line is broken anywhere."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines: list[str] = []
    while len(text) > _WIDTH:
        cut = text.rfind(" ", len(indent) + 1, _WIDTH + 1)
        cut = cut if cut > 0 else _WIDTH
        lines.append(text[:cut].rstrip())
        text = indent + text[cut:].lstrip()
    return [*lines, text]
