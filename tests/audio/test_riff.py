"""Walking WAV files: every header that recorders leave, and none that hangs."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from wav_bytes import chunk, fmt, wave

from seacall.audio.riff import MAX_CHUNKS, Riff, read_chunk, read_riff

SAMPLES = np.arange(-500, 500, dtype="<i2").tobytes()
GUANO = b"GUANO|Version:1.0\nTimestamp:2024-05-01T19:08:00Z\n"


def walk(content: bytes) -> Riff:
    riff = read_riff(io.BytesIO(content))
    assert riff is not None
    return riff


def samples_of(content: bytes) -> bytes:
    data = walk(content).data
    assert data is not None
    return content[data.offset : data.offset + data.size]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64"])
def test_a_sound_file_is_what_libsndfile_says(tmp_path: Path, kind: str, subtype: str):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros((123, 2)), 44_100, format=kind, subtype=subtype)
    info = soundfile.info(path)
    with path.open("rb") as stream:
        riff = read_riff(stream)
    assert riff is not None
    assert riff.format is not None
    assert riff.data is not None
    assert riff.format.n_channels == info.channels
    assert riff.format.sample_rate == info.samplerate
    assert riff.format.tag == (3 if subtype == "FLOAT" else 1)
    assert riff.data.size == riff.data.promised == 123 * riff.format.block_align
    assert riff.n_left_over == 0


def test_chunks_before_and_after_the_samples_are_found_and_read():
    content = wave(fmt(), chunk(b"harp", b"H" * 57), chunk(b"data", SAMPLES))
    content += chunk(b"guan", GUANO) + chunk(b"wamd", b"abc")
    riff = walk(content)
    assert [c.name for c in riff.chunks] == ["fmt ", "harp", "data", "guan", "wamd"]
    guan = riff.chunk("guan")
    assert guan is not None
    assert read_chunk(io.BytesIO(content), guan) == GUANO
    assert read_chunk(io.BytesIO(content), guan, limit=5) == GUANO[:5]
    assert riff.chunk("bext") is None


NO_LENGTH = [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, 0xFFFFFFFF]


@pytest.mark.parametrize("riff_size", [0, 8, 36, 480, 0xFFFFFFFF])
@pytest.mark.parametrize("size", NO_LENGTH)
def test_samples_are_found_where_the_header_gives_no_length(size: int, riff_size: int):
    data = chunk(b"data", SAMPLES, size=size)
    found = walk(wave(fmt(), data, size=riff_size)).data
    assert found is not None
    assert (found.size, found.promised) == (len(SAMPLES), None)


@pytest.mark.parametrize("size", NO_LENGTH)
def test_chunks_behind_samples_of_no_length_are_not_taken_for_sound(size: int):
    data = chunk(b"data", SAMPLES, size=size)
    content = wave(fmt(), data, chunk(b"LIST", b"INFO"), chunk(b"guan", GUANO))
    assert samples_of(content) == SAMPLES
    assert [c.name for c in walk(content).chunks] == ["fmt ", "data", "LIST", "guan"]


def test_a_name_of_a_chunk_within_the_samples_is_sound():
    sound = SAMPLES + b"guan" + SAMPLES
    assert samples_of(wave(fmt(), chunk(b"data", sound, size=0))) == sound


def test_an_empty_recording_with_chunks_behind_it_stays_empty():
    content = wave(fmt(), chunk(b"data", b""), chunk(b"guan", GUANO))
    assert samples_of(content) == b""
    assert walk(content).chunk("guan") is not None


def test_a_file_that_was_cut_off_tells_what_was_promised():
    content = wave(fmt(n_channels=2), chunk(b"data", SAMPLES))[:-5]
    data = walk(content).data
    assert data is not None
    assert data.promised == len(SAMPLES)
    assert data.size == len(SAMPLES) - 8  # whole samples of both channels


def test_an_odd_chunk_without_its_padding_byte_is_passed():
    content = wave(fmt(), chunk(b"note", b"abc", pad=False), chunk(b"data", SAMPLES))
    assert samples_of(content) == SAMPLES


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
@pytest.mark.parametrize("size", [0xFFFFFFFF, len(SAMPLES)])
def test_long_forms_are_read(form: bytes, size: int):
    long = struct.pack("<QQQI", 0, len(SAMPLES), 0, 1) + struct.pack("<4sQ", b"big ", 6)
    content = wave(
        chunk(b"ds64", long),
        fmt(),
        chunk(b"big ", b"abcdef", size=0xFFFFFFFF),
        chunk(b"data", SAMPLES, size=size),
        chunk(b"guan", GUANO),
        form=form,
        size=0xFFFFFFFF,
    )
    assert samples_of(content) == SAMPLES
    assert walk(content).form == form.decode()
    assert walk(content).chunk("guan") is not None


def test_zeros_in_the_long_form_are_repaired():
    content = wave(
        chunk(b"ds64", bytes(28)),
        fmt(),
        chunk(b"data", SAMPLES, size=0xFFFFFFFF),
        form=b"RF64",
    )
    assert samples_of(content) == SAMPLES


@pytest.mark.parametrize("wrapped", [True, False])
def test_more_than_four_gib_in_a_plain_header_is_all_found(tmp_path, wrapped: bool):
    n_bytes = (1 << 32) + 1_000
    size = n_bytes % (1 << 32) if wrapped else 0xFFFFFFFF
    path = tmp_path / "long.wav"
    with path.open("wb") as stream:
        stream.write(wave(fmt(), chunk(b"data", b"", size=size)))
        stream.seek(n_bytes, 1)
        stream.write(chunk(b"guan", GUANO))
    with path.open("rb") as stream:
        riff = read_riff(stream)
    assert riff is not None
    assert riff.data is not None
    assert (riff.data.size, riff.data.promised) == (n_bytes, None)
    assert riff.chunk("guan") is not None


def test_bytes_that_are_no_chunk_are_counted():
    content = wave(fmt(), chunk(b"data", SAMPLES)) + bytes(512)
    riff = walk(content)
    assert riff.n_left_over == 512
    assert samples_of(content) == SAMPLES


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"fLaC" + bytes(60), bytes(100), wave()[:11], b"RIFX" * 9]
)
def test_other_files_are_none(content: bytes):
    assert read_riff(io.BytesIO(content)) is None


def test_a_million_tiny_chunks_end_the_walk():
    assert len(walk(wave(chunk(b"note", b"") * 100_000)).chunks) == MAX_CHUNKS


class Counting(io.BytesIO):
    """A file that counts what is read of it, as a remote one would be paid for."""

    n_read = 0

    def read(self, size: int | None = -1) -> bytes:
        got = super().read(size)
        self.n_read += len(got)
        return got


def test_little_is_read_of_a_long_file():
    content = wave(fmt(), chunk(b"data", bytes(10_000_000)), chunk(b"guan", GUANO))
    stream = Counting(content)
    assert read_riff(stream) is not None
    assert stream.n_read < 10_000


@given(st.binary(max_size=300), st.integers(0, 60))
def test_damage_anywhere_never_fails_nor_leaves_the_file(junk: bytes, place: int):
    content = bytearray(wave(fmt(), chunk(b"data", SAMPLES), chunk(b"guan", GUANO)))
    content[12 + place : 12 + place + len(junk)] = junk
    riff = read_riff(io.BytesIO(bytes(content)))
    assert riff is not None
    for part in riff.chunks:
        assert part.size >= 0
        assert part.offset + part.size <= len(content)
