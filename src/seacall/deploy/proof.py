"""What a comparison of two models found, and whether it lies within tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from seacall.settings import Settings


class Tolerance(Settings):
    """How far two models may lie apart."""

    logits: float | None = Field(default=1e-4, ge=0)
    """Largest difference of any logit; None: any."""
    roundings: float = Field(default=3.0, ge=0)
    """How many times what the model's own front end rounds off in a clip is allowed on
    top, since both sides round; see `seacall.deploy.rounding`."""
    same_decisions: float = Field(default=1.0, ge=0, le=1)
    """Share of clips that must be answered alike."""
    macro_f1: float | None = Field(default=None, ge=0)
    """Most points, of 100, by which the macro-F1 may be lower; None: any. Counts where
    labels are known."""


TOLERANCES: dict[str, Tolerance] = {
    "float32": Tolerance(),
    "float16": Tolerance(logits=None, same_decisions=0.995, macro_f1=0.5),
    "int8": Tolerance(logits=None, same_decisions=0.99, macro_f1=0.5),
}
"""By the coarser precision of the two."""


@dataclass(frozen=True)
class Difference:
    """How far one quantity lies apart, over all clips."""

    largest: float
    """Largest absolute difference; NaN against a number is infinite."""
    p999: float
    """99.9 % of the differences are smaller."""
    clip: str
    """Name of the clip with the largest one."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"max": self.largest, "p99.9": self.p999, "clip": self.clip}


@dataclass(frozen=True)
class Proof:
    """What a comparison found."""

    a: str
    b: str
    """The two sides: a model folder or a file each."""
    precision: str
    """Which tolerance holds: the coarser precision of the two."""
    tolerance: Tolerance
    n_synthetic: int
    n_recorded: int
    differences: dict[str, Difference]
    """Of features (divided by their usual size), log-mel, logits and scores; and
    ``rounding``: how far the model's own logits lie from those without rounding."""
    changed: list[dict[str, str]]
    """Clips that are answered otherwise: name and both answers."""
    f1: tuple[float, float] | None
    """Macro-F1 of both over recordings whose label is known."""
    n_labelled: int = 0
    excess: float = 0.0
    """Largest difference of logits after what rounding explains is taken off."""
    excess_clip: str = ""
    """Name of the clip with it."""
    beyond: list[str] = field(default_factory=list)
    """What lies beyond tolerance, a sentence each; empty: proved."""

    @property
    def n_clips(self) -> int:
        """Clips that both answered."""
        return self.n_synthetic + self.n_recorded

    @property
    def summary(self) -> str:
        """Say in one line whether they answer alike."""
        if self.beyond:
            return (
                f"{self.b} does not answer as {self.a} does: {'; '.join(self.beyond)}"
            )
        worst = self.differences["logits"].largest
        same = self.n_clips - len(self.changed)
        return (
            f"{self.b} answers as {self.a} does: {same} of {self.n_clips} clips alike, "
            f"logits within {worst:.1e}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "proved": not self.beyond,
            "summary": self.summary,
            "beyond": self.beyond,
            "tolerance": {
                "precision": self.precision,
                **self.tolerance.model_dump(mode="json"),
            },
            "n_synthetic": self.n_synthetic,
            "n_recorded": self.n_recorded,
            "n_labelled": self.n_labelled,
            "differences": {k: d.as_dict() for k, d in self.differences.items()},
            "changed": self.changed,
            "macro_f1": self.f1,
            "excess": self.excess,
        }

    def lines(self) -> list[str]:
        """Say it in words: a small report."""
        rows = [
            f"  {name:<10}{d.largest:>10.1e}{d.p999:>10.1e}   {d.clip}"
            for name, d in self.differences.items()
        ]
        lines = [
            f"{self.n_clips} clips: {self.n_synthetic} synthetic, "
            f"{self.n_recorded} recorded",
            f"  {'':<10}{'largest':>10}{'99.9 %':>10}   where",
            *rows,
            f"decisions changed: {len(self.changed)}",
            *(f"  {c['clip']}: {c['a']} -> {c['b']}" for c in self.changed[:10]),
        ]
        if self.f1 is not None:
            before, after = self.f1
            lines.append(
                f"macro-F1 over {self.n_labelled} labelled recordings: {before:.4f} -> "
                f"{after:.4f}"
            )
        return [*lines, self.summary]


def beyond(proof: Proof) -> Iterator[str]:
    """Say what lies beyond tolerance."""
    allowed = proof.tolerance
    if allowed.logits is not None and not proof.excess <= allowed.logits:
        yield (
            f"logits differ by {proof.excess:.1e} ({proof.excess_clip}) more than "
            f"rounding explains, allowed is {allowed.logits:.0e}"
        )
    # Scores follow from logits; where they do not, the calibration is another.
    scores = proof.differences["scores"]
    most = (allowed.logits or 0.0) + allowed.roundings * (
        proof.differences["rounding"].largest
    )
    if allowed.logits is not None and not scores.largest <= most:
        yield f"scores differ by {scores.largest:.1e} ({scores.clip})"
    share = 1 - len(proof.changed) / proof.n_clips
    if share < allowed.same_decisions:
        first = proof.changed[0]
        yield (
            f"{len(proof.changed)} of {proof.n_clips} decisions changed (first: "
            f"{first['clip']}, {first['a']} -> {first['b']}), allowed are "
            f"{1 - allowed.same_decisions:.1%}"
        )
    if proof.f1 is not None and allowed.macro_f1 is not None:
        lost = 100 * (proof.f1[0] - proof.f1[1])
        if lost > allowed.macro_f1:
            yield (
                f"macro-F1 is {lost:.2f} points lower, allowed are {allowed.macro_f1:g}"
            )
