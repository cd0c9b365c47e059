"""What recorders write beside the samples: every wording, every zone, and rubbish."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wav_bytes import chunk, fmt, guano, info, wamd, wave

from seacall.audio.riff import read_riff
from seacall.data.header_times import (
    Header,
    audiomoth_stamp,
    guano_fields,
    info_fields,
    read_header,
    wamd_fields,
)

AT = datetime(2019, 5, 1, 19, 8)
DATA = chunk(b"data", bytes(100))


def read(*chunks: bytes) -> Header:
    stream = io.BytesIO(wave(fmt(), *chunks))
    riff = read_riff(stream)
    assert riff is not None
    return read_header(stream, riff)


MOTH = [
    (
        "Recorded at 19:08:00 01/05/2019 by AudioMoth 0123456789ABCDEF at gain "
        "setting 2 while battery state was 4.02V",
        0,
    ),
    (
        "Recorded at 19:08:00 01/05/2019 (UTC) by AudioMoth 0123456789ABCDEF at gain "
        "setting 2 while battery state was > 5.0V",
        0,
    ),
    ("Recorded at 19:08:00 01/05/2019 (UTC-5) by AudioMoth 01 at gain setting 2", -300),
    (
        "Recorded at 19:08:00 01/05/2019 (UTC+2) by AudioMoth 01. Recording cancelled",
        120,
    ),
    ("Recorded at 19:08:00 01/05/2019 (UTC+5:30) by AudioMoth 01 at gain", 330),
    ("Recorded at 19:08:00 01/05/2019 (UTC-3:30) by AudioMoth 01 at gain", -210),
    ("Recorded at 19:08:00 01/05/2019 (UTC+5: 0) by AudioMoth 01 at gain", 300),
    ("Recorded at 19:08:00 01/05/2019 (UTC:30) by AudioMoth 01 at gain", 30),
    ("Recorded at 19:08:00 01/05/2019 (UTC+0:30) by AudioMoth 01 at medium gain", 30),
    (
        "Recorded at 19:08:00 01/05/2019 (UTC) during deployment 0123456789ABCDEF at "
        "medium gain setting while battery state was less than 2.5V and temperature "
        "was 11.2C. Amplitude threshold was 100.",
        0,
    ),
    (
        "Recorded at 19:08:00 01/05/2019 (UTC+1) by AudioMoth 01 using external "
        "microphone at medium gain while battery was 4.2V and temperature was 11.2C. "
        "Recording stopped due to SD card write error.",
        60,
    ),
]


@pytest.mark.parametrize(("comment", "offset_min"), MOTH)
def test_every_comment_of_an_audiomoth_is_read(comment: str, offset_min: int):
    found = read(info(comment), DATA)
    assert [stamp.local for stamp in found.stamps] == [AT]
    zone = found.stamps[0].zone
    assert zone is not None
    assert zone.utcoffset(None) == timedelta(minutes=offset_min)


def test_the_day_comes_before_the_month():
    stamp = audiomoth_stamp("Recorded at 00:00:01 02/01/2020 (UTC) by AudioMoth")
    assert stamp is not None
    assert stamp.local == datetime(2020, 1, 2, 0, 0, 1)


@pytest.mark.parametrize(
    ("text", "moment", "offset_h"),
    [
        ("2019-05-01T19:08:00Z", AT, 0),
        ("2019-05-01T19:08:00+02:00", AT, 2),
        ("2019-05-01 19:08:00-0430", AT, -4.5),
        ("2019-05-01T19:08:00+02", AT, 2),
        ("2019-05-01T19:08:00", AT, None),
        ("2019-05-01 19:08:00.5", AT + timedelta(milliseconds=500), None),
        ("2019-05-01T19:08:00.123456789Z", AT + timedelta(microseconds=123_456), 0),
    ],
)
@pytest.mark.parametrize("write", [guano, wamd])
def test_timestamps_of_guano_and_wamd_are_read(write, text, moment, offset_h):
    for chunks in ([write(text), DATA], [DATA, write(text)]):
        (stamp,) = read(*chunks).stamps
        assert stamp.local == moment
        offset = stamp.zone.utcoffset(None) if stamp.zone else None
        assert offset == (None if offset_h is None else timedelta(hours=offset_h))


def test_the_true_rate_of_time_expanded_recordings_is_known():
    assert read(guano("2019-05-01T19:08:00Z", "TE:10"), DATA).expansion == 10
    assert read(wamd("2019-05-01 19:08:00", expansion=10), DATA).expansion == 10
    assert read(guano("2019-05-01T19:08:00Z", "TE:²"), DATA).expansion == 1
    assert read(DATA).expansion == 1


def test_rtsys_counts_seconds_since_1970():
    epoch = (AT - datetime(1970, 1, 1)).total_seconds()
    body = struct.pack("<IId4x", 1, 0, epoch)[:16] + bytes(80)
    (stamp,) = read(chunk(b"conf", body), DATA).stamps
    assert (stamp.local, stamp.zone) == (AT, UTC)


def bext(date: bytes, time: bytes) -> bytes:
    return chunk(b"bext", bytes(320) + date + time + bytes(264))


def test_bext_has_no_zone():
    (stamp,) = read(bext(b"2019-05-01", b"19:08:00"), DATA).stamps
    assert (stamp.local, stamp.zone) == (AT, None)


@pytest.mark.parametrize(
    "nothing",
    [
        bext(bytes(10), bytes(8)),
        bext(b"0000-00-00", b"00:00:00"),
        chunk(b"bext", b""),
        chunk(b"conf", b"1234"),
        chunk(b"guan", b""),
        chunk(b"guan", b"GUANO|Version:1.0\nTimestamp:\n"),
        chunk(b"wamd", struct.pack("<HI", 5, 1 << 31)),
        chunk(b"LIST", b"INFO"),
        chunk(b"LIST", b"adtlICMT"),
        info("Recorded with care"),
    ],
)
def test_a_chunk_without_time_says_nothing(nothing: bytes):
    assert read(nothing, DATA) == Header()


@pytest.mark.parametrize(
    "broken",
    [
        bext(b"2019-02-29", b"19:08:00"),
        bext(b"29 Feb '19", b"19:08:00"),
        guano("2019-05-01"),
        guano("yesterday, at noon"),
        wamd("2019-05-01 25:00:00"),
        info("Recorded at 25:00:00 01/05/2019 (UTC) by AudioMoth"),
        info("Recorded at 19:08:00 05/31/2019 (UTC) by AudioMoth"),
        chunk(b"conf", struct.pack("<IId", 1, 0, float("inf"))),
        chunk(b"conf", struct.pack("<IId", 1, 0, float("nan"))),
    ],
)
def test_a_date_that_does_not_exist_is_a_doubt(broken: bytes):
    found = read(broken, DATA)
    assert found.stamps == ()
    assert "in its header holds no date" in found.doubt


def test_what_is_trusted_most_comes_first_wherever_it_lies():
    found = read(
        bext(b"2019-05-01", b"19:08:00"),
        chunk(b"LIST", b"adtl"),
        info(MOTH[1][0]),
        DATA,
        wamd("2019-05-01 19:08:00"),
        guano("2019-05-01T19:08:00Z"),
    )
    assert [stamp.source.split()[0] for stamp in found.stamps] == [
        *("GUANO", "AudioMoth's", "wamd", "bext")
    ]


def test_guano_that_is_not_unicode_is_read():
    assert (
        guano_fields("GUANO|Version:1.0\nNote:été".encode("latin-1"))["Note"] == "été"
    )


@given(st.binary(max_size=200))
def test_rubbish_in_chunks_never_fails(body: bytes):
    guano_fields(body)
    wamd_fields(body)
    info_fields(b"INFO" + body)
    for name in (b"guan", b"wamd", b"bext", b"conf", b"LIST"):
        read(chunk(name, body), DATA)
