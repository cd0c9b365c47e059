"""Hourly presence: time is split at hours, and what was not heard is not absent."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from found import NOON, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn

from seacall.detect.outputs import write_outputs
from seacall.detect.outputs.presence import COLUMNS
from seacall.events import Searched, Segment


def presence(out: Path, *found, labels=(), folder: Path | None = Path("/data")):
    write_outputs(out, given(found), formats=["presence"], labels=labels, folder=folder)
    table = pd.read_csv(out / "presence.csv", keep_default_na=False)
    assert tuple(table.columns) == COLUMNS
    return table


def row(table: pd.DataFrame, hour: str, label: str) -> dict:
    rows = table[(table["hour_utc"] == hour) & (table["label"] == label)]
    assert len(rows) == 1
    return rows.iloc[0].to_dict()


def test_a_detection_across_an_hour_is_split_and_counted_where_it_begins(tmp_path):
    one = searched(duration_s=1_800, start=NOON + timedelta(minutes=45))
    table = presence(tmp_path, (one, [detected(one, 890, 930)]))
    first = row(table, "2019-05-01T12:00:00Z", "Killer Whale")
    second = row(table, "2019-05-01T13:00:00Z", "Killer Whale")
    assert (first["effort_s"], second["effort_s"]) == (900.0, 900.0)
    assert (first["detected_s"], second["detected_s"]) == (10.0, 30.0)
    assert (first["n_detections"], second["n_detections"]) == (1, 0)
    assert (first["presence"], second["presence"]) == (1, 1)


def test_hours_that_nobody_heard_are_not_there(tmp_path):
    one = searched("/data/a.wav", duration_s=60)
    later = searched("/data/b.wav", duration_s=60, start=NOON + timedelta(hours=5))
    failed = searched(
        "/data/c.wav", start=NOON + timedelta(hours=2), heard=(), failure="unreadable"
    )
    table = presence(tmp_path, (one, [detected(one)]), (failed, []), (later, []))
    assert table["hour_utc"].tolist() == [
        "2019-05-01T12:00:00Z",
        "2019-05-01T17:00:00Z",
    ]
    assert table["presence"].tolist() == [1, 0]
    assert (table["effort_s"] > 0).all()


def test_effort_is_only_what_was_heard_of_a_recording(tmp_path):
    one = searched(duration_s=600, heard=((0.0, 100.0), (200.0, 250.0)))
    table = presence(tmp_path, (one, [detected(one, 90, 210)]))
    assert table["effort_s"].tolist() == [150.0]
    # Between 100 and 200 s nobody listened: that is not time with a whale.
    assert table["detected_s"].tolist() == [20.0]


def test_the_species_that_could_be_detected_have_rows_without_presence(tmp_path):
    one = searched()
    labels = ["Beluga", "Killer Whale"]
    table = presence(tmp_path, (one, [detected(one)]), labels=labels)
    assert table[["label", "presence"]].to_numpy().tolist() == [
        ["Beluga", 0],
        ["Killer Whale", 1],
    ]


def test_effort_is_told_even_if_nothing_was_detected_at_all(tmp_path):
    table = presence(tmp_path, (searched(), []))
    assert table[["label", "effort_s", "presence"]].to_numpy().tolist() == [
        ["", 60.0, 0]
    ]


def test_recordings_without_a_date_are_listed_by_file(tmp_path):
    one = searched("/data/a.wav", start=None)
    dated = searched("/data/b.wav")
    table = presence(tmp_path, (one, [detected(one, 1, 4)]), (dated, []))
    assert table["file"].tolist() == ["", "/data/a.wav"]
    assert table["hour_utc"].tolist() == ["2019-05-01T12:00:00Z", ""]
    assert table["presence"].tolist() == [0, 1]
    assert table["detected_s"].tolist() == [0.0, 3.0]


def test_overlapping_detections_of_a_species_are_time_only_once(tmp_path):
    one = searched()
    both = [detected(one, 5, 10, channel=1), detected(one, 7, 12, channel=2)]
    table = presence(tmp_path, (one, both))
    assert table["detected_s"].tolist() == [7.0]
    assert table["n_detections"].tolist() == [2]


def test_a_duty_cycle_is_told_by_its_segments(tmp_path):
    whole = searched("/data/x.wav", duration_s=20, sample_rate=1_000)
    segments = (
        Segment(0, 10_000, NOON + timedelta(minutes=59, seconds=55)),
        Segment(10_000, 10_000, NOON + timedelta(hours=3)),
    )
    one = Searched(whole.path, whole.recording, segments, ((0.0, 20.0),))
    table = presence(tmp_path, (one, [detected(one, 8, 9), detected(one, 11, 13)]))
    assert table["hour_utc"].str[11:13].tolist() == ["12", "13", "15"]
    assert table["effort_s"].tolist() == [5.0, 5.0, 10.0]
    assert table["detected_s"].tolist() == [0.0, 1.0, 2.0]
    assert table["n_detections"].tolist() == [0, 1, 1]


def test_places_that_recorded_at_the_same_time_are_not_mixed(tmp_path):
    one, two = searched("/data/north/a.wav"), searched("/data/south/a.wav")
    table = presence(tmp_path, (one, [detected(one)]), (two, []), folder=None)
    assert table[["folder", "presence"]].to_numpy().tolist() == [
        ["north", 1],
        ["south", 0],
    ]


def test_times_in_other_zones_are_counted_in_utc(tmp_path):
    start = datetime.fromisoformat("2019-05-01T23:30:00-04:00")
    table = presence(tmp_path, (searched(start=start), []))
    assert table["hour_utc"].tolist() == ["2019-05-02T03:00:00Z"]


@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_time_is_lost_or_counted_twice(tmp_path, found):
    table = presence(tmp_path, *found)
    heard_s = sum(one.heard_s for one, _ in found)
    per_hour = table.drop_duplicates(["folder", "hour_utc", "file"])
    assert per_hour["effort_s"].sum() == pytest.approx(heard_s, abs=0.01)
    assert table["n_detections"].sum() == sum(len(ds) for _, ds in found)
    detected_s = sum(union_s(ds) for _, ds in found)
    assert table["detected_s"].sum() == pytest.approx(detected_s, abs=0.05)
    assert (table["detected_s"] <= table["effort_s"] + 0.001).all()


def union_s(detections) -> float:
    """Add up, by brute force, what the detections of each species cover."""
    edges = defaultdict(list)
    for d in detections:
        edges[d.label] += [(d.start_s, 1), (d.end_s, -1)]
    total = 0.0
    for marks in edges.values():
        depth, since = 0, 0.0
        for at, step in sorted(marks, key=lambda m: (m[0], -m[1])):
            if depth:
                total += at - since
            depth, since = depth + step, at
    return total


def test_moments_before_1970_fall_into_their_hour(tmp_path):
    start = datetime(1965, 3, 4, 5, 59, 30, tzinfo=UTC)
    table = presence(tmp_path, (searched(start=start), []))
    assert table["hour_utc"].tolist() == [
        "1965-03-04T05:00:00Z",
        "1965-03-04T06:00:00Z",
    ]
    assert table["effort_s"].tolist() == [30.0, 30.0]
