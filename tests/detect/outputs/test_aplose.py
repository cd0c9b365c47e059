"""APLOSE tables hold what OSEkit and the platform ask for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from found import detected, given, searched

from seacall.detect.outputs import write_outputs

KNOWN = {
    "dataset",
    "filename",
    "annotation_id",
    "is_update_of_id",
    "start_time",
    "end_time",
    "start_frequency",
    "end_frequency",
    "min_frequency",
    "max_frequency",
    "annotation",
    "annotator",
    "annotator_expertise",
    "start_datetime",
    "end_datetime",
    "is_box",
    "type",
    "confidence_indicator_label",
    "confidence_indicator_level",
    "comments",
    "signal_quantity",
    "created_at_phase",
}
"""Columns of which OSEkit 1.2 does not think that they are people who verified."""


def write(out: Path, *found) -> pd.DataFrame:
    write_outputs(out, given(found), formats=["aplose"], folder=Path("/data"))
    return pd.read_csv(out / "aplose.csv").convert_dtypes()


def test_a_box_has_times_frequencies_dates_and_score(tmp_path):
    one = searched("/data/site/a.b.wav", sample_rate=8_000)
    table = write(tmp_path, (one, [detected(one, 5.25, 6.5, high_hz=9_000.0)]))
    assert table.to_dict("records") == [
        {
            "dataset": "site",
            "filename": "a.b",
            "annotation_id": 1,
            "start_time": 5.25,
            "end_time": 6.5,
            "start_frequency": 500,
            "end_frequency": 4000,
            "min_frequency": 500,
            "max_frequency": 4000,
            "annotation": "Killer Whale",
            "annotator": "seacall",
            "start_datetime": "2019-05-01T12:00:05.250+00:00",
            "end_datetime": "2019-05-01T12:00:06.500+00:00",
            "is_box": 1,
            "type": "BOX",
            "comments": "score 0.931200",
            "created_at_phase": "ANNOTATION",
        }
    ]


def test_no_column_is_taken_for_a_person_and_no_cell_is_empty(tmp_path):
    one = searched()
    table = write(tmp_path, (one, [detected(one), detected(one, snr_db=None)]))
    assert set(table.columns) <= KNOWN
    assert not table.isna().any().any()
    assert table["annotation_id"].tolist() == [1, 2]


def test_detections_without_a_date_are_left_out(tmp_path):
    one, dated = searched("/data/a.wav", start=None), searched("/data/b.wav")
    table = write(tmp_path, (one, [detected(one)]), (dated, [detected(dated)]))
    assert table["filename"].tolist() == ["b"]


def test_a_table_without_detections_has_its_header(tmp_path):
    assert len(write(tmp_path)) == 0
