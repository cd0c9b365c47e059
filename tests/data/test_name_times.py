"""Dates in file names: the right one, or an honest refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.data.name_patterns import PATTERNS
from seacall.data.name_times import NameTime, name_times
from seacall.data.stamps import latest

AT = datetime(2019, 5, 1, 19, 8)


def read(*stems: str, suffix: str = ".wav") -> list[NameTime]:
    paths = [Path("folder") / f"{stem}{suffix}" for stem in stems]
    return list(name_times(paths, before=latest()).values())


def one(stem: str) -> NameTime:
    return read(stem)[0]


def local(stem: str) -> datetime | None:
    stamp = one(stem).stamp
    return stamp.local if stamp else None


PAMGUARD = [
    ("01_27_00__DMY_09_05_10", datetime(2010, 5, 9, 1, 27)),
    ("19h08m00s01May2019", AT),
    ("2019_05_01_19_08_00", AT),
    ("20190501_190800_123", AT + timedelta(milliseconds=123)),
    ("2019.05.01_19.08.00", AT),
    ("2019.05.01-19.08.00", AT),
    ("20190501_190800", AT),
    ("20190501$190800", AT),
    ("20190501-190800", AT),
    ("19.05.01_19.08.00", AT),
    ("19.05.01-19.08.00", AT),
    ("190501_190800", AT),
    ("190501-190800", AT),
    ("2019.05.01_19.08", AT),
    ("2019.05.01-19.08", AT),
    ("20190501_1908", AT),
    ("20190501-1908", AT),
    ("19.05.01_19.08", AT),
    ("19.05.01-19.08", AT),
    ("190501_1908", AT),
    ("190501-1908", AT),
    ("19.121_19.08.00", AT),
    ("19.121-19.08.00", AT),
    ("19121_190800", AT),
    ("19121-190800", AT),
    ("19.121_19.08", AT),
    ("19.121-19.08", AT),
    ("19121_1908", AT),
    ("19121-1908", AT),
    ("2019-05-01 19_08_00", AT),
    ("2019-05-01_19-08-00", AT),
    ("20190501190800", AT),
    ("2019-05-01 19-08-00", AT),
]


def test_all_patterns_of_pamguard_are_here():
    assert len(PAMGUARD) == 33


@pytest.mark.parametrize("around", ["{}", "PAM_{}", "{}_ch1", "a.{}.x", "SM3 {} T"])
@pytest.mark.parametrize(("stem", "moment"), PAMGUARD)
def test_patterns_of_pamguard_are_read(stem: str, moment: datetime, around: str):
    assert local(around.format(stem)) == moment


@pytest.mark.parametrize(("stem", "moment"), PAMGUARD)
def test_only_patterns_that_numbers_fit_by_chance_are_doubted(stem, moment):
    two_digits = not stem.startswith(("20", "01_27"))
    short = len([c for c in stem if c.isdigit()]) < 12 or ".121" in stem
    assert bool(one(stem).doubt) == (two_digits and short and "May" not in stem)


MISREAD = [
    # What PAMGuard's parser makes something else of, in silence.
    ("SMM03873_20220719_000000", datetime(2022, 7, 19)),
    ("SITE123456_20190501_190800", AT),
    ("OWL_123456_2022-07-19_T00-00-00", datetime(2022, 7, 19)),
    ("20190501T190800Z_SN654321", AT),
    ("20191301_256199", None),
    ("20190501-190800-123456", AT + timedelta(microseconds=123456)),
    ("20190501-191108-123456", datetime(2019, 5, 1, 19, 11, 8, 123456)),
    # What it does not read.
    ("190800_20190501", AT),
    ("2020-05-01T19:08:00.000Z", datetime(2020, 5, 1, 19, 8)),
    ("SanctSound_CI01_04_671389738_191201000002", datetime(2019, 12, 1, 0, 0, 2)),
    ("5678.190501190800.0", AT),
    # Numbers of instruments that look like dates.
    ("OWL_121110_2022-07-19_T00-00-00", datetime(2022, 7, 19)),
    ("SN12345_190501_190800", AT),
    ("123456_190501_190800", AT),
    ("123456_20190501_190800", AT),
    ("99999999_190501_190800", AT),
    ("24E144085F256BC4_20190501_190800", AT),
]


@pytest.mark.parametrize(("stem", "moment"), MISREAD)
def test_names_that_others_misread_are_read_or_refused(stem, moment):
    assert local(stem) == moment
    if moment is None:
        assert "holds no such date" in one(stem).doubt


RECORDERS = [
    ("1208791071.181213163129", datetime(2018, 12, 13, 16, 31, 29), "UTC"),
    ("5678.190501120000", datetime(2019, 5, 1, 12), "UTC"),  # noon stays noon
    ("ONMS_FK01_7412_20230314_204134", datetime(2023, 3, 14, 20, 41, 34), "None"),
    ("20190501_190800T", AT, "None"),
    ("SBT-6-76-18_0+1_0_20160621_080000", datetime(2016, 6, 21, 8), "None"),
    ("SM4_20190501$190800", AT, "None"),
    ("SwiftOne_20220719_000000_-0400", datetime(2022, 7, 19), "UTC-04:00"),
    ("608.1.20180426T114026Z", datetime(2018, 4, 26, 11, 40, 26), "UTC"),
    ("AMAR613.20190604T182000Z", datetime(2019, 6, 4, 18, 20), "UTC"),
    ("MARS_20220831_235016", datetime(2022, 8, 31, 23, 50, 16), "None"),
    (
        "ICLISTENHF1251_20130813T063620.983Z",
        datetime(2013, 8, 13, 6, 36, 20, 983_000),
        "UTC",
    ),
    ("channelA_2021-10-11_13-11-09", datetime(2021, 10, 11, 13, 11, 9), "UTC"),
    ("uPAM_20190501_190800_000250", AT + timedelta(microseconds=250), "None"),
    ("KE_20190501_190800.500", AT + timedelta(milliseconds=500), "None"),
    ("MTE_190501_190800", AT, "None"),
    ("190800_20190501_uAural", AT, "None"),
    ("190501190800_BK", AT, "None"),
    ("NRS11_20191231_230836", datetime(2019, 12, 31, 23, 8, 36), "UTC"),
    ("NRS11_20191231_230860", datetime(2019, 12, 31, 23, 8, 59), "UTC"),
    ("NRS11_191024T022220Z.d100.x", datetime(2019, 10, 24, 2, 22, 20), "UTC"),
    ("CINMS_B_190501_190800.d100.x", AT, "UTC"),
    (
        "Other-SanctSound1CI01-20181205T132218.x",
        datetime(2018, 12, 5, 13, 22, 18),
        "UTC",
    ),
    (
        "SanctSound_CI02_04_rain_20200206T035909Z_26dBgain",
        datetime(2020, 2, 6, 3, 59, 9),
        "UTC",
    ),
    (
        "SanctSound_CI01_01_SnappingShrimp_20181101T080448",
        datetime(2018, 11, 1, 8, 4, 48),
        "UTC",
    ),
    (
        "2019_05_01_19_08_00_000250-0430",
        AT + timedelta(microseconds=250),
        "UTC-04:30",
    ),
    ("2019_05_01_19_08_00_000250", AT + timedelta(microseconds=250), "None"),
    ("2019-05-01T19:08:00+02:00", AT, "UTC+02:00"),
    ("2019-05-01T19-08-00Z", AT, "UTC"),
    ("20190501T1908Z", AT, "UTC"),
    ("20190501_190800UTC", AT, "UTC"),
    ("2019-05-01_19-08-00_rpi_orcasound_lab-48000-1", AT, "None"),
    ("20190501_070800PM", AT, "None"),
    ("20190501_120800 AM", datetime(2019, 5, 1, 0, 8), "None"),
    ("20190501_120800pm", datetime(2019, 5, 1, 12, 8), "None"),
    ("20190501_190800_AM", AT, "None"),  # Anna Meyer
    ("2019-05-01T19:08:00-04:00", AT, "UTC-04:00"),
    ("20190501T190800-0400", AT, "UTC-04:00"),
    ("SM305991_20140227-1630", datetime(2014, 2, 27, 16, 30), "None"),
    ("49555837_041104-0526", datetime(2004, 11, 4, 5, 26), "None"),
    ("19980501_190800", datetime(1998, 5, 1, 19, 8), "None"),
    ("980501_190800", datetime(1998, 5, 1, 19, 8), "None"),
]


@pytest.mark.parametrize(("stem", "moment", "zone"), RECORDERS)
def test_names_of_recorders_are_read_with_their_zone(stem, moment, zone):
    stamp = one(stem).stamp
    assert stamp is not None
    assert (stamp.local, str(stamp.zone)) == (moment, zone)


REFUSED = [
    ("whale", "holds no date and time"),
    ("", "holds no date and time"),
    ("SanctSound_CI01_01_bocaccio_20181101TXXXXXXZ", "no time of day"),
    ("SanctSound_CI01_Bocaccio_20181101", "no time of day"),
    ("20190501_190800_20190501_200800", "two ways"),  # from, to
    ("111111_190501_190800", "two ways"),
    ("20190501_190800Z_20190501_190800+0200", "two ways"),
    ("SM120107_20170420-0611", "two ways"),
    ("SM001023_080505_0017", "two ways"),
    ("19.05.01_19.08.75", "no such date"),
    ("20190229_000000", "no such date"),
    ("20190501_240000", "no such date"),
    ("20190501_190860", "no such date"),
    ("19700101_000010", "no such date"),
    ("29990101_000010", "no such date"),
    ("890501_190800", "no such date"),
    ("920190501_190800", "holds no date and time"),
    ("62018001", "holds no date and time"),
    ("20190501", "no time of day"),
]


@pytest.mark.parametrize(("stem", "reason"), REFUSED)
def test_what_cannot_be_known_is_not_said(stem: str, reason: str):
    found = one(stem)
    assert found.stamp is None
    assert reason in found.doubt


def test_tomorrow_is_believed_and_next_week_is_not():
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    soon, later = now + timedelta(hours=20), now + timedelta(days=7)
    assert local(f"{soon:%Y%m%d_%H%M%S}") == soon
    assert local(f"{later:%Y%m%d_%H%M%S}") is None


def test_old_hexadecimal_names_are_read_with_a_doubt():
    found = read("5A2B3C4D", "5A2B3E50")
    assert [name.stamp.local for name in found if name.stamp] == [
        datetime(2017, 12, 9, 1, 28, 45),
        datetime(2017, 12, 9, 1, 37, 20),
    ]
    assert all("only a number" in name.doubt for name in found)


@pytest.mark.parametrize(
    "stems",
    [
        ("6202600A", "6202600B", "6202200E"),  # numbers of a catalogue
        ("5A2B3C4D", "whale"),
        ("5A2B3C4D", "00000001"),
        ("5a2b3c4d",),
        ("FA2B3C4D",),
    ],
)
def test_other_names_of_eight_hexadecimal_digits_are_numbers(stems):
    assert [name.stamp for name in read(*stems)] == [None] * len(stems)


def test_seconds_since_1970_are_read_with_a_doubt():
    found = one("rec_1541027406")
    assert found.stamp is not None
    assert found.stamp.local == datetime(2018, 10, 31, 23, 10, 6)
    assert "only a number" in found.doubt


def test_what_may_be_a_zone_is_a_doubt():
    found = one("20190501_190800-0400")
    assert found.stamp is not None
    assert (found.stamp.local, found.stamp.zone) == (AT, None)
    assert "-0400 in the name may be its zone" in found.doubt
    assert not one("20190501_190800-0417").doubt


def test_what_fits_only_some_names_of_a_folder_is_chance():
    found = read("190501_191108_0017", "190501_194408_0018")
    assert [name.stamp.local.hour for name in found if name.stamp] == [19, 19]
    assert "two ways" in one("190501_191108_0017").doubt


def test_a_pattern_that_does_not_fit_all_names_is_not_used_for_any():
    found = read("190501_190800", "191301_190800")
    assert [name.stamp for name in found] == [None, None]
    assert all("not 191301_190800" in name.doubt for name in found)


def test_one_bad_name_among_years_of_four_digits_is_one_without_time():
    found = read("20190501_190800", "20191301_190800", "20190502_190800")
    assert [name.stamp is not None for name in found] == [True, False, True]


def test_another_recorder_in_the_folder_is_read_by_its_own_pattern():
    found = read("5678.190501190800", "20190501_190800", "notes")
    assert [name.stamp is not None for name in found] == [True, True, False]


def test_names_that_begin_with_the_day_are_noticed():
    found = read("010519_190800", "020519_190800", "030519_190800")
    assert [name.stamp for name in found] == [None] * 3
    assert all("the day may come first" in name.doubt for name in found)


def test_folders_are_read_apart():
    paths = [Path("a/190501_190800.wav"), Path("b/191301_190800.wav")]
    times = name_times(paths, before=latest())
    assert times[paths[0]].stamp is not None
    assert times[paths[1]].stamp is None


@given(
    st.sampled_from([text for text in PATTERNS if "SSS" not in text]),
    st.datetimes(datetime(2000, 1, 1), datetime(2025, 12, 31)),
)
def test_every_pattern_reads_what_it_would_write(text: str, moment: datetime):
    codes = [
        *(("yyyy", "%Y"), ("yy", "%y"), ("MMM", "%b"), ("MM", "%m"), ("DDD", "%j")),
        *(("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")),
    ]
    for run, code in codes:
        text = text.replace(run, code) if f"%{run[0]}" not in text else text
    moment = moment.replace(microsecond=0)
    if "%S" not in text:
        moment = moment.replace(second=0)
    name = moment.strftime(text.replace("'", ""))
    found = one(name)
    assert found.stamp is None or found.stamp.local == moment
    assert found.stamp is not None or found.doubt


@given(st.text(max_size=40))
def test_any_name_is_read_or_refused_with_a_reason(stem: str):
    path = Path("folder") / (stem.replace("/", "").replace("\0", "") + ".wav")
    found = name_times([path], before=latest())[path]
    assert found.stamp is not None or found.doubt
