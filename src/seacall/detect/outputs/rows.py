"""The columns of detections and of recordings, the same in every table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction

from seacall.detect.outputs.values import (
    band_hz,
    ends,
    finite,
    in_order,
    length_s,
    start_of,
    stretch_us,
)
from seacall.events import Detection, Searched

Value = str | int | float | datetime | None

DETECTION_COLUMNS = (
    "file",
    "channel",
    "start_s",
    "end_s",
    "start_utc",
    "end_utc",
    "label",
    "score",
    "low_hz",
    "high_hz",
    "snr_db",
    "level_db",
    "level_unit",
    "n_clips",
)
RECORDING_COLUMNS = (
    "file",
    "sample_rate",
    "n_channels",
    "duration_s",
    "start_utc",
    "heard_s",
    "n_detections",
    "failure",
)


def detection_rows(
    searched: Searched, found: Sequence[Detection]
) -> Iterator[tuple[Value, ...]]:
    """Give the rows of a recording's detections, in order of time."""
    for detection in in_order(found):
        begin, end = stretch_us(detection, searched.recording, before_s=Fraction(0))
        yield (
            str(searched.path),
            detection.channel,
            begin / 1_000_000,
            end / 1_000_000,
            *ends(detection),
            detection.label,
            float(detection.score),
            *band_hz(detection, searched.recording),
            finite(detection.snr_db),
            finite(detection.level_db),
            detection.level_unit,
            detection.n_clips,
        )


def recording_row(searched: Searched, found: Sequence[Detection]) -> tuple[Value, ...]:
    """Give a recording's row: what it is, and how much of it was heard."""
    recording = searched.recording
    return (
        str(searched.path),
        None if recording is None else recording.sample_rate,
        None if recording is None else recording.n_channels,
        None if recording is None else float(length_s(recording)),
        start_of(searched),
        float(searched.heard_s),
        len(found),
        searched.failure,
    )
