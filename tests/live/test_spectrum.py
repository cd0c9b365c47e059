"""The live spectrum: true to the sound, whole for every reader, of no harm."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import ShortTimeFFT
from sounds import noise, tone
from stations import record

from seacall.live.journal import Journal
from seacall.live.listen import listen
from seacall.live.ring_file import RingForm, RingReader, RingWriter
from seacall.live.settings import ListenRun, SnippetSettings, SpectrumSettings
from seacall.live.source import Start
from seacall.live.spectrum import (
    HIGH_DB,
    LOW_DB,
    ColumnMaker,
    Spectrograph,
    form_for,
    ring_path,
)

RATE = 16_000
FORM = form_for(RATE, SpectrumSettings())
SMALL = RingForm(4, 8, 1600, RATE, 8_000.0, LOW_DB, HIGH_DB)


def db_of(steps) -> np.ndarray:
    return LOW_DB + np.asarray(steps, float) * (HIGH_DB - LOW_DB) / 255


def some(n: int, form: RingForm = SMALL, value: int = 7) -> np.ndarray:
    columns = np.zeros(n, form.dtype)
    columns["bins"] = value
    columns["start_s"] = np.arange(n) * form.column_s
    return columns


@pytest.mark.parametrize("rate", [2_000, 16_000, 44_100, 192_000])
def test_a_sine_is_where_it_belongs_and_as_loud_as_it_is(rate):
    form = form_for(rate, SpectrumSettings())
    hz = 0.3 * rate
    y = (0.1 * np.sin(2 * np.pi * 0.3 * np.arange(2 * rate))).astype(np.float32)
    columns = ColumnMaker(form).push(y)
    loudest = columns["bins"].argmax(axis=1)
    bin_hz = form.top_hz / form.n_bins
    assert np.all(np.abs((loudest + 1) * bin_hz - hz) <= bin_hz)
    # Between two lines of a Hann window up to 1.4 dB are missing.
    assert np.all(np.abs(db_of(columns["bins"].max(axis=1)) + 20.7) <= 0.95)
    np.testing.assert_allclose(columns["rms_db"], -23.0, atol=0.1)
    np.testing.assert_allclose(columns["peak_db"], -20.0, atol=0.5)  # ten phases


def test_columns_are_those_of_scipy(rng):
    y = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    columns = ColumnMaker(FORM).push(y)
    window = np.hanning(513)[:-1]
    reference = ShortTimeFFT(window, 1, RATE, fft_mode="onesided")
    n_windows = -(-FORM.column_length // 256)
    begins = np.arange(n_windows) * FORM.column_length // n_windows
    for k in (0, 3, 7):
        spectra = [
            reference.stft(y[k * FORM.column_length + b :][:512], p0=0, p1=512)[:, 256]
            for b in begins
        ]
        power = np.max(np.abs(spectra) ** 2, axis=0)[1:] / (window.sum() / 2) ** 2
        expected = 10 * np.log10(power)
        np.testing.assert_allclose(db_of(columns[k]["bins"]), expected, atol=0.3)


def test_silence_lies_at_the_bottom_and_is_no_warning():
    columns = ColumnMaker(FORM).push(np.zeros(RATE, np.float32))
    assert columns["bins"].max() == 0
    assert np.all(np.isfinite(columns["peak_db"]))


def test_a_click_is_not_lost_in_its_column():
    y = np.zeros(RATE, np.float32)
    y[8_000:8_008] = 0.5 * (-1) ** np.arange(8)
    columns = ColumnMaker(FORM).push(y)
    at = columns["bins"].max(axis=1).argmax()
    assert at == 4  # windows that hold it begin before it
    assert db_of(columns["bins"].max()) > -50


def test_a_lower_top_gives_finer_bins():
    form = form_for(48_000, SpectrumSettings(top_hz=1_000))
    assert form.top_hz == pytest.approx(1_000, rel=1e-3)
    y = tone(440.0, sample_rate=48_000, duration_s=3.0).astype(np.float32)
    bins = ColumnMaker(form).push(y)["bins"]
    assert abs((bins[5].argmax() + 1) * form.top_hz / form.n_bins - 440) < 4


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=12))
def test_columns_do_not_depend_on_how_samples_arrive(lengths):
    y = noise(sample_rate=RATE, duration_s=1.5, seed=1).astype(np.float32)
    whole = ColumnMaker(FORM).push(y)
    maker, parts, at = ColumnMaker(FORM), [], 0
    for length in [*lengths, len(y)]:
        parts.append(maker.push(y[at : at + length]))
        at += length
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_reader_gets_every_column_once(tmp_path):
    writer, reader = RingWriter(tmp_path / "r", SMALL), RingReader(tmp_path / "r")
    numbers: list[int] = []
    for n in (0, 3, 1, 8, 5):
        writer.write(some(n))
        found = reader.take(most=100)
        numbers += [] if found is None else found.rows["number"].tolist()
    writer.close()
    assert numbers == list(range(17))
    again = reader.again(most=4)
    assert again is not None
    assert again.rows["number"].tolist() == [13, 14, 15, 16]


def test_a_reader_that_is_late_gets_what_is_left(tmp_path):
    writer, reader = RingWriter(tmp_path / "r", SMALL), RingReader(tmp_path / "r")
    writer.write(some(30))
    writer.write(some(2))
    writer.close()
    found = reader.take(most=100)
    assert found is not None
    assert found.rows["number"][-1] == 9  # of 30 at once the last 8 are written
    assert len(found.rows) == SMALL.n_slots
    assert np.all(np.diff(found.rows["number"]) == 1)


def test_a_torn_column_is_left_out(tmp_path):
    writer, reader = RingWriter(tmp_path / "r", SMALL), RingReader(tmp_path / "r")
    writer.write(some(5))
    writer.close()
    data = bytearray((tmp_path / "r").read_bytes())
    data[64 + 2 * SMALL.dtype.itemsize + 38] ^= 1
    (tmp_path / "r").write_bytes(data)
    found = reader.take(most=100)
    assert found is not None
    assert found.rows["number"].tolist() == [0, 1, 3, 4]
    assert [len(run) for run in found.runs()] == [2, 2]


def test_what_was_read_while_it_is_written_is_whole(tmp_path):
    form = RingForm(512, 16, 1600, RATE, 8_000.0, LOW_DB, HIGH_DB)
    writer, over = RingWriter(tmp_path / "r", form), threading.Event()

    def write() -> None:
        k = 0
        while not over.is_set():
            k += 1
            writer.write(some(5, form, k % 256))

    thread = threading.Thread(target=write)
    thread.start()
    reader, n_read = RingReader(tmp_path / "r"), 0
    until = time.monotonic() + 20
    while n_read < 100 and time.monotonic() < until:
        found = reader.take(most=100)
        if found is not None:
            bins = found.rows["bins"]
            assert np.all(bins == bins[:, :1])
            n_read += len(bins)
    over.set()
    thread.join()
    writer.close()
    assert n_read >= 100


def test_a_new_ring_is_noticed(tmp_path):
    reader = RingReader(tmp_path / "r")
    assert reader.take(most=9) is None
    for value in (1, 2):
        writer = RingWriter(tmp_path / "r", SMALL)
        writer.write(some(3, value=value))
        found = reader.take(most=9)
        assert found is not None
        assert found.rows["number"].tolist() == [0, 1, 2]
        assert found.rows["bins"][0, 0] == value
        writer.close()


@given(st.binary(max_size=200))
def test_what_is_no_ring_gives_nothing(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "r"
    path.write_bytes(junk)
    assert RingReader(path).take(most=9) is None


def test_a_header_that_promises_too_much_gives_nothing(tmp_path):
    form = RingForm(2**31, 2**31, 1600, RATE, 8_000.0, LOW_DB, HIGH_DB)
    small = RingWriter(tmp_path / "r", SMALL)
    small.close()
    import struct
    import zlib

    head = struct.pack("<8sIIIIfffQ", b"SEASPEC1", *vars(form).values(), 1)
    head += struct.pack("<Iq", zlib.crc32(head), 9)
    (tmp_path / "r").write_bytes(head.ljust(64, b"\0"))
    assert RingReader(tmp_path / "r").take(most=9) is None


def test_times_are_those_of_the_segment(tmp_path):
    graph = Spectrograph(tmp_path / "s" / "1.ring", SpectrumSettings())
    start = datetime(2026, 5, 1, tzinfo=UTC)
    graph.begin(Start(RATE, 1, start, "x", first_sample=RATE))
    graph.push(np.zeros(RATE, np.float32))
    graph.begin(Start(RATE, 1, None, "y"))
    graph.push(np.zeros(RATE, np.float32))
    graph.close()
    found = RingReader(tmp_path / "s" / "1.ring").take(most=100)
    assert found is not None
    first, second = found.runs()
    assert first["start_s"][0] == 1.0
    assert first["start_us"][1] == start.timestamp() * 1e6 + 100_000
    assert second["start_s"][0] == 0.0
    assert np.all(second["start_us"] == -1)


def test_a_disk_that_takes_nothing_does_not_stop_listening(tmp_path, caplog):
    (tmp_path / "file").touch()
    graph = Spectrograph(tmp_path / "file" / "1.ring", SpectrumSettings())
    for _ in range(2):
        graph.begin(Start(RATE, 1, None, "x"))
        graph.push(np.zeros(RATE, np.float32))
    assert sum("no live spectrum" in one.message for one in caplog.records) == 1


def test_writes_that_fail_do_not_stop_listening(tmp_path, caplog):
    graph = Spectrograph(tmp_path / "1.ring", SpectrumSettings())
    graph.begin(Start(RATE, 1, None, "x"))
    os.close(graph._writer._file)
    graph.push(np.zeros(RATE, np.float32))
    assert "no live spectrum" in caplog.text


def test_a_station_writes_what_it_hears(tiny_model, tmp_path):
    path = record(tmp_path / "20260501_120000.wav", 4.0)
    run = ListenRun(
        model=str(tiny_model), speed=0.0, snippets=SnippetSettings(keep=False)
    )
    listen([str(path)], tmp_path / "out", run)
    with Journal(tmp_path / "out", writable=False) as journal:
        (number,) = [row["id"] for row in journal.rows("SELECT id FROM sources")]
    found = RingReader(ring_path(tmp_path / "out", number)).take(most=1_000)
    assert found is not None
    assert len(found.rows) == 39  # the last one's windows reach beyond the end
    hz = (found.rows["bins"].argmax(axis=1) + 1) * found.form.top_hz / 256
    assert np.median(np.abs(hz - 4_200)) < 40
    noon_us = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp() * 1e6
    assert found.rows["start_us"][10] == noon_us + 1_000_000


def test_a_station_that_shall_not_write_it_does_not(tiny_model, tmp_path: Path):
    path = record(tmp_path / "a.wav", 1.5)
    run = ListenRun(
        model=str(tiny_model), speed=0.0, spectrum=SpectrumSettings(keep=False)
    )
    listen([str(path)], tmp_path / "out", run)
    assert not (tmp_path / "out" / "spectrum").exists()
