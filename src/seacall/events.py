"""The nouns: a recording, a clip of it, and what a person marked in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recording:
    """One audio file, as its header describes it."""

    path: Path
    sample_rate: int
    """Hz."""
    n_channels: int
    n_samples: int
    """Samples in one channel."""
    subtype: str
    """Encoding of the samples, as libsndfile names it (``PCM_16``, ``FLOAT``)."""

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.n_samples / self.sample_rate


@dataclass(frozen=True)
class Clip:
    """A stretch of a recording that a model sees at once."""

    path: Path
    start_s: float
    """Seconds from the recording's first sample."""
    end_s: float
    """Seconds from the recording's first sample; may lie beyond its end (padding)."""


@dataclass(frozen=True)
class Annotation:
    """What a person marked: a stretch of a recording, with a label."""

    path: Path
    """Recording that it lies in."""
    start_s: float
    end_s: float
    label: str
    low_hz: float | None = None
    high_hz: float | None = None
    channel: int = 1
    """Counted from 1."""
