"""From a recorder's clock to UTC, summer time included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.data.time_zones import parse_zone, to_utc, whole_zones_apart
from seacall.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("UTC", 0),
        ("utc", 0),
        ("Z", 0),
        ("-05:00", -5),
        ("+0530", 5.5),
        ("UTC+2", 2),
        ("GMT-3", -3),
        ("+14", 14),
        ("Etc/GMT+5", -5),  # the sign of these names is the other way round
        ("Asia/Kathmandu", 5.75),
    ],
)
def test_zones_are_read_with_their_signs(text: str, hours: float):
    offset = datetime(2019, 5, 1, tzinfo=parse_zone(text)).utcoffset()
    assert offset == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "Mars/Phobos", "+15:00", "-05:10", "America", "../etc/passwd", "5"]
)
def test_an_unknown_zone_is_named_with_a_way_out(text: str):
    with pytest.raises(SettingsError, match="give UTC, a name such as"):
        parse_zone(text)


def test_summer_time_counts():
    zone = parse_zone("America/New_York")
    assert to_utc(datetime(2019, 1, 1, 12), zone) == (
        datetime(2019, 1, 1, 17, tzinfo=UTC),
        "",
    )
    assert to_utc(datetime(2019, 7, 1, 12), zone)[0] == datetime(
        2019, 7, 1, 16, tzinfo=UTC
    )


def test_an_hour_that_occurs_twice_is_the_first_with_a_doubt():
    utc, doubt = to_utc(datetime(2019, 11, 3, 1, 30), parse_zone("America/New_York"))
    assert utc == datetime(2019, 11, 3, 5, 30, tzinfo=UTC)
    assert "twice" in doubt


def test_an_hour_that_is_left_out_is_no_time():
    utc, doubt = to_utc(datetime(2019, 3, 10, 2, 30), parse_zone("America/New_York"))
    assert utc is None
    assert "does not exist" in doubt


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
)
def test_what_is_not_doubtful_is_what_the_clock_shows(local: datetime, name: str):
    utc, doubt = to_utc(local, parse_zone(name))
    if not doubt:
        assert utc is not None
        assert utc.astimezone(ZoneInfo(name)).replace(tzinfo=None) == local


@pytest.mark.parametrize(
    ("seconds", "apart"),
    [
        (3_600, True),
        (5.75 * 3_600 + 2, True),
        (0, False),
        (2, False),
        (3_605, False),
        (24 * 3_600, True),  # Samoa and Hawaii, UTC+13 and UTC-11
        (29 * 3_600, False),
    ],
)
def test_zones_explain_whole_quarters_of_an_hour(seconds: float, apart: bool):
    noon = datetime(2019, 5, 1, 12)
    later = noon + timedelta(seconds=seconds)
    assert whole_zones_apart(noon, later) is apart
    assert whole_zones_apart(later, noon) is apart
