"""Tables say the same in every format, and pandas and pyarrow read them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from found import AWKWARD_NAMES, NOON, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn

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
    assert text.splitlines()[1] == '/data/bad.wav,,,,,0.000000,0,"not audio, it seems"'
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
