"""When recordings began: sources that agree, contradict one another, or say nothing."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wav_bytes import chunk, fmt, guano, harp, info, wamd, wave

from seacall.audio.io import location
from seacall.data.timestamps import RecordingTime, recording_times
from seacall.errors import SettingsError
from seacall.events import Segment

AT = datetime(2019, 5, 1, 19, 8, tzinfo=UTC)
DATA = chunk(b"data", bytes(4_000))
MOTH = "Recorded at {:%H:%M:%S %d/%m/%Y} (UTC{}) by AudioMoth 01 at medium gain"


def write(folder: Path, name: str, *chunks: bytes) -> Path:
    path = folder / name
    path.write_bytes(wave(fmt(), *chunks))
    return path


def time_of(path: Path, **how) -> RecordingTime:
    return recording_times([path], **how)[path]


def test_a_name_and_a_header_that_agree_name_the_header(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.WAV", info(MOTH.format(AT, "")), DATA)
    assert time_of(path) == RecordingTime(AT, "AudioMoth's comment in its header")


def test_a_name_without_zone_is_taken_as_utc_and_says_so(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.wav", DATA)
    found = time_of(path)
    assert (found.start, found.doubt) == (AT, "")
    assert found.source == "name, yyyyMMdd_HHmmss, taken as UTC"


@pytest.mark.parametrize(
    ("timezone", "hours"),
    [("-05:00", 5), ("America/New_York", 4), ("Asia/Kolkata", -5.5), ("UTC", 0)],
)
def test_the_zone_given_counts_for_names_without_one(timezone: str, hours: float):
    plain, zoned = Path("20190501_190800.wav"), Path("20190501T190800Z.wav")
    swift, trap = Path("S_20190501_190800_+0200.wav"), Path("5678.190501190800.wav")
    times = recording_times([plain, zoned, swift, trap], timezone=timezone)
    assert times[plain].start == AT + timedelta(hours=hours)
    assert timezone in times[plain].source or timezone.strip("-") in times[plain].source
    assert times[zoned].start == times[trap].start == AT
    assert times[swift].start == AT - timedelta(hours=2)
    assert "taken as" not in times[zoned].source


def test_a_header_with_a_zone_settles_a_name_without(tmp_path: Path):
    chunks = [info(MOTH.format(AT, "-5")), DATA]
    path = write(tmp_path, "20190501_190800.WAV", *chunks)
    found = time_of(path)
    assert (found.start, found.doubt) == (AT + timedelta(hours=5), "")


def test_a_zone_that_the_header_contradicts_is_a_doubt(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.WAV", info(MOTH.format(AT, "-5")), DATA)
    assert time_of(path, timezone="-05:00").doubt == ""
    found = time_of(path, timezone="-04:00")
    assert found.start == AT + timedelta(hours=5)
    assert "name, yyyyMMdd_HHmmss says" in found.doubt


def test_a_zone_in_the_name_comes_before_a_header_without(tmp_path: Path):
    path = write(
        tmp_path, "S_20190501_190800_-0400.wav", DATA, wamd("2019-05-01 19:08:00")
    )
    found = time_of(path)
    assert (found.start, found.doubt) == (AT + timedelta(hours=4), "")


@pytest.mark.parametrize(
    ("seconds", "doubtful"), [(2, False), (3, True), (3_600, True), (-86_400 * 9, True)]
)
def test_a_name_and_a_header_that_differ_are_a_doubt(tmp_path, seconds, doubtful):
    moment = AT + timedelta(seconds=seconds)
    header = guano(f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    path = write(tmp_path, "20190501T190800Z.wav", DATA, header)
    found = time_of(path)
    assert found.start == moment
    assert bool(found.doubt) is doubtful
    if doubtful:
        assert "name, yyyyMMdd'T'HHmmss says 2019-05-01 19:08:00 UTC" in found.doubt
        assert "GUANO in its header says" in found.doubt


def test_a_header_of_another_minute_contradicts_a_name_without_zone(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.wav", DATA, guano("2019-05-01T14:18:00Z"))
    assert "GUANO in its header says 2019-05-01 14:18:00" in time_of(path).doubt


def test_two_times_without_zone_that_differ_by_an_hour_are_a_doubt(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.wav", DATA, wamd("2019-05-01 18:08:00"))
    assert "says" in time_of(path).doubt


def test_what_an_editor_wrote_does_not_beat_the_name(tmp_path: Path):
    body = bytes(320) + b"2024-01-01" + b"08:00:00" + bytes(264)
    path = write(tmp_path, "20190501_190800.wav", chunk(b"bext", body), DATA)
    found = time_of(path)
    assert found.start == AT
    assert "bext in its header says 2024-01-01 08:00:00" in found.doubt
    other = write(tmp_path, "whale.wav", chunk(b"bext", body), DATA)
    assert time_of(other).start == datetime(2024, 1, 1, 8, tzinfo=UTC)


def test_a_clock_that_was_not_set_gives_no_time(tmp_path: Path):
    moment = datetime(1970, 1, 1, 0, 0, 10)
    path = write(tmp_path, "19700101_000010.WAV", info(MOTH.format(moment, "")), DATA)
    found = time_of(path)
    assert found.start is None
    assert "the clock was perhaps not set" in found.doubt
    assert "*yyyyMMdd_HHmmss" in found.doubt


def test_a_comment_is_still_read_when_the_file_became_flac(tmp_path: Path):
    path = tmp_path / "5A2B3C4D.flac"
    with soundfile.SoundFile(path, "w", 48_000, 1, format="FLAC") as sound:
        sound.comment = MOTH.format(AT, "-5")
        sound.write(np.zeros(100))
    assert time_of(path) == RecordingTime(
        AT + timedelta(hours=5), "AudioMoth's comment in its header"
    )


def test_an_old_name_is_sure_where_the_comment_says_the_same(tmp_path: Path):
    comment = "Recorded at 01:28:45 09/12/2017 by AudioMoth 01 at gain setting 2"
    path = write(tmp_path, "5A2B3C4D.WAV", info(comment), DATA)
    found = time_of(path)
    assert (found.start, found.doubt) == (
        datetime(2017, 12, 9, 1, 28, 45, tzinfo=UTC),
        "",
    )
    bare = write(tmp_path, "5A2B3C4E.WAV", DATA)
    assert "only a number" in time_of(bare).doubt


def test_a_catalogue_number_does_not_contradict_a_header(tmp_path: Path):
    path = write(tmp_path, "5A2B3C4D.wav", DATA, guano("2019-05-01T19:08:00Z"))
    assert time_of(path) == RecordingTime(AT, "GUANO in its header")


def test_rtsys_is_read_with_a_false_riff_size(tmp_path: Path):
    epoch = (AT.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    conf = chunk(b"conf", struct.pack("<IId", 1, 0, epoch) + bytes(88))
    path = tmp_path / "channelA_2019-05-01_19-08-00.wav"
    path.write_bytes(wave(fmt(), conf, DATA, size=8))
    assert time_of(path) == RecordingTime(AT, "RTSys conf in its header")


def log(start: str, *, name: str = "SamplingStartTimeUTC") -> str:
    handler = f'<WavFileHandler {name}="{start}"/>'
    if name.isupper():
        handler = handler.replace("WavFileHandler", "WAVFILEHANDLER")
    return (
        '<ST><CFG ID="4"><SUFFIX> wav </SUFFIX></CFG>'
        f'<PROC_EVENT ID="4">{handler}</PROC_EVENT></ST>'
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2019-01-05T19:07:59", -1),  # a second before the name, as they are
        ("05/01/2019 19:08:00", 0),
        ("01/05/2019 19:08:00", 0),
        ("01/05/2019 07:08:00 PM", 0),
    ],
)
def test_the_name_settles_the_month_of_a_soundtraps_log(tmp_path, text, seconds):
    path = write(tmp_path, "5678.190105190800.wav", DATA)
    (tmp_path / "5678.190105190800.log.xml").write_text(log(text))
    start = datetime(2019, 1, 5, 19, 8, tzinfo=UTC) + timedelta(seconds=seconds)
    for timezone in ("UTC", "-05:00"):  # logs are UTC whatever the user says
        assert time_of(path, timezone=timezone) == RecordingTime(
            start, "SoundTrap's .log.xml"
        )


def test_a_log_alone_does_not_decide_between_day_and_month(tmp_path: Path):
    path = write(tmp_path, "whale.wav", DATA)
    (tmp_path / "whale.log.xml").write_text(log("05/01/2019 19:08:00"))
    found = time_of(path)
    assert found.start is None
    assert "two ways: 2019-01-05 19:08:00, or 2019-05-01 19:08:00" in found.doubt
    (tmp_path / "whale.log.xml").write_text(log("25/01/2019 19:08:00"))
    assert time_of(path).start == datetime(2019, 1, 25, 19, 8, tzinfo=UTC)


def test_a_log_that_contradicts_the_name_is_a_doubt(tmp_path: Path):
    path = write(tmp_path, "5678.190105190800.wav", DATA)
    (tmp_path / "5678.190105190800.log.xml").write_text(log("2019-02-05T19:08:00"))
    found = time_of(path)
    assert found.start == datetime(2019, 2, 5, 19, 8, tzinfo=UTC)
    assert "name, yyMMddHHmmss says 2019-01-05" in found.doubt


def test_pamguards_log_in_local_time_does_not_beat_the_name(tmp_path: Path):
    path = write(tmp_path, "5678.190105190800.wav", DATA)
    text = log("2019-01-05 21:08:00 UTC", name="SAMPLINGSTARTTIMEUTC")
    (tmp_path / "5678.190105190800.log.xml").write_text(text)
    found = time_of(path)
    assert (found.start, found.doubt) == (
        datetime(2019, 1, 5, 19, 8, tzinfo=UTC),
        "",
    )


def test_a_log_that_cannot_be_read_is_a_doubt(tmp_path: Path):
    path = write(tmp_path, "5678.190105190800.wav", DATA)
    (tmp_path / "5678.190105190800.log.xml").write_text("<ST>")
    found = time_of(path)
    assert found.start == datetime(2019, 1, 5, 19, 8, tzinfo=UTC)
    assert ".log.xml cannot be read" in found.doubt


def xwav(folder: Path, name: str, *starts: datetime) -> Path:
    records = [(start.replace(tzinfo=None), 1_000) for start in starts]
    offset = 12 + 24 + 8 + 56 + 32 * len(records) + 8
    header = harp(records, data_offset=offset, rate=1_000)
    path = folder / name
    data = chunk(b"data", bytes(2_000 * len(records)))
    path.write_bytes(wave(fmt(rate=200_000), header, data))
    return path


def test_xwav_has_segments_and_the_true_rate(tmp_path: Path):
    later = AT + timedelta(minutes=5)
    path = xwav(tmp_path, "CINMS_B_190501_190800.x.wav", AT, later)
    assert time_of(path) == RecordingTime(
        AT,
        "harp chunk",
        segments=(Segment(0, 1_000, AT), Segment(1_000, 1_000, later)),
        sample_rate=1_000,
    )


def test_the_headers_dates_of_xwav_beat_the_users_pattern(tmp_path: Path):
    path = xwav(tmp_path, "CINMS_B_190501_200800.x.wav", AT)
    found = time_of(path, pattern="*yyMMdd_HHmmss")
    assert found.start == found.segments[0].start == AT
    assert "your *yyMMdd_HHmmss says 2019-05-01 20:08:00" in found.doubt


def test_xwav_without_its_header_says_that_pauses_are_not_known(tmp_path: Path):
    path = write(tmp_path, "CINMS_B_190501_190800.x.wav", DATA)
    flac = tmp_path / "CINMS_B_190501_190800.x.flac"
    for found in recording_times([path, flac]).values():
        assert found.start == AT
        assert "no harp chunk" in found.doubt
    broken = write(tmp_path, "B_190501_190800.x.wav", chunk(b"harp", bytes(90)), DATA)
    assert "harp chunk cannot be read" in time_of(broken).doubt


def test_the_true_rate_of_a_time_expanded_recording_is_given(tmp_path: Path):
    path = write(tmp_path, "x.wav", DATA, guano("2019-05-01T19:08:00Z", "TE:10"))
    assert time_of(path).sample_rate == 480_000


def test_a_users_pattern_is_taken_at_its_word(tmp_path: Path):
    chunks = [info(MOTH.format(AT, "")), DATA]
    path = write(tmp_path, "01052019_200800.WAV", *chunks)
    found = time_of(path, pattern="ddMMyyyy_HHmmss")
    assert found.start == AT + timedelta(hours=1)
    assert found.source == "name, your ddMMyyyy_HHmmss, taken as UTC"
    assert "AudioMoth's comment in its header says 2019-05-01 19:08:00" in found.doubt


def test_a_name_that_the_users_pattern_does_not_fit_is_a_doubt(tmp_path: Path):
    path = write(tmp_path, "20190501_190800.wav", DATA)
    found = time_of(path, pattern="yyMMddHHmmss")
    assert found.start is None
    assert "does not fit the pattern 'yyMMddHHmmss'" in found.doubt


def test_a_pattern_may_reach_into_folders():
    path = Path("site/20190501/190800.flac")
    assert time_of(path, pattern="yyyyMMdd/HHmmss").start == AT
    assert time_of(path).start is None


def test_a_pattern_that_fits_twice_is_refused():
    path = Path("20190501_190800_20190502_190800.wav")
    found = time_of(path, pattern="yyyyMMdd_HHmmss")
    assert found.start is None
    assert "more than one way" in found.doubt
    assert time_of(path, pattern="yyyyMMdd_HHmmss_*").start == AT


def test_a_wrong_pattern_or_zone_is_refused_before_anything_is_read():
    with pytest.raises(SettingsError, match="time pattern 'YYYY'"):
        recording_times([Path("a.wav")], pattern="YYYY")
    with pytest.raises(SettingsError, match="timezone 'Mars'"):
        recording_times([], timezone="Mars")


def test_no_time_says_why_and_how_to_give_one():
    found = time_of(Path("whale.flac"))
    assert found.start is None
    assert found.doubt.startswith("the name holds no date and time; give one")


def test_an_hour_that_does_not_exist_is_no_time():
    path = Path("20190310_023000.wav")
    found = time_of(path, timezone="America/New_York")
    assert found.start is None
    assert "does not exist in America/New_York" in found.doubt


def hourly(n: int, *, step: float = 1, top: int = 24) -> list[Path]:
    """Return names that a clock wrote each hour; one of ``top`` hours."""
    moments = [AT + timedelta(hours=step * i) for i in range(n)]
    return [
        Path(f"f/{i:03d}_{moment:%Y%m%d}_{moment.hour % top:02d}{moment:%M%S}.wav")
        for i, moment in enumerate(moments)
    ]


@pytest.mark.parametrize(
    ("paths", "doubtful"),
    [
        (hourly(72, top=12), True),
        (hourly(72), False),
        (hourly(10, top=12), False),  # too few to say
        ([p for p in hourly(90) if int(p.name[13:15]) < 6], False),  # nights only
    ],
)
def test_a_clock_of_twelve_hours_is_noticed(paths: list[Path], doubtful: bool):
    times = recording_times(paths).values()
    assert all(("12 hours" in time.doubt) is doubtful for time in times)
    assert all(time.start is not None for time in times)


def test_paths_keep_their_order_and_are_named_once():
    paths = [Path(f"{name}.wav") for name in ("b", "a", "b")]
    assert list(recording_times(paths)) == paths[:2]
    assert recording_times([]) == {}


@pytest.mark.parametrize("content", [b"", b"RIFF", bytes(100), b"text", b"fLaC"])
def test_files_that_are_no_recordings_are_known_by_their_names(tmp_path, content):
    path = tmp_path / "20190501_190800.wav"
    path.write_bytes(content)
    assert time_of(path).start == AT


def test_a_folder_a_pipe_and_a_missing_file_do_not_stop_the_others(tmp_path: Path):
    paths = [tmp_path / f"20190501_19080{i}.wav" for i in range(4)]
    paths[0].mkdir()
    os.mkfifo(paths[1])
    paths[3].write_bytes(wave(fmt(), DATA))
    assert [time.start is not None for time in recording_times(paths).values()] == [
        *[True] * 4
    ]


@pytest.mark.real
def test_real_names_are_read_or_are_none(real_data: Path):
    paths = [p for p in real_data.rglob("*") if p.suffix in {".flac", ".mp3", ".wav"}]
    times = recording_times(paths)
    samana = [t for p, t in times.items() if p.name.startswith("Samana")]
    assert len(samana) == 6
    assert all(t.start and t.start.year == 2009 and not t.doubt for t in samana)
    watkins = [t for p, t in times.items() if "watkins" in p.parts]
    assert not any(time.start for time in watkins)  # numbers of a catalogue
    sanctsound = {p: t for p, t in times.items() if p.name.startswith("SanctSound")}
    for path, time in sanctsound.items():
        if time.start is not None:
            digits = f"{time.start:%y%m%d}"
            assert digits in path.name
    assert sum(t.start is not None for t in sanctsound.values()) > 0.8 * len(sanctsound)


def test_remote_recordings_are_read_by_small_parts():
    pytest.importorskip("upath", reason="needs the extra remote")
    folder = location("memory://recorder-time")
    folder.mkdir(parents=True, exist_ok=True)
    trap, moth, gone = (
        folder / name
        for name in ("5678.190105190800.wav", "20190501_190800.WAV", "whale.wav")
    )
    long = chunk(b"data", bytes(10_000_000))
    trap.write_bytes(wave(fmt(), long))
    moth.write_bytes(wave(fmt(), long, guano("2019-05-01T19:08:00-05:00")))
    log_file = folder / "5678.190105190800.log.xml"
    log_file.write_text(log("05/01/2019 19:08:01"))
    times = recording_times([trap, moth, gone])
    assert times[trap].source == "SoundTrap's .log.xml"
    assert times[trap].start == datetime(2019, 1, 5, 19, 8, 1, tzinfo=UTC)
    assert times[moth] == RecordingTime(AT + timedelta(hours=5), "GUANO in its header")
    assert times[gone].start is None
    log_file.unlink()
    assert recording_times([trap])[trap].source == "name, yyMMddHHmmss"


@pytest.mark.parametrize("name", ["a\n20190501_190800", "é\t20190501_190800 b", "ü"])
def test_names_may_hold_anything(tmp_path: Path, name: str):
    path = write(tmp_path, f"{name}.wav", DATA)
    assert (time_of(path).start == AT) is (len(name) > 1)
    assert (time_of(path, pattern="*yyyyMMdd_HHmmss").start == AT) is (len(name) > 1)
