"""The nouns: a recording, its clips, what a person marked, what a model detected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Recording:
    """One audio file, as its header describes it and as it is."""

    path: Path
    sample_rate: int
    """Hz."""
    n_channels: int
    n_samples: int
    """Samples in one channel."""
    subtype: str
    """Encoding of the samples, as libsndfile names it (``PCM_16``, ``FLOAT``)."""
    format: str = ""
    """Kind of file, as libsndfile names it (``WAV``, ``FLAC``)."""
    repaired: str = ""
    """Why its header was not believed, where it could be put right; empty: it was."""
    cut_off: str = ""
    """What is missing at its end: ``n_samples`` is what is there. Empty: nothing."""

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


@dataclass(frozen=True)
class Segment:
    """A part of a recording in which time runs without a break.

    Most recordings are one segment; files of recorders with a duty cycle hold many.
    """

    first_sample: int
    """Counted from the recording's first sample."""
    n_samples: int
    start: datetime | None = None
    """When its first sample was recorded, in UTC; None: not known."""


@dataclass(frozen=True)
class Detection:
    """What a model detected: a stretch of a recording, with a label."""

    path: Path
    """Recording that it lies in."""
    start_s: float
    """Seconds from the recording's first sample."""
    end_s: float
    """Seconds from the recording's first sample; not beyond its end."""
    low_hz: float
    high_hz: float
    """Not above half the recording's sample rate."""
    label: str
    score: float
    """Highest calibrated score of its clips, 0 to 1."""
    channel: int = 1
    """Counted from 1; 1 where the mean of all channels was taken."""
    n_clips: int = 1
    """Clips that it was made of."""
    snr_db: float | None = None
    """How far the loudest part stands out from the background, dB."""
    level_db: float | None = None
    """Level of its loudest clip (root mean square); see ``level_unit``."""
    level_unit: str = "dBFS"
    """``dB re 1 uPa`` where the hydrophone's sensitivity is known."""
    start: datetime | None = None
    """When it starts, in UTC; None: not known."""
    score_without_prior: float | None = None
    """Highest score of its clips before place and month were asked; None: they were
    not."""


@dataclass(frozen=True)
class Searched:
    """A recording that a model was to listen to, and how much of it was heard."""

    path: Path
    recording: Recording | None
    """None: it could not be opened."""
    segments: tuple[Segment, ...] = ()
    heard: tuple[tuple[float, float], ...] = ()
    """Stretches that were scored, start and end in seconds from the first sample."""
    failure: str = ""
    """Why it, or a part of it, could not be read; empty: all was."""
    time_source: str = ""
    """How its time is known."""
    time_doubt: str = ""
    """Why its time is not known, or not beyond doubt; empty: it is."""

    @property
    def heard_s(self) -> float:
        """Length of what was heard, s."""
        return sum(end_s - start_s for start_s, end_s in self.heard)
