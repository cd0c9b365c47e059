"""The survey: what there is, when it was, what is wrong with it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from sounds import noise, tone, write_wav

from seacall.detect.deployment_time import Interval, deployments, put_in_order
from seacall.detect.survey import PROBLEMS, Survey, survey
from seacall.detect.survey_file import look_at
from seacall.detect.survey_picture import write_picture
from seacall.detect.survey_report import (
    COLUMNS,
    plain_table,
    printable,
    span_text,
    write_tables,
)
from seacall.errors import AudioError

RATE = 8_000
START = datetime(2024, 3, 1, tzinfo=UTC)


def record(
    folder: Path, at_s: float, y: npt.ArrayLike | None = None, *, serial: str = "5678"
) -> Path:
    """Write a recording as a SoundTrap names it; ten seconds of noise by default."""
    name = f"{serial}.{START + timedelta(seconds=at_s):%y%m%d%H%M%S}.wav"
    if y is None:
        y = noise(duration_s=10, sample_rate=RATE, seed=round(at_s) + len(serial))
    return write_wav(folder / name, y, RATE)


def problems_of(found: Survey) -> dict[str, list[str]]:
    return {
        name: [one.look.path.name for one in files]
        for name, files in found.problems.items()
    }


def test_a_good_deployment_has_no_problems(tmp_path: Path) -> None:
    for k in range(6):
        record(tmp_path, 10 * k)
    found = survey([tmp_path])
    assert found.problems == {}
    assert found.failures == []
    assert found.recorded_s == pytest.approx(60)
    (deployment,) = found.deployments
    assert deployment.name == tmp_path.name
    assert deployment.span == (START, START + timedelta(seconds=60))
    order = deployment.order
    assert (order.gaps, order.overlaps, order.period_s) == ((), (), None)


def test_every_fault_is_found_and_none_stops_the_survey(tmp_path: Path) -> None:
    n = 10 * RATE
    paths = [record(tmp_path, 10 * k) for k in range(9)]
    paths[1].write_bytes(b"")
    content = bytearray(paths[2].read_bytes())
    paths[2].write_bytes(content[: len(content) // 2])
    content = bytearray(paths[3].read_bytes())
    content[40:44] = bytes(4)
    paths[3].write_bytes(content)
    write_wav(paths[4], np.zeros(n), RATE)
    loud = 20 * noise(duration_s=10, sample_rate=RATE)
    write_wav(paths[5], loud.clip(-1, 1), RATE)
    paths[7].write_bytes(paths[6].read_bytes())
    rng = np.random.default_rng(0)
    write_wav(paths[8], rng.integers(-1, 2, n) / 32_768, RATE)
    (tmp_path / "5678.240301000200.wav").write_text("species,count\n")
    found = problems_of(survey([tmp_path]))
    assert found == {
        "unreadable": [paths[1].name, "5678.240301000200.wav"],
        "damaged": [paths[2].name],
        "repaired": [paths[3].name],
        "dead": [paths[4].name],
        "silent": [paths[8].name],
        "clipped": [paths[5].name],
        "duplicate": [paths[7].name],
    }
    assert list(found) == [name for name in PROBLEMS if name in found]


def test_gaps_and_overlaps_are_found_to_the_second(tmp_path: Path) -> None:
    for at_s in (0, 10, 50, 60, 67, 77):
        record(tmp_path, at_s)
    found = survey([tmp_path])
    (deployment,) = found.deployments
    (gap,) = deployment.order.gaps
    assert (gap.start, gap.duration_s) == (START + timedelta(seconds=20), 30)
    (overlap,) = deployment.order.overlaps
    assert (overlap.start, overlap.duration_s) == (START + timedelta(seconds=67), 3)
    assert [one.gap_s for one in found.files] == [0, 0, 30, 0, 0, 0]
    assert problems_of(found) == {"overlap": ["5678.240301000107.wav"]}


def test_a_duty_cycle_is_no_gap_but_a_missing_recording_is(tmp_path: Path) -> None:
    for k in (0, 1, 2, 3, 6, 7, 8):
        record(tmp_path, 600 * k)
    (deployment,) = survey([tmp_path]).deployments
    assert (deployment.order.on_s, deployment.order.period_s) == (10, 600)
    (gap,) = deployment.order.gaps
    assert gap.duration_s == pytest.approx(1_200)


def test_a_clock_that_is_a_second_off_makes_no_gaps(tmp_path: Path) -> None:
    for at_s in (0, 11, 20, 29, 40):
        record(tmp_path, at_s)
    (deployment,) = survey([tmp_path]).deployments
    assert (deployment.order.gaps, deployment.order.overlaps) == ((), ())


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(3, 500)), min_size=1, max_size=30
    )
)
def test_gaps_are_the_time_that_no_recording_covers(
    stretches: list[tuple[int, int]],
) -> None:
    intervals = [
        Interval(START + timedelta(seconds=at_s), float(length_s), k)
        for k, (at_s, length_s) in enumerate(stretches)
    ]
    order = put_in_order(intervals)
    covered = np.zeros(11_000, bool)
    for at_s, length_s in stretches:
        covered[at_s : at_s + length_s] = True
    inside = covered[min(a for a, _ in stretches) : max(a + n for a, n in stretches)]
    found_s = sum(gap.duration_s for gap in order.gaps)
    if order.period_s is None:  # gaps of two seconds and less are not counted
        n_runs = np.count_nonzero(np.diff(inside.astype(int)) == -1)
        assert 0 <= np.count_nonzero(~inside) - found_s <= 2 * n_runs
    assert all(gap.duration_s > 2 for gap in order.gaps)
    assert all(overlap.duration_s > 2 for overlap in order.overlaps)


def test_recorders_are_told_apart_by_folder_and_by_name() -> None:
    paths = [Path(f"/a/reef/5678.24030100000{k}.wav") for k in range(3)]
    paths += [Path(f"/a/reef/9999.24030100000{k}.wav") for k in range(3)]
    paths += [Path(f"/a/bay/2024030{k}/2024030{k}_000000.WAV") for k in range(1, 4)]
    paths += [Path(f"/a/song/tape {k}.wav") for k in range(3)]
    names = ["reef (5678)"] * 3 + ["reef (9999)"] * 3 + ["bay"] * 3 + ["song"] * 3
    assert deployments(paths) == names


def test_names_that_all_differ_are_one_recorder() -> None:
    paths = [Path(f"/a/x/call{k}_20240301_00000{k}.wav") for k in range(5)]
    assert set(deployments(paths)) == {"x"}


def test_recordings_without_any_time_are_surveyed(tmp_path: Path) -> None:
    for k in range(3):
        y = noise(sample_rate=RATE, seed=k)
        write_wav(tmp_path / "calls" / f"call {k}.wav", y, RATE)
    found = survey([tmp_path])
    assert list(problems_of(found)) == ["no time"]
    assert found.deployments[0].span is None
    assert "no recording's time" in page_of(found, tmp_path).lower()


def test_the_zone_and_a_pattern_of_names_are_used(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "REC_01-03-2024_1200.wav", noise(), 48_000)
    found = survey([path], pattern="REC_dd-MM-yyyy_HHmm", timezone="-05:00")
    assert found.files[0].time.start == datetime(2024, 3, 1, 17, tzinfo=UTC)


def test_one_dead_channel_is_named(tmp_path: Path) -> None:
    y = np.stack([noise(), np.full(48_000, 0.25)], axis=1)
    look = look_at(write_wav(tmp_path / "x.wav", y))
    assert look.sampled is not None
    assert look.sampled.dead_channels == (2,)
    assert not look.sampled.is_silent


@pytest.mark.parametrize("amplitude", [0.001, 0.5, 0.99])
@pytest.mark.parametrize("hz", [20.0, 997.0, 12_000.0])
def test_a_loud_tone_is_not_clipped(
    tmp_path: Path, amplitude: float, hz: float
) -> None:
    y = tone(hz, amplitude=amplitude, duration_s=6) + noise(duration_s=6, sigma=1e-4)
    look = look_at(write_wav(tmp_path / "x.wav", y))
    assert look.sampled is not None
    assert not look.sampled.is_clipped


@pytest.mark.parametrize("limit", [1.0, 0.5])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_clipping_is_found_at_full_scale_and_below(
    tmp_path: Path, limit: float, subtype: str
) -> None:
    y = (limit * 1.5 * tone(300, amplitude=1.0, duration_s=6)).clip(-limit, limit)
    look = look_at(write_wav(tmp_path / "x.wav", y, subtype=subtype))
    assert look.sampled is not None
    share = 2 / np.pi * np.arccos(1 / 1.5)
    assert look.sampled.clipped_share == pytest.approx(share, rel=0.1)


def test_the_same_audio_is_found_across_formats_but_silence_is_not(
    tmp_path: Path,
) -> None:
    samples = np.round(noise() * 32_768).astype(np.int16)
    for name, y in (("a", samples), ("quiet", 0 * samples)):
        soundfile.write(tmp_path / f"{name}.flac", y, 48_000, subtype="PCM_16")
        soundfile.write(tmp_path / f"{name}.wav", y, 48_000, subtype="PCM_16")
    assert problems_of(survey([tmp_path]))["duplicate"] == ["a.wav"]


def test_only_a_thorough_survey_finds_what_lies_between_its_places(
    tmp_path: Path,
) -> None:
    y = noise(duration_s=30, sample_rate=RATE).astype(np.float32)
    y[5 * RATE] = np.nan
    path = write_wav(tmp_path / "x.wav", y, RATE, subtype="FLOAT")
    assert look_at(path).failure == ""
    assert "not finite" in look_at(path, thorough=True).failure


def test_processes_find_the_same(tmp_path: Path) -> None:
    for k in range(4):
        record(tmp_path, 10 * k)
    assert survey([tmp_path], n_workers=2) == survey([tmp_path])


def test_a_folder_that_is_not_there_is_an_error_and_a_file_a_finding(
    tmp_path: Path,
) -> None:
    found = survey([tmp_path / "nowhere.wav"])
    assert problems_of(found)["unreadable"] == ["nowhere.wav"]
    (tmp_path / "list").touch()
    with pytest.raises(AudioError, match="names no recordings"):
        survey([f"@{tmp_path}/list"])


def page_of(found: Survey, out: Path) -> str:
    written = write_picture(found, out)
    return written[0].read_text(encoding="utf-8")


ODD = 'site "1" <b>&\t\nÅ'


def test_tables_are_read_back_whatever_the_names(tmp_path: Path) -> None:
    for k in range(3):
        record(tmp_path / "in" / ODD, 10 * k)
    record(tmp_path / "in" / "b", 0)
    found = survey([tmp_path / "in"])
    table, values = write_tables(found, tmp_path)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["file"] for row in rows] == [str(one.look.path) for one in found.files]
    assert {row["deployment"] for row in rows} == {ODD, "b"}
    assert rows[-1]["start_utc"] == "2024-03-01T00:00:20.000Z"
    assert float(rows[0]["duration_s"]) == 10
    read = json.loads(values.read_text(encoding="utf-8"))
    assert read["n_files"] == 4
    assert {one["name"]: one["n_files"] for one in read["deployments"]} == {
        ODD: 3,
        "b": 1,
    }


def test_the_picture_shows_each_recorder_and_asks_for_nothing(tmp_path: Path) -> None:
    for k in range(5):
        record(tmp_path / "in" / ODD, 20 * k)
    record(tmp_path / "in" / "b", 40, np.zeros(10 * RATE))
    page = page_of(survey([tmp_path / "in"]), tmp_path)
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    drawing = page[page.index("<svg") : page.index("</svg>") + 6]
    svg = ElementTree.fromstring(drawing)
    titles = {title.text for title in svg.iter("title")}
    assert {printable(ODD), "b"} <= titles
    bars = [bar for bar in svg.iter("rect") if bar.get("fill") == "#1f6f8b"]
    # Two of the legend; five stretches with edges that fill a column in part; one.
    assert len(bars) >= 2 + 5 + 1
    assert (tmp_path / "survey.png").read_bytes().startswith(b"\x89PNG")


def test_lengths_of_time_are_written_as_people_say_them() -> None:
    texts = {0.5: "0.5 s", 59.96: "1 min", 90: "1.5 min", 3_599: "1 h", 7_200: "2 h"}
    assert {seconds: span_text(seconds) for seconds in texts} == texts
    assert span_text(5_000 * 3_600) == "5,000 h"


def test_empty_columns_are_left_out_of_the_table() -> None:
    lines = plain_table(("a", "b", "c"), [("1", "", "x"), ("22", "", "")])
    assert lines == ["a   c", "1   x", "22"]
