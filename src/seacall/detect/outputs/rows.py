"""The columns of detections and of recordings, the same in every table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from seacall.detect.outputs.values import (
    Axis,
    band_hz,
    ends,
    finite,
    in_order,
    length_s,
    start_of,
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
    "score_without_prior",
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
    "time_source",
    "time_doubt",
)

DECIMALS = {
    "start_s": 6,
    "end_s": 6,
    "duration_s": 6,
    "heard_s": 6,
    "low_hz": 3,
    "high_hz": 3,
    "score": 6,
    "score_without_prior": 6,
    "snr_db": 2,
    "level_db": 2,
    "effort_s": 3,
    "detected_s": 3,
}
"""Digits behind the point, by column: the same in every format."""


def detection_rows(
    searched: Searched, found: Sequence[Detection]
) -> Iterator[tuple[Value, ...]]:
    """Give the rows of a recording's detections, in order of time."""
    recording = searched.recording
    axis = Axis.of(recording)
    for detection in in_order(found):
        begin, end = axis.stretch_us(detection)
        yield (
            str(searched.path),
            detection.channel,
            begin / 1_000_000,
            end / 1_000_000,
            *ends(detection),
            detection.label,
            round(float(detection.score), DECIMALS["score"]),
            *(round(hz, DECIMALS["low_hz"]) for hz in band_hz(detection, recording)),
            _decibel(detection.snr_db),
            _decibel(detection.level_db),
            detection.level_unit,
            detection.n_clips,
            detection.score_without_prior,
        )


def recording_row(searched: Searched, found: Sequence[Detection]) -> tuple[Value, ...]:
    """Give a recording's row: what it is, and how much of it was heard."""
    recording = searched.recording
    return (
        str(searched.path),
        None if recording is None else recording.sample_rate,
        None if recording is None else recording.n_channels,
        None if recording is None else round(float(length_s(recording)), 6),
        start_of(searched),
        round(float(searched.heard_s), 6),
        len(found),
        searched.failure,
        searched.time_source,
        searched.time_doubt,
    )


def _decibel(value: float | None) -> float | None:
    number = finite(value)
    return None if number is None else round(number, DECIMALS["snr_db"])
