"""The timeline shows who called when, nothing else is loaded, and gaps are gaps."""

from __future__ import annotations

import html.parser
import re
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from found import NOON, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn

from seacall.detect.outputs import write_outputs
from seacall.detect.outputs.drawing import levels, svg
from seacall.detect.outputs.gathered import Gathered
from seacall.detect.outputs.listening import heard_of
from seacall.detect.outputs.picture import sections
from seacall.detect.outputs.ticks import length_ticks, time_ticks

HOUR = timedelta(hours=1)


def page(out: Path, *found, labels=()) -> str:
    write_outputs(
        out, given(found), formats=["timeline"], labels=labels, folder=Path("/data")
    )
    return (out / "timeline.html").read_text()


def gathered(*found, folder: str = ".") -> Gathered:
    result = Gathered()
    for one, detections in found:
        where = one.path.parent.name if folder == "parent" else folder
        result.add(one, heard_of(one, detections), folder=where)
    return result


class Tags(html.parser.HTMLParser):
    """Checks that tags close in order, and keeps their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in {"src", "href", "xlink:href"}]
        if tag not in {"meta", "link", "rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in {"src", "href", "xlink:href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_page_is_whole_and_asks_for_nothing(tmp_path, found):
    text = page(tmp_path, *found, labels=["Orca", "<Beluga> & co"])
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert set(tags.links) <= {"data:,"}
    assert not re.search(r"https?:|url\((?!#)|@import|<script", text)
    assert "nan" not in "".join(re.findall(r' d="([^"]*)"', text))


def test_names_cannot_break_the_page(tmp_path):
    bad = searched("/data/<b>&.wav", opened=False, failure="<script>alert(1)</script>")
    one = searched("/data/<i>.wav", start=None)
    text = page(tmp_path, (bad, []), (one, [detected(one, label="<u>whale</u>")]))
    assert "<script" not in text
    assert "<u>" not in text
    assert "&lt;u&gt;whale" in text
    assert "&lt;script&gt;" in text


def test_a_gap_is_told_from_silence_and_from_calls():
    a = searched("/data/a.wav", duration_s=3_600)
    c = searched("/data/c.wav", duration_s=3_600, start=NOON + 3 * HOUR)
    (section,) = sections(gathered((a, [detected(a, 0, 1_800)]), (c, [])))
    (panel,) = section.panels
    per_hour = panel.shares.shape[1] // 4
    level = levels(panel.shares)[0].reshape(4, per_hour)
    assert set(level[0, : per_hour // 2]) == {4}
    assert set(level[0, per_hour // 2 :]) == {0}
    assert set(level[1]) == set(level[2]) == {-1}
    assert set(level[3]) == {0}


def test_one_short_call_in_a_year_is_seen():
    found = []
    for day in range(360):
        one = searched(f"/data/{day}.wav", start=NOON + day * 24 * HOUR)
        found.append((one, [detected(one, 5, 6)] if day == 200 else []))
    (section,) = sections(gathered(*found))
    overview, by_hour = section.panels
    assert (levels(overview.shares) > 0).sum() == 1
    assert np.argwhere(levels(by_hour.shares) > 0).tolist() == [[12, 200]]
    assert (levels(by_hour.shares) == 0).sum() == 359
    assert by_hour.title == "Killer Whale"


@pytest.mark.parametrize("years", [1, 3, 20])
def test_the_picture_stays_small_over_many_years(years):
    found = []
    for day in range(0, 365 * years, 5):
        one = searched(f"/data/{day}.wav", start=NOON + day * 24 * HOUR)
        found.append((one, [detected(one)]))
    (section,) = sections(gathered(*found))
    for panel in section.panels:
        assert panel.shares.shape[1] <= 400
        assert 2 <= len(panel.ticks) <= 13
        assert (levels(panel.shares) > 0).any()


def test_folders_by_day_are_one_timeline_and_places_are_two():
    days = [searched(f"/data/{d}/a.wav", start=NOON + 24 * d * HOUR) for d in range(4)]
    (section,) = sections(gathered(*((one, []) for one in days), folder="parent"))
    assert section.title == ""
    north = searched("/data/north/a.wav", duration_s=3_600)
    south = searched("/data/south/a.wav", duration_s=3_600)
    found = [(north, [detected(north)]), (south, [])]
    places = list(sections(gathered(*found, folder="parent")))
    assert [section.title for section in places] == ["north", "south"]
    # On a duty cycle they never fill an hour, and yet are two places.
    cycle = [
        (one, [])
        for place in ("north", "south")
        for one in (
            searched(f"/data/{place}/{d}.wav", start=NOON + 24 * d * HOUR)
            for d in range(20)
        )
    ]
    places = list(sections(gathered(*cycle, folder="parent")))
    assert [section.title for section in places] == ["north", "south"]


def test_the_page_says_what_was_never_detected_and_what_failed(tmp_path):
    one = searched()
    bad = searched("/data/bad.wav", opened=False, failure="no audio")
    text = page(tmp_path, (one, [detected(one)]), (bad, []), labels=["Beluga"])
    assert "Never detected: Beluga." in text
    assert "1 recording could not be read" in text
    assert "no audio" in text


def test_of_nothing_heard_the_page_claims_no_absence(tmp_path):
    bad = searched("/data/bad.wav", opened=False)
    text = page(tmp_path, (bad, []), labels=["Beluga"])
    assert "Nothing was heard" in text
    assert "Never detected" not in text


def test_recordings_without_a_date_are_shown_in_their_own_time(tmp_path):
    found = [searched(f"/data/{n}.wav", start=None, duration_s=60) for n in range(3)]
    result = Gathered()
    for k, one in enumerate(found):
        rows = [detected(one, 30, 40)] if k == 1 else []
        result.add_undated(one.path.name, heard_of(one, rows))
    (section,) = sections(result)
    (panel,) = section.panels
    assert panel.rows == ("0.wav", "1.wav", "2.wav")
    called = np.argwhere(levels(panel.shares) > 0)
    assert set(called[:, 0]) == {1}
    seconds = called[:, 1] * 60 / panel.lengths[1]
    assert seconds.min() >= 29
    assert seconds.max() < 40
    assert "Recordings without a date" in page(tmp_path, *((one, []) for one in found))


def test_of_very_many_recordings_without_a_date_those_with_calls_are_drawn():
    result = Gathered()
    for n in range(200):
        one = searched(f"/data/{n}.wav", start=None)
        rows = [detected(one)] if n >= 190 else []
        result.add_undated(one.path.name, heard_of(one, rows))
    (section,) = sections(result)
    assert {f"{n}.wav" for n in range(190, 200)} <= set(section.panels[0].rows)
    assert section.notes == ("160 more recordings are not drawn.",)


def test_a_picture_is_drawn_where_matplotlib_is_installed(tmp_path, monkeypatch):
    one = searched()
    page(tmp_path, (one, [detected(one)]))
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")
    # An earlier run's picture would show something else.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page(tmp_path, (one, [detected(one)]))
    assert not (tmp_path / "timeline.png").exists()


def test_marks_lie_at_round_times():
    start = int(NOON.timestamp() * 1e6)
    minute = 60_000_000
    marks = time_ticks(start + 3 * minute, minute, 60)
    assert marks[0] == (7.0, "05-01 12:10")
    assert time_ticks(start, 24 * 60 * minute, 300)[0] == (30.5, "2019-06")
    assert time_ticks(start, 1_000_000, 60)[1] == (10.0, "12:00:10")
    assert length_ticks(60_000_000, 120)[4:6] == ((60.0, "1:00:00"), (75.0, "1:15:00"))


@pytest.mark.parametrize("start", [None, NOON], ids=["undated", "dated"])
def test_names_that_matplotlib_might_take_for_formulas_are_drawn(tmp_path, start):
    names = ["$\\frac$.wav", "鯨.wav", "caf\udce9.wav", "a\nb.wav", "%s{}.wav"]
    found = [
        (one, [detected(one, label=f"$\\x_{n}$")])
        for n, one in enumerate(searched(f"/data/{n}", start=start) for n in names)
    ]
    assert "frac" in page(tmp_path, *found) or start
    assert (tmp_path / "timeline.png").exists()


def test_twenty_four_recordings_are_not_taken_for_hours():
    result = Gathered()
    for n in range(24):
        one = searched(f"/data/{n}.wav", start=None)
        result.add_undated(one.path.name, heard_of(one, [detected(one)]))
    (section,) = sections(result)
    assert not section.panels[0].by_hour
    assert svg(section.panels[0]).count(".wav</text>") == 24
