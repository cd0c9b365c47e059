"""XWAV files made byte by byte: duty cycles, clocks that are set, damage."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wav_bytes import chunk, fmt, harp, wave

from seacall.audio.riff import read_riff
from seacall.data.stamps import latest
from seacall.data.xwav import Xwav, read_xwav
from seacall.events import Segment

START = datetime(2009, 1, 11, 13, 30, 0, 250_000)
RATE = 2_000


def write(records, *, data_size: int | None = None, header_rate: int = RATE, **how):
    """Return an XWAV file whose samples are all zero."""
    n_channels = how.get("n_channels", 1)
    align = 2 * n_channels
    head = fmt(rate=header_rate, n_channels=n_channels)
    blank = harp(records, data_offset=0, rate=RATE, align=align, **how)
    offset = 12 + len(head) + len(blank) + 8
    size = sum(n for _, n in records) * align if data_size is None else data_size
    return wave(
        head,
        harp(records, data_offset=offset, rate=RATE, align=align, **how),
        chunk(b"data", bytes(size)),
    )


def read(content: bytes) -> Xwav:
    stream = io.BytesIO(content)
    riff = read_riff(stream)
    assert riff is not None
    found = read_xwav(stream, riff, before=latest())
    assert found is not None
    return found


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def utc(seconds: float) -> datetime:
    return after(seconds).replace(tzinfo=UTC)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_duty_cycle_is_several_segments(version: int, n_channels: int):
    records = [(after(0), 1_500), (after(0.75), 1_500), (after(60), 3_000)]
    found = read(write(records, version=version, n_channels=n_channels))
    assert found == Xwav(
        sample_rate=RATE,
        segments=(Segment(0, 3_000, utc(0)), Segment(3_000, 3_000, utc(60))),
    )


@pytest.mark.parametrize(
    ("gap_s", "n_segments"),
    [(0, 1), (0.499, 1), (0.5, 2), (-0.499, 1), (-0.5, 2), (-3_600, 2)],
)
def test_gaps_below_half_a_second_are_joined(gap_s: float, n_segments: int):
    found = read(write([(after(0), 2_000), (after(1 + gap_s), 2_000)]))
    assert len(found.segments) == n_segments


def test_time_that_runs_back_is_a_doubt():
    found = read(write([(after(0), 2_000), (after(0.4), 2_000), (after(9), 2_000)]))
    assert len(found.segments) == 3
    assert "part 2 of harp begins before part 1 ends" in found.doubt


def test_small_gaps_do_not_add_up_in_silence():
    records = [(after(1.3 * n), 2_000) for n in range(10)]
    for segment in read(write(records)).segments:
        number, rest = divmod(segment.first_sample, 2_000)
        assert rest == 0
        assert segment.start == utc(1.3 * number)
        assert segment.n_samples <= 4_000


def test_the_true_rate_is_that_of_the_records():
    records = [(after(0), 2_000), (after(1), 2_000)]
    found = read(write(records, header_rate=200_000))
    assert found.sample_rate == RATE
    assert len(found.segments) == 1


def test_another_gain_begins_a_segment():
    found = read(write([(after(0), 2_000), (after(1), 2_000)], gains=[1, 2]))
    assert len(found.segments) == 2


def test_another_rate_is_a_doubt():
    found = read(write([(after(0), 2_000), (after(1), 2_000)], rates=[2_000, 4_000]))
    assert len(found.segments) == 2
    assert "rate changes" in found.doubt


def test_a_file_that_was_cut_off_has_the_segments_that_are_there():
    records = [(after(0), 2_000), (after(60), 2_000), (after(120), 2_000)]
    found = read(write(records, data_size=2 * 2_500))
    assert found.segments == (Segment(0, 2_000, utc(0)), Segment(2_000, 500, utc(60)))
    assert found.doubt == ""  # whoever reads the samples says that it is cut off


def test_samples_that_no_record_describes_have_no_time():
    found = read(write([(after(0), 2_000)], data_size=2 * 2_500))
    assert found.segments == (Segment(0, 2_000, utc(0)), Segment(2_000, 500, None))
    assert "last 500 samples" in found.doubt


def test_records_that_are_missing_are_a_doubt():
    content = write([(after(0), 2_000), (after(60), 2_000)])
    short = bytearray(content)
    count = content.index(b"harp") + 8 + 36
    short[count : count + 2] = (9).to_bytes(2, "little")
    assert "promises 9 parts and holds 2" in read(bytes(short)).doubt


def test_a_record_without_a_date_ends_what_is_known():
    content = bytearray(write([(after(0), 2_000), (after(60), 2_000)]))
    month = content.index(b"harp") + 8 + 56 + 32 + 1
    content[month] = 13
    found = read(bytes(content))
    assert found.segments == (Segment(0, 2_000, utc(0)), Segment(2_000, 2_000, None))
    assert "part 2 of harp has no date" in found.doubt


def test_records_elsewhere_in_the_file_are_a_doubt():
    content = bytearray(write([(after(0), 2_000)]))
    offset = content.index(b"harp") + 8 + 56 + 8
    content[offset] ^= 4
    assert "do not lie behind one another" in read(bytes(content)).doubt


def test_years_of_the_last_century_are_read():
    start = datetime(1998, 5, 1)
    found = read(write([(start, 2_000)]))
    assert found.segments[0].start == start.replace(tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", bytes(30), bytes(56), b"\1" * 55])
def test_a_chunk_without_records_says_nothing(body: bytes):
    stream = io.BytesIO(wave(fmt(), chunk(b"harp", body), chunk(b"data", bytes(99))))
    riff = read_riff(stream)
    assert riff is not None
    assert read_xwav(stream, riff, before=latest()) is None


@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 3_000)), min_size=1),
    st.integers(0, 400_000),
)
def test_segments_cover_every_sample_once_and_begin_when_they_did(parts, data_size):
    records, seconds, place = [], 0.0, {}
    position = 0
    for n_samples, gap_ms in parts:
        records.append((after(seconds), n_samples))
        place[position] = utc(seconds).replace(microsecond=0)
        position += n_samples
        seconds += round(n_samples / RATE * 1_000) / 1_000 + gap_ms / 1_000
    found = read(write(records, data_size=2 * (data_size // 2)))
    position = 0
    for segment in found.segments:
        assert segment.first_sample == position
        assert segment.n_samples > 0
        position += segment.n_samples
        if segment.start is not None:
            started = segment.start.replace(microsecond=0)
            assert started == place[segment.first_sample]
    assert position == data_size // 2
