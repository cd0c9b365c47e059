"""Every setting of a listening station: frozen, its unit beside it, stored with it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seacall.detection import DetectSettings
from seacall.settings import Settings

Seconds = Annotated[float, Field(ge=0, le=1e6)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class SnippetSettings(Settings):
    """Which sound is kept of detections."""

    keep: bool = True
    """Write a FLAC file of each detection."""
    pre_s: Seconds = 2.0
    """Sound before it, s."""
    post_s: Seconds = 2.0
    """Sound behind it, s."""
    longest_s: float = Field(default=60.0, gt=0, le=3600)
    """Longest file, s: of longer detections the beginning is kept."""
    budget_gb: float = Field(default=10.0, ge=0)
    """All files together, GB. Above it those of the lowest score go, of these the
    oldest first (scores count in tenths); never those that are marked as kept."""
    min_free_gb: float = Field(default=1.0, ge=0)
    """Left free on the disk, GB: below it no sound is written."""


class HealthSettings(Settings):
    """When something is wrong with a source."""

    late_s: float = Field(default=10.0, gt=0)
    """No sound for so long, or sound so much older than the clock says: late, s."""
    silent_db: float = -100.0
    """Seconds with a lower level (RMS about the mean, dBFS) are silent."""
    silent_s: Seconds = 30.0
    """Silent for so long, s."""
    clipped_share: float = Field(default=1e-4, gt=0, le=1)
    """Share of a second's samples at full scale that counts as clipped."""
    clipped_s: Seconds = 5.0
    """Clipped for so long, s."""
    hum_db: float = 20.0
    """Lines at multiples of 50 or 60 Hz stand out by so much (the third
    strongest line), dB."""
    hum_s: Seconds = 60.0
    """For so long, s."""
    dead_db: float = 10.0
    """The noise floor lies so far below its own history, dB, and by more than six times
    its usual spread, in most bands."""
    dead_s: Seconds = 120.0
    """For so long, s."""
    history_h: float = Field(default=24.0, gt=0, le=168)
    """How far the history of the noise floor reaches back, hours."""
    recovered_s: Seconds = 30.0
    """Good again for so long before it is said, s."""
    disk_low_gb: float = Field(default=2.0, ge=0)
    """Less free disk space is an event, GB."""


class SpectrumSettings(Settings):
    """The spectrum that a page shows while it is heard."""

    keep: bool = True
    """Write it: the last minutes of each source, in a file that is written over."""
    n_bins: int = Field(default=256, ge=16, le=1024)
    """Bins from 0 Hz to the top."""
    columns_per_s: float = Field(default=10.0, ge=1, le=50)
    """Columns in a second."""
    top_hz: float | None = Field(default=None, gt=0)
    """Highest frequency, Hz; None: half the sample rate. Lower: finer bins."""
    kept_s: float = Field(default=120.0, ge=10, le=3600)
    """How much of it, s."""


class AlertRule(Settings):
    """Whom to tell about which detections."""

    name: str = Field(min_length=1)
    """Of the rule; unique."""
    labels: tuple[str, ...] = ()
    """Classes; none: all."""
    min_score: float = Field(default=0.0, ge=0, le=1)
    """Lowest score."""
    when: Literal["begun", "ended"] = "begun"
    """As soon as a detection has begun, or when it is over."""
    webhook: str | None = Field(default=None, pattern=r"^https?://")
    """Where the detection is posted as JSON."""
    command: tuple[str, ...] = ()
    """Program and arguments; gets the detection as JSON on its standard input."""
    per_hour: int = Field(default=0, ge=0)
    """Most alerts in any hour; 0: no limit. Those above it are not sent."""
    quiet: tuple[Clock, Clock] | None = None
    """From and to, ``HH:MM``: nothing is sent in between."""
    timezone: str = "UTC"
    """Of ``quiet``: a name or an offset."""
    give_up_h: float = Field(default=24.0, gt=0)
    """For how long it is tried again, hours."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook is None) == (not self.command):
            raise ValueError(f"alert {self.name!r}: give either webhook or command")
        return self


class EnvironmentSettings(Settings):
    """Readings beside the sound: depth, temperature, position."""

    source: str = Field(min_length=1)
    """A file that grows, or ``tcp://HOST:PORT`` for lines."""
    format: Literal["csv", "jsonl", "nmea"] = "csv"
    """How they are written. CSV and JSON lines need a field ``time``; fields that are
    numbers are readings. NMEA: position, depth and water temperature."""
    tolerance_s: Seconds = 600.0
    """A reading belongs to a detection if no further away than so, s."""

    @model_validator(mode="after")
    def _port(self) -> Self:
        port = self.source.rpartition(":")[2]
        if self.source.startswith("tcp://") and not port.isdecimal():
            raise ValueError(f"{self.source}: names no port; give tcp://host:10110")
        return self


class ListenRun(Settings):
    """Settings of ``seacall listen``."""

    model: str | None = None
    """Model folder; None: the model that comes with the package."""
    hop_s: float | None = Field(default=None, ge=0.1)
    """From one clip's start to the next, s; None: clips lie end to end."""
    channel: int | Literal["mean", "each"] | None = None
    """Channel to listen to, counted from 1; their mean; or each of them. None: what
    the model's card says."""
    threshold: tuple[str, ...] = ()
    """Lowest scores that count, ``0.5`` or ``LABEL=0.5``, in place of the card's."""
    rate: int | None = Field(default=None, gt=0)
    """Of raw sound and of sound cards, Hz."""
    channels: int = Field(default=1, ge=1)
    """Of raw sound and of sound cards."""
    format: str = "s16le"
    """Of raw sound: s16le, s16be, s24le, s24be, s32le, f32le."""
    speed: float = Field(default=1.0, ge=0)
    """Of recordings that are replayed: 1 real time, 0 as fast as can be."""
    fill_gap_s: float = Field(default=0.1, ge=0, le=1)
    """Packets that are missing for no longer are filled with silence, s, and marked;
    longer gaps begin a new segment."""
    still_s: Seconds = 10.0
    """A recording in a growing folder is whole when its size stood still so long, s."""
    timezone: str = "UTC"
    """Of recorder times that do not name their own."""
    time_pattern: str | None = None
    """How file names tell the time; None: the patterns that are known."""
    detect: DetectSettings = DetectSettings()
    """From scores of clips to detections."""
    snippets: SnippetSettings = SnippetSettings()
    """Sound of detections."""
    health: HealthSettings = HealthSettings()
    """When something is wrong."""
    spectrum: SpectrumSettings = SpectrumSettings()
    """What a page shows while it is heard."""
    alerts: tuple[AlertRule, ...] = ()
    """Who is told of what."""
    environment: tuple[EnvironmentSettings, ...] = ()
    """Readings beside the sound."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.alerts]
        if len(set(names)) < len(names):
            raise ValueError(f"alerts {names}: names must differ")
        return self
