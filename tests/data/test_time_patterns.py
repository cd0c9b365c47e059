"""A user's pattern: both ways of writing it, strict, and refused with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.data.time_patterns import compile_pattern, read_time
from seacall.errors import SettingsError

AT = datetime(2019, 5, 1, 19, 8)


def times(text: str, name: str) -> set[datetime]:
    pattern = compile_pattern(text)
    return {
        read_time(pattern, match.groupdict())[0]
        for match in pattern.regex.finditer(name)
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("yyyyMMdd_HHmmss", "PAM_20190501_190800"),
        ("#########yyyyMMdd_HHmmss", "12345678_20190501_190800"),
        ("*_yyyyMMdd_HHmmss", "87654321_12345678_20190501_190800"),
        ("*%Y%m%d-%H%M", "x20190501-1908"),
        ("%d%m%y_%H%M%S", "010519_190800"),
        ("%j of %Y at %Hh", "121 of 2019 at 19h"),
        ("'day 'dd.MM.yy' 'HH:mm:ss", "day 01.05.19 19:08:00"),
        ("%d%b%y %I.%M%p", "01May19 07.08PM"),
        ("rec_%s", "rec_1556737680"),
        ("hex", "5CC9EE90"),
        ("100%%_%Y%m%dT%H%M%S", "100%_20190501T190800"),
        ("#_HHmm_yyyyDDD", "é_1908_2019121"),
        ("ddMMyyyyHHmm", "010520191908"),
    ],
)
def test_a_users_pattern_reads_the_name(text: str, name: str):
    found = times(text, name)
    expected = AT.replace(minute=0) if text.endswith("h") else AT
    assert found == {expected}


def test_wildcards_at_the_front_count_from_the_beginning_of_the_name():
    assert times("##yyyyMMddHHmmss", "ab20190501190800")
    assert not times("##yyyyMMddHHmmss", "abc20190501190800")


def test_a_pattern_that_fits_twice_is_found_twice():
    name = "20190501_190800_20190502_070000"
    assert len(times("*yyyyMMdd_HHmmss", name)) == 2


def test_digits_beside_the_pattern_do_not_fit():
    assert not times("yyyyMMdd_HHmmss", "920190501_190800")
    assert not times("yyyyMMdd_HHmmss", "20190501_1908001")


def test_fractions_and_zones_are_read():
    pattern = compile_pattern("%Y%m%d_%H%M%S.%f%z")
    match = pattern.regex.search("20190501_190800.25-0430")
    assert match is not None
    local, zone = read_time(pattern, match.groupdict())
    assert local == AT + timedelta(milliseconds=250)
    assert zone == timezone(-timedelta(hours=4, minutes=30))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not give a date and an hour"),
        ("*", "does not give a date and an hour"),
        ("yyyyMMdd", "does not give a date and an hour"),
        ("HHmmss", "does not give a date and an hour"),
        ("%Y%m%d_%I%M", "does not give a date and an hour"),
        ("yyyyMMdd_HHmmss_yyyy", "twice"),
        ("%Y-%m-%d %H:%Q", "holds '%Q'"),
        ("%Y-%m-%d %H%", "holds '%'"),
        ("hydrophone_yyyyMMdd_HHmmss", "words in single quotes"),
        ("yyy-MM-dd_HH", "holds 'yyy'"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(text: str, reason: str):
    with pytest.raises(SettingsError, match=reason):
        compile_pattern(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("yyyyMMdd_HHmmss", "20190229_190800"),
        ("yyyyMMdd_HHmmss", "20190501_240000"),
        ("yyyyMMdd_HHmmss", "20190501_190860"),
        ("yyyyMMdd_HHmmss", "00000501_190800"),
        ("yyDDD_HHmm", "19366_1908"),
        ("yyDDD_HHmm", "19000_1908"),
        ("yyyyDDD_HHmm", "0001000_1908"),
        ("ddMMMyyyy_HHmm", "01Mai2019_1908"),
        ("%Y%m%d_%I%M%p", "20190501_1308PM"),
    ],
)
def test_the_calendar_is_strict(text: str, name: str):
    with pytest.raises(ValueError, match=r".+"):
        times(text, name)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2026, 1, 1)))
def test_what_strftime_writes_is_read_back(moment: datetime):
    for text in ("%Y%m%d_%H%M%S_%f", "%y%j-%I%M%S.%f%p"):
        assert times(text, moment.strftime(text)) == {moment}


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused(text: str):
    try:
        pattern = compile_pattern(text)
    except SettingsError:
        return
    list(pattern.regex.finditer("20190501_190800.wav"))
