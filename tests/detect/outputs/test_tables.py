"""Tables say the same in every format, and pandas and pyarrow read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from found import AWKWARD_NAMES, NOON, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from pyarrow import parquet

from seacall.detect.outputs import write_outputs
from seacall.detect.outputs.rows import DETECTION_COLUMNS, RECORDING_COLUMNS

QUICK = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write(out: Path, *found, formats=("csv",)) -> Path:
    write_outputs(out, given(found), formats=formats, folder=Path("/data"))
    return out


@drawn(found=archives())
@QUICK
def test_pandas_reads_detections_and_recordings_back(tmp_path, found):
    write(tmp_path, *found)
    table = pd.read_csv(tmp_path / "detections.csv")
    recordings = pd.read_csv(tmp_path / "recordings.csv")
    assert tuple(table.columns) == DETECTION_COLUMNS
    assert tuple(recordings.columns) == RECORDING_COLUMNS
    assert recordings["file"].tolist() == [str(one.path) for one, _ in found]
    assert recordings["n_detections"].tolist() == [len(ds) for _, ds in found]
    rows = [d for _, ds in found for d in ds]
    assert sorted(table["file"]) == sorted(str(d.path) for d in rows)
    assert sorted(table["start_s"]) == pytest.approx(
        sorted(d.start_s for d in rows), abs=2e-6
    )
    assert sorted(table["score"]) == pytest.approx(
        sorted(d.score for d in rows), abs=1e-6
    )
    dated = table.dropna(subset="start_utc")
    moments = pd.to_datetime(dated["start_utc"], format="ISO8601")
    truth = sorted(d.start for d in rows if d.start)
    assert len(dated) == len(truth)
    for read, moment in zip(sorted(moments), truth, strict=True):
        assert abs(read - moment) <= timedelta(microseconds=1)


@pytest.mark.parametrize("name", AWKWARD_NAMES, ids=repr)
def test_names_come_back_as_they_are(tmp_path, name):
    one = searched(f"/data/{name}")
    write(tmp_path, (one, [detected(one)]))
    with (tmp_path / "detections.csv").open(newline="") as file:
        table = pd.read_csv(file, keep_default_na=False)
    assert table["file"].tolist() == [str(one.path)]


def test_what_is_missing_is_an_empty_cell_and_a_failure_has_its_reason(tmp_path):
    bad = searched("/data/bad.wav", opened=False, failure="not audio, it seems")
    one = searched(start=None)
    write(tmp_path, (bad, []), (one, [detected(one, snr_db=None, level_db=None)]))
    text = (tmp_path / "recordings.csv").read_text()
    assert (
        text.splitlines()[1] == '/data/bad.wav,,,,,0.000000,0,"not audio, it seems",,'
    )
    table = pd.read_csv(tmp_path / "detections.csv")
    assert table[["start_utc", "end_utc", "snr_db", "level_db"]].isna().all().all()


def test_times_are_iso_8601_in_utc(tmp_path):
    one = searched()
    write(tmp_path, (one, [detected(one, 5.25, 6.5)]))
    line = (tmp_path / "detections.csv").read_text().splitlines()[1]
    assert "2019-05-01T12:00:05.250000Z,2019-05-01T12:00:06.500000Z" in line
    assert NOON.isoformat()[:10] in (tmp_path / "recordings.csv").read_text()


def test_no_detections_give_headers(tmp_path):
    write(tmp_path)
    for name in ("detections", "recordings"):
        assert len((tmp_path / f"{name}.csv").read_text().splitlines()) == 1


def test_json_holds_recordings_effort_failures_and_detections(tmp_path):
    one = searched(heard=((0.0, 20.0), (30.0, 60.0)))
    bad = searched("/data/bad.wav", opened=False)
    rows = [detected(one, snr_db=None, level_db=float("-inf"))]
    write(tmp_path, (one, rows), (bad, []), formats=["json"])
    read = json.loads((tmp_path / "detections.json").read_text())
    assert read["format"] == "seacall detections"
    assert [r["file"] for r in read["recordings"]] == ["/data/a.wav", "/data/bad.wav"]
    assert read["recordings"][0]["heard"] == [[0.0, 20.0], [30.0, 60.0]]
    assert read["recordings"][0]["heard_s"] == 50.0
    assert read["recordings"][0]["detections"][0] == {
        "channel": 1,
        "start_s": 5.0,
        "end_s": 10.0,
        "start_utc": "2019-05-01T12:00:05.000000Z",
        "end_utc": "2019-05-01T12:00:10.000000Z",
        "label": "Killer Whale",
        "score": 0.9312,
        "low_hz": 500.0,
        "high_hz": 4000.0,
        "snr_db": None,
        "level_db": None,
        "level_unit": "dBFS",
        "n_clips": 1,
        "score_without_prior": None,
    }
    assert read["recordings"][1]["failure"] == "no audio file"
    assert read["recordings"][1]["duration_s"] is None
    assert read["totals"] == {
        "n_recordings": 2,
        "n_failed": 1,
        "duration_s": 60.0,
        "heard_s": 50.0,
        "n_detections": 1,
    }


@drawn(found=archives())
@QUICK
def test_json_parquet_and_csv_say_the_same(tmp_path, found):
    write(tmp_path, *found, formats=["csv", "json", "parquet"])
    for name, columns in (
        ("detections", DETECTION_COLUMNS),
        ("recordings", RECORDING_COLUMNS),
    ):
        as_csv = pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False)
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        assert tuple(table.column_names) == columns
        assert rounded(table.to_pylist()) == [
            {k: number(v) for k, v in row.items()} for row in as_csv.to_dict("records")
        ]
    read = json.loads((tmp_path / "detections.json").read_text())["recordings"]
    flat = [{"file": r["file"], **d} for r in read for d in r["detections"]]
    detections = parquet.read_table(tmp_path / "detections.parquet").to_pylist()
    assert rounded(flat) == rounded(detections)


DECIMALS = {"snr_db": 2, "level_db": 2, "low_hz": 3, "high_hz": 3}


def number(value):
    try:
        return None if value == "" else float(value)
    except ValueError:
        return value


def rounded(rows):
    """Plain values with the digits of the CSV table."""
    return [
        {
            k: f"{v:%Y-%m-%dT%H:%M:%S.%fZ}"
            if isinstance(v, datetime)
            else round(float(v), DECIMALS.get(k, 6))
            if isinstance(v, float | int)
            else v or None
            for k, v in row.items()
        }
        for row in rows
    ]


def test_parquet_is_typed_so_that_nothing_is_guessed(tmp_path):
    one = searched(start=None)
    rows = [detected(one, snr_db=None, level_db=None)]
    write(tmp_path, (one, rows), formats=["parquet"])
    schema = parquet.read_schema(tmp_path / "detections.parquet")
    types = {field.name: str(field.type) for field in schema}
    assert types["start_utc"] == "timestamp[us, tz=UTC]"
    assert types["snr_db"] == "double"
    assert types["label"] == "string"
    assert types["channel"] == "int32"
    frame = pd.read_parquet(tmp_path / "detections.parquet")
    assert frame["start_utc"].isna().all()
    assert frame["snr_db"].dtype == float


def test_parquet_comes_in_row_groups_so_that_memory_stays_flat(tmp_path, monkeypatch):
    monkeypatch.setattr("seacall.detect.outputs.parquet.ROWS_AT_ONCE", 10)
    one = searched()
    write(tmp_path, (one, [detected(one)] * 25), formats=["parquet"])
    meta = parquet.read_metadata(tmp_path / "detections.parquet")
    assert (meta.num_rows, meta.num_row_groups) == (25, 3)


@pytest.mark.parametrize("name", [*AWKWARD_NAMES, "caf\udce9.wav"], ids=ascii)
def test_awkward_names_are_kept_by_json_and_parquet(tmp_path, name):
    one = searched(f"/data/{name}")
    write(tmp_path, (one, [detected(one)]), formats=["json", "parquet"])
    read = json.loads((tmp_path / "detections.json").read_text(encoding="utf-8"))
    assert read["recordings"][0]["file"] == f"/data/{name}"
    file = parquet.read_table(tmp_path / "detections.parquet")["file"][0].as_py()
    assert file == f"/data/{name}".encode("utf-8", "backslashreplace").decode()
