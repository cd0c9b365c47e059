"""Reading recordings: every format, and every way in which a file can be bad."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seacall.audio import io
from seacall.errors import AudioError

RATE = 24_000
Y = (np.random.default_rng(0).standard_normal(RATE) * 0.2).clip(-1, 1)
STEREO = np.stack([Y, -0.5 * Y], axis=1)

FORMATS = [
    ("wav", "WAV", "PCM_U8", 1e-2),
    ("wav", "WAV", "PCM_16", 4e-5),
    ("wav", "WAV", "PCM_24", 2e-7),
    ("wav", "WAV", "PCM_32", 1e-7),
    ("wav", "WAV", "FLOAT", 1e-7),
    ("wav", "WAV", "DOUBLE", 1e-7),
    ("wav", "RF64", "PCM_16", 4e-5),
    ("wav", "WAVEX", "PCM_24", 2e-7),
    ("w64", "W64", "PCM_16", 4e-5),
    ("flac", "FLAC", "PCM_16", 4e-5),
    ("flac", "FLAC", "PCM_24", 2e-7),
    ("aiff", "AIFF", "PCM_16", 4e-5),
    ("ogg", "OGG", "VORBIS", None),
    ("mp3", "MP3", "MPEG_LAYER_III", None),
]


@pytest.mark.parametrize(("suffix", "kind", "subtype", "tolerance"), FORMATS)
def test_every_format_is_read(
    tmp_path: Path, suffix: str, kind: str, subtype: str, tolerance: float | None
) -> None:
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, STEREO, RATE, format=kind, subtype=subtype)
    y, sample_rate = io.read(path, channel=1)
    recording = io.probe(path)
    assert (sample_rate, recording.n_channels) == (RATE, 2)
    assert abs(len(y) - RATE) <= 2_000  # MP3 adds silence at both ends
    if tolerance is None:  # lossy
        assert y.std() == pytest.approx(Y.std(), rel=0.3)
    else:
        np.testing.assert_allclose(y, Y.astype(np.float32), atol=tolerance)


@pytest.mark.parametrize("block_length", [1, 7, 1_000, 10**6])
def test_blocks_joined_are_the_recording(tmp_path: Path, block_length: int) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, Y[:2_000], RATE, subtype="PCM_16")
    blocks = list(io.read_blocks(path, block_length=block_length))
    np.testing.assert_array_equal(np.concatenate(blocks), io.read(path)[0])
    tail = np.concatenate(list(io.read_blocks(path, start=500)))
    np.testing.assert_array_equal(tail, io.read(path)[0][500:])


def write(path: Path, n: int = RATE) -> bytes:
    soundfile.write(path, Y[:n], RATE, subtype="PCM_16")
    return path.read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav: no such file"):
        io.probe(tmp_path / "nowhere.wav")


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder; give an audio file"):
        io.probe(tmp_path)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.wav").touch()
    with pytest.raises(AudioError, match=r"is empty \(0 bytes\)"):
        io.probe(tmp_path / "x.wav")


def test_a_header_without_samples_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.empty(0), RATE, subtype="PCM_16")
    with pytest.raises(AudioError, match="holds no samples"):
        io.probe(tmp_path / "x.wav")


@pytest.mark.parametrize(
    "content", [b"species,count\n1,2\n" * 50, b"\0" * 4_000, b"RIFF"]
)
def test_text_and_zeros_named_wav_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match="is not audio that can be read"):
        io.probe(tmp_path / "x.wav")


def test_audio_under_a_wrong_ending_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", Y, RATE, subtype="PCM_16")
    (tmp_path / "x.flac").rename(tmp_path / "x.wav")
    np.testing.assert_allclose(io.read(tmp_path / "x.wav")[0], Y, atol=4e-5)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
def test_a_cut_off_wav_is_named_with_both_lengths(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.wav"
    content = write(path)
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(AudioError, match="is cut off, its header promises 24000 sam"):
        io.probe_whole(path)
    recording = io.probe(path)
    assert "promises 24000 samples" in recording.cut_off
    assert recording.n_samples == (int(len(content) * keep) - 44) // 2
    with pytest.raises(AudioError, match="is cut off, its header promises 24000 sam"):
        io.read(path)


def test_a_cut_off_flac_gives_what_is_there_and_then_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    soundfile.write(path, Y, RATE, subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    blocks = io.read_blocks(path, block_length=1_000)
    assert len(next(blocks)) == 1_000
    with pytest.raises(AudioError, match=r"is cut off|cannot be decoded"):
        list(blocks)


def test_a_streamed_wav_without_a_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = bytearray(write(path))
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(bytes(content))
    assert len(io.read(path)[0]) == RATE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sample_that_is_no_number_is_named(
    tmp_path: Path, value: float, channels: int
) -> None:
    y = Y.copy()
    y[12_345] = value
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([y] * channels, axis=1), RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="sample 12345 is not a finite number"):
        io.read(path)


@pytest.mark.parametrize("value", [1e25, -1e25])
def test_a_sample_whose_power_is_no_number_is_named(
    tmp_path: Path, value: float
) -> None:
    y = Y.copy()
    y[12_345] = value
    soundfile.write(tmp_path / "x.wav", y, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"sample 12345 is -?1e\+25, and full scale"):
        io.read(tmp_path / "x.wav")


def test_float_samples_that_are_unscaled_integers_are_read(tmp_path: Path) -> None:
    y = Y * np.float32(2**31)
    soundfile.write(tmp_path / "x.wav", y, RATE, subtype="FLOAT")
    np.testing.assert_allclose(io.read(tmp_path / "x.wav")[0], y, rtol=1e-6)


@pytest.mark.parametrize("rate", [999, 600_000])
def test_an_impossible_sample_rate_is_named(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", Y, rate, subtype="PCM_16")
    with pytest.raises(AudioError, match=f"sample rate {rate} Hz is outside"):
        io.probe(tmp_path / "x.wav")


def test_a_channel_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x.wav")
    with pytest.raises(AudioError, match="has no channel 2; choose one from 1 to 1"):
        io.read(tmp_path / "x.wav", channel=2)


def test_recordings_are_found_in_order_and_hidden_files_left_out(
    tmp_path: Path,
) -> None:
    for name in ("b/2.WAV", "a/1.flac", ".hidden.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [p.relative_to(tmp_path).as_posix() for p in io.find_recordings(tmp_path)]
    assert found == ["a/1.flac", "b/2.WAV"]


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no recordings"):
        io.find_recordings(tmp_path)
    with pytest.raises(AudioError, match="no such folder"):
        io.find_recordings(tmp_path / "nowhere")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(position=st.integers(0, 200), junk=st.binary(min_size=1, max_size=20))
def test_a_damaged_header_gives_samples_or_one_clear_error(
    tmp_path: Path, position: int, junk: bytes
) -> None:
    path = tmp_path / "x.wav"
    content = bytearray(write(path, n=500))
    content[position : position + len(junk)] = junk
    path.write_bytes(bytes(content))
    message = ""
    try:
        assert np.isfinite(io.read(path)[0]).all()
    except AudioError as error:
        message = str(error)
    assert not message or (str(path) in message and "\n" not in message)
