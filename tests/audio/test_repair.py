"""Files that recorders leave after a power cut, and files that were cut or damaged."""

from __future__ import annotations

import csv
import io as memory
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seacall.audio import io
from seacall.audio.reach import flac_reach
from seacall.errors import AudioError

RATE = 24_000
Y = (np.random.default_rng(0).standard_normal(RATE) * 0.2).clip(-1, 1)
STEREO = np.stack([Y, -0.5 * Y], axis=1)
GUANO = b"GUANO|Version:1.0\nMake:X\n"
TRAILER = b"guan" + struct.pack("<I", len(GUANO)) + GUANO + b"\0" * (len(GUANO) % 2)


def write(
    path: Path, y: np.ndarray = Y, *, kind: str = "WAV", subtype: str = "PCM_16"
) -> bytearray:
    soundfile.write(path, y, RATE, format=kind, subtype=subtype)
    return bytearray(path.read_bytes())


def data_size_at(content: bytes | bytearray) -> int:
    return bytes(content).index(b"data") + 4


def read_to_the_end(path: Path, **options: int) -> tuple[np.ndarray, str]:
    """Return what can be read, and why no more."""
    blocks, failure = [np.empty(0, np.float32)], ""
    try:
        for block in io.read_blocks(path, **options):
            blocks.append(block)
    except AudioError as error:
        failure = str(error)
    return np.concatenate(blocks), failure


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF])
@pytest.mark.parametrize("riff_size", [0, 8, 36, 480, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_header_without_a_length_is_read_to_the_end(
    tmp_path: Path, size: int, riff_size: int, subtype: str
) -> None:
    path = tmp_path / "x.wav"
    content = write(path, STEREO, kind="WAVEX", subtype=subtype)
    expected = io.read(path, channel=1)[0]
    at = data_size_at(content)
    content = content[
        : at + 4 + RATE * 2 * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    ]
    content[4:8] = struct.pack("<I", riff_size)
    content[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(content)
    recording = io.probe(path)
    assert recording.n_samples == RATE
    assert "no length" in recording.repaired
    assert recording.cut_off == ""
    np.testing.assert_array_equal(io.read(path, channel=1)[0], expected)


def test_chunks_behind_the_samples_do_not_become_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = write(path)
    at = data_size_at(content)
    content[at : at + 4] = bytes(4)
    path.write_bytes(content + TRAILER)
    assert io.probe(path).n_samples == RATE


def test_a_power_cut_may_leave_part_of_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = write(path, STEREO)
    at = data_size_at(content)
    content[at : at + 4] = bytes(4)
    path.write_bytes(content[:-3])
    assert io.probe(path).n_samples == RATE - 1
    assert len(io.read(path)[0]) == RATE - 1


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
@pytest.mark.parametrize("sizes", ["right", "zero"])
def test_rf64_and_bw64_are_read_with_and_without_sizes(
    tmp_path: Path, form: bytes, sizes: str
) -> None:
    path = tmp_path / "x.wav"
    content = write(path, kind="RF64")
    content[:4] = form
    if sizes == "zero":
        at = bytes(content).index(b"ds64") + 8
        content[at : at + 24] = bytes(24)
    path.write_bytes(content)
    np.testing.assert_allclose(io.read(path)[0], Y, atol=4e-5)


@pytest.mark.parametrize(
    ("form", "size"), [("RIFF", 0xFFFFFFFF), ("RIFF", 0), ("RIFF", 4_096), ("RF64", 0)]
)
def test_a_sparse_file_of_more_than_4_gib_is_read_in_full(
    tmp_path: Path, form: str, size: int
) -> None:
    n_bytes = (1 << 32) + 2 * RATE
    path = tmp_path / "long.wav"
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    if form == "RF64":
        long = struct.pack("<4sIQQQI", b"ds64", 28, n_bytes + 72, n_bytes, 0, 0)
        head = b"RF64\xff\xff\xff\xffWAVE" + long + fmt + b"data\xff\xff\xff\xff"
    else:
        head = b"RIFF\0\0\0\0WAVE" + fmt + b"data" + struct.pack("<I", size)
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + n_bytes - 2 * RATE)
        file.write((Y * 32_767).astype("<i2").tobytes())
    recording = io.probe(path)
    assert recording.n_samples == n_bytes // 2
    assert bool(recording.repaired) == (form == "RIFF")
    tail = np.concatenate(list(io.read_blocks(path, start=n_bytes // 2 - RATE)))
    np.testing.assert_allclose(tail, Y, atol=7e-5)


def test_a_header_that_was_renewed_for_the_last_time_in_between_is_not_believed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.wav"
    content = write(path, np.tile(Y, 4))
    at = data_size_at(content)
    content[at : at + 4] = struct.pack("<I", RATE)  # half a second of four
    path.write_bytes(content)
    recording = io.probe(path)
    assert recording.n_samples == 4 * RATE
    assert "behind the end" in recording.repaired


def test_a_header_that_lacks_a_padding_byte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = write(path)
    odd = b"note" + struct.pack("<I", 5) + b"moody"
    at = data_size_at(content) - 4
    path.write_bytes(content[:at] + odd + content[at:])
    np.testing.assert_allclose(io.read(path)[0], Y, atol=4e-5)


def test_a_header_and_no_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = write(path)
    at = data_size_at(content)
    for size in (0, 0xFFFFFFFF, 48_000):
        content[at : at + 4] = struct.pack("<I", size)
        path.write_bytes(content[: at + 4])
        with pytest.raises(AudioError, match="holds no samples"):
            io.probe(path)


CUT = [
    ("x.wav", "WAV", "PCM_16", "promises 24000 samples"),
    ("x.wav", "WAV", "PCM_24", "promises 24000 samples"),
    ("x.wav", "RF64", "PCM_16", "promises 24000 samples"),
    ("x.aiff", "AIFF", "PCM_16", "promises 24000 samples"),
    ("x.flac", "FLAC", "PCM_16", "promises 24000 samples"),
    ("x.flac", "FLAC", "PCM_24", "promises 24000 samples"),
    ("x.mp3", "MP3", "MPEG_LAYER_III", "of the bytes it promises"),
    ("x.ogg", "OGG", "VORBIS", "last page is missing"),
]


@pytest.mark.parametrize("keep", [0.95, 0.7])
@pytest.mark.parametrize(("name", "kind", "subtype", "words"), CUT)
def test_a_cut_off_file_gives_all_samples_before_the_cut_and_then_an_error(
    tmp_path: Path, name: str, kind: str, subtype: str, words: str, keep: float
) -> None:
    path = tmp_path / name
    content = write(path, np.tile(STEREO, (4, 1)), kind=kind, subtype=subtype)
    whole = io.read(path, channel=2)[0]
    path.write_bytes(content[: int(keep * len(content))])
    words = words.replace("24000", str(4 * RATE))
    recording = io.probe(path)
    assert words in recording.cut_off
    with pytest.raises(AudioError, match=words):
        io.probe_whole(path)
    y, failure = read_to_the_end(path, channel=2)
    assert "is cut off" in failure
    assert words in failure
    assert 0.3 * len(whole) < len(y) < len(whole)
    if io.seekable(recording):
        assert len(y) == recording.n_samples
        np.testing.assert_array_equal(y, whole[: len(y)])


def test_a_cut_off_wav_of_compressed_blocks_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    content = write(path, subtype="IMA_ADPCM")
    whole = io.read(path)[0]
    path.write_bytes(content[: len(content) // 2])
    y, failure = read_to_the_end(path)
    assert "bytes of samples are there" in failure
    assert 0.4 * len(whole) < len(y) < 0.6 * len(whole)
    np.testing.assert_array_equal(y, whole[: len(y)])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(n=st.integers(1, 30_000), keep=st.floats(0.02, 1.0))
def test_no_whole_frame_of_a_cut_off_flac_is_lost(
    tmp_path: Path, subtype: str, n: int, keep: float
) -> None:
    path = tmp_path / "x.flac"
    samples = np.resize(STEREO, (n, 2))
    content = write(path, samples, kind="FLAC", subtype=subtype)
    whole = soundfile.read(path, dtype="float32")[0][:, 0]
    length = int(keep * len(content))
    path.write_bytes(content[:length])
    y, failure = read_to_the_end(path, channel=1)
    np.testing.assert_array_equal(y, whole[: len(y)])
    assert len(y) == min(n, 4_096 * frames_before(samples, subtype, length))
    assert bool(failure) == (length < len(content))


def frames_before(y: np.ndarray, subtype: str, length: int) -> int:
    """Count the frames that end before a byte: each is encoded on its own."""
    ends = []
    for n in range(4_096, len(y) + 4_096, 4_096):
        file = memory.BytesIO()
        soundfile.write(file, y[:n], RATE, format="FLAC", subtype=subtype)
        ends.append(len(file.getvalue()))
    return sum(end <= length for end in ends)


def test_a_flac_whose_header_gives_no_length_is_read_and_sought(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    content = write(path, kind="FLAC")
    packed = struct.unpack_from(">Q", content, 18)[0] >> 36 << 36
    content[18:26] = struct.pack(">Q", packed)
    path.write_bytes(content)
    recording = io.probe(path)
    assert recording.n_samples == RATE
    assert "no length" in recording.repaired
    np.testing.assert_allclose(io.read(path)[0], Y, atol=4e-5)
    tail = np.concatenate(list(io.read_blocks(path, start=20_000)))
    np.testing.assert_allclose(tail, Y[20_000:], atol=4e-5)


@pytest.mark.parametrize("tail", [b"\0" * 70_000, b"TAG" + b"x" * 125])
def test_zeros_or_a_tag_behind_a_flac_are_no_damage(
    tmp_path: Path, tail: bytes
) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(write(path, kind="FLAC") + tail)
    assert io.probe_whole(path).n_samples == RATE


def test_behind_a_damaged_frame_of_a_flac_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    content = write(path, np.tile(Y, 4), kind="FLAC")
    whole = io.read(path)[0]
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    recording = io.probe(path)
    assert (recording.n_samples, recording.cut_off) == (4 * RATE, "")
    good, failure = read_to_the_end(path)
    assert "cannot be decoded at sample" in failure
    assert 40_000 < len(good) < 50_000
    np.testing.assert_array_equal(good, whole[: len(good)])
    after, failure = read_to_the_end(path, start=60_001)
    assert failure == ""
    np.testing.assert_array_equal(after, whole[60_001:])


@pytest.mark.parametrize(
    ("name", "kind", "subtype"),
    [
        ("x.wav", "WAV", "PCM_16"),
        ("x.wav", "WAV", "PCM_24"),
        ("x.wav", "RF64", "FLOAT"),
        ("x.w64", "W64", "PCM_16"),
        ("x.aiff", "AIFF", "PCM_24"),
        ("x.flac", "FLAC", "PCM_16"),
        ("x.ogg", "OGG", "VORBIS"),
        ("x.mp3", "MP3", "MPEG_LAYER_III"),
    ],
)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.integers(0, RATE + 10))
def test_reading_from_any_sample_gives_the_rest_of_the_recording(
    tmp_path: Path, name: str, kind: str, subtype: str, start: int
) -> None:
    path = tmp_path / name
    if not path.exists():
        write(path, STEREO, kind=kind, subtype=subtype)
    whole = io.read(path, channel=1)[0]
    rest, failure = read_to_the_end(path, channel=1, start=start)
    assert failure == ""
    # MP3 rounds its last bit by where a block begins.
    np.testing.assert_allclose(rest, whole[start:], atol=1e-6 if kind == "MP3" else 0)


def test_which_formats_are_sought_exactly_is_known(tmp_path: Path) -> None:
    for name, kind, exact in (
        ("a.wav", "WAV", True),
        ("a.flac", "FLAC", True),
        ("a.aif", "AIFF", True),
        ("a.mp3", "MP3", False),
        ("a.ogg", "OGG", False),
    ):
        soundfile.write(tmp_path / name, Y, RATE, format=kind)
        assert io.seekable(io.probe(tmp_path / name)) is exact


def test_samples_before_one_that_is_no_number_are_given(tmp_path: Path) -> None:
    y = Y.copy()
    y[12_345] = np.nan
    write(tmp_path / "x.wav", y, subtype="FLOAT")
    good, failure = read_to_the_end(tmp_path / "x.wav")
    np.testing.assert_array_equal(good, y[:12_345].astype(np.float32))
    assert "sample 12345 is not a finite number" in failure


def test_a_rate_that_is_known_better_replaces_the_header_s(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, Y, 600_000, subtype="PCM_16")
    assert io.probe(path, sample_rate=96_000).sample_rate == 96_000
    y, sample_rate = io.read(path, sample_rate=96_000)
    assert (len(y), sample_rate) == (RATE, 96_000)
    with pytest.raises(AudioError, match="is outside"):
        io.probe(path)


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", Path("/dev/zero")):
        with pytest.raises(AudioError, match="is a device or pipe"):
            io.probe(path)


def test_a_file_without_permission_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "x.wav")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match=r"x\.wav: may not be read; change its perm"):
        io.probe(tmp_path / "x.wav")


@pytest.mark.parametrize("broken", [False, True])
def test_a_file_that_vanishes_while_it_is_read_is_an_audio_error(
    tmp_path: Path, broken: bool
) -> None:
    path = tmp_path / "x.wav"
    content = write(path, np.tile(Y, 10))
    if broken:  # which is read through a view
        at = data_size_at(content)
        content[at : at + 4] = bytes(4)
        path.write_bytes(content)
    blocks = io.read_blocks(path, block_length=1_000)
    assert len(next(blocks)) == 1_000
    with path.open("r+b") as file:
        file.truncate(10_000)
    with pytest.raises(AudioError, match=r"x\.wav: is cut off"):
        list(blocks)
    path.unlink()
    with pytest.raises(AudioError, match="no such file"):
        io.probe(path)


def test_a_drive_that_fails_while_a_repaired_file_is_read_is_an_audio_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seacall.audio import opening

    path = tmp_path / "x.wav"
    content = write(path, np.tile(Y, 10))
    at = data_size_at(content)
    content[at : at + 4] = bytes(4)
    path.write_bytes(content)
    with opening.opened(path) as sound:
        assert len(sound.read(1_000)) == 1_000

        class Unplugged:
            def seek(self, *_: int) -> int:
                raise OSError(5, "Input/output error")

        monkeypatch.setattr(sound.view, "_stream", Unplugged())
        with pytest.raises(AudioError, match=r"read any more \(Input/output error\)"):
            sound.read(100_000)


def test_all_channels_are_read_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", STEREO, subtype="FLOAT")
    y = io.read_channels(tmp_path / "x.wav", start=100, length=50)
    np.testing.assert_array_equal(y, STEREO[100:150].astype(np.float32))


def test_the_end_of_every_whole_flac_is_found() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 15, 192, 4_095, 4_096, 4_097, 12_288, 50_000):
        for n_channels, subtype in ((1, "PCM_16"), (2, "PCM_24"), (8, "PCM_S8")):
            file = memory.BytesIO()
            y = rng.uniform(-0.9, 0.9, (n, n_channels))
            soundfile.write(file, y, 96_000, format="FLAC", subtype=subtype)
            reach = flac_reach(memory.BytesIO(file.getvalue()))
            assert reach is not None
            assert (reach.n_samples, reach.is_whole) == (n, True)


@pytest.mark.real
def test_real_recordings_are_whole_and_as_long_as_is_known(real_data: Path) -> None:
    with (real_data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] != "weights"]
    for row in rows[::5]:
        recording = io.probe_whole(real_data / row["file_name"])
        assert recording.repaired == ""
        if io.seekable(recording):
            assert recording.duration_s == pytest.approx(
                float(row["duration_s"]), abs=1e-3
            )
