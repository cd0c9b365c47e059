"""APLOSE annotations: boxes with dates, for review on that platform and in OSEkit."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from seacall.detect.outputs.target import Take, Target
from seacall.detect.outputs.values import (
    Axis,
    band_hz,
    cell,
    ends,
    in_order,
    seconds,
)
from seacall.events import Detection, Searched

COLUMNS = (
    "dataset",
    "filename",
    "annotation_id",
    "start_time",
    "end_time",
    "start_frequency",
    "end_frequency",
    "min_frequency",
    "max_frequency",
    "annotation",
    "annotator",
    "start_datetime",
    "end_datetime",
    "is_box",
    "type",
    "comments",
    "created_at_phase",
)
"""Readers take every column that they do not know for a person who verified: the score
stands among the comments. Those that would be empty are left out, as OSEkit stops at
an empty confidence."""
ANNOTATOR = "seacall"


@contextmanager
def aplose_table(target: Target) -> Iterator[Take]:
    """Write ``aplose.csv``: detections whose date is known.

    APLOSE places a box by its date; OSEkit stops at a row without one.
    """
    with target.text("aplose.csv") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        n_rows = 0

        def take(searched: Searched, found: list[Detection]) -> None:
            nonlocal n_rows
            folder = target.folder_of(searched.path)
            dataset = target.out.resolve().name if folder == "." else folder
            for detection in in_order(found):
                if detection.start is not None:
                    n_rows += 1
                    name = (dataset, cell(searched.path.stem), n_rows)
                    writer.writerow((*name, *_box(searched, detection)))

        yield take


def _box(searched: Searched, detection: Detection) -> tuple[str | int, ...]:
    begin, end = Axis.of(searched.recording).stretch_us(detection)
    band = [f"{hz:.3f}" for hz in band_hz(detection, searched.recording)]
    return (
        seconds(begin),
        seconds(end),
        *band,
        *band,
        cell(detection.label),
        ANNOTATOR,
        *(_moment(moment) for moment in ends(detection)),
        1,
        "BOX",
        f"score {detection.score:.6f}",
        "ANNOTATION",
    )


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="milliseconds")
