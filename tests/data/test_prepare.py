"""A folder of recordings becomes a dataset; every bad file is named, none is fatal."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sounds import noise, silence, tone, write_wav

from seacall.audio.features import FEATURE_NAMES
from seacall.config import FrontEndChoice, checked
from seacall.data import prepare as prepare_module
from seacall.data.arrays import load_arrays
from seacall.data.cache import FrontEndCache
from seacall.data.leaks import check_leaks
from seacall.data.manifest import read_manifest
from seacall.data.prepare import PrepareSettings, prepare_dataset
from seacall.data.sources import read_source
from seacall.errors import AnnotationError, SettingsError

RATE = 16_000
QUICK = PrepareSettings(front_end=FrontEndChoice(profile="original-16k", fit="pad"))


def record(path: Path, seed: int, *, duration_s: float = 0.5) -> Path:
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    return write_wav(path, y, RATE)


@pytest.fixture
def source(tmp_path) -> Path:
    """Two species, three deployments each, two recordings each."""
    for k in range(12):
        label = ("Béluga blanc", "Fin Whale")[k % 2]
        record(tmp_path / "in" / label / f"site {k // 4}" / f"{k}.wav", k)
    return tmp_path / "in"


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_dataset_has_the_original_layout(source, tmp_path):
    report = prepare_dataset(source, tmp_path / "out", settings=QUICK)
    for folder in ("train", "validate", "test"):
        table = pd.read_excel(tmp_path / "out" / f"{folder}_metadata.xlsx")
        required = ["file_name", "species_name", "sample_rate", *FEATURE_NAMES]
        assert list(table.columns)[: len(required)] == required
        files = {path.name for path in (tmp_path / "out" / folder).iterdir()}
        assert set(table["file_name"]) == files
        assert files
    assert report.failures == ()
    assert report.rule == "by deployment"
    assert not list(tmp_path.glob(".out*"))


def test_what_was_prepared_reads_back_whole_and_its_features_are_used(
    source, tmp_path, monkeypatch
):
    prepare_dataset(source, tmp_path / "out", settings=QUICK)
    manifest = read_manifest(tmp_path / "out")
    assert manifest.failures == ()
    assert manifest.labels == ("Béluga blanc", "Fin Whale", "unknown")
    check_leaks(manifest)
    front_end = QUICK.front_end.front_end()
    arrays = load_arrays(
        manifest.clips,
        front_end,
        labels=manifest.labels,
        cache=FrontEndCache.beside(manifest.root),
        features_fingerprint=manifest.front_end_fingerprint,
    )
    computed = load_arrays(
        manifest.clips, front_end, labels=manifest.labels, cache=FrontEndCache(None)
    )
    np.testing.assert_array_equal(arrays.features, computed.features)
    np.testing.assert_array_equal(arrays.log_mel, computed.log_mel)


def test_no_deployment_is_in_two_splits(source, tmp_path):
    prepare_dataset(source, tmp_path / "out", settings=QUICK)
    clips = read_manifest(tmp_path / "out").clips
    places = {(clip.deployment, clip.split) for clip in clips}
    assert len(places) == len({clip.deployment for clip in clips}) == 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_dataset_whatever_the_workers(source, tmp_path):
    prepare_dataset(source, tmp_path / "a", settings=QUICK)
    prepare_dataset(source, tmp_path / "b", settings=QUICK, n_workers=2)
    a, b = read_manifest(tmp_path / "a"), read_manifest(tmp_path / "b")
    assert a.fingerprint() == b.fingerprint()
    assert [clip.features for clip in a.clips] == [clip.features for clip in b.clips]


def write_bad_files(folder: Path) -> dict[str, str]:
    """Write one file of each fault; return what must be said of each."""
    folder.mkdir(parents=True, exist_ok=True)
    good = noise(sample_rate=RATE, duration_s=1.0, seed=99)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("not audio")
    write_wav(folder / "no_samples.wav", np.empty(0), RATE)
    write_wav(folder / "silent.wav", silence(), RATE)
    write_wav(folder / "constant.wav", silence() + 0.5, RATE)
    write_wav(folder / "one_sample.wav", np.array([0.5]), RATE)
    write_wav(folder / "too_short.wav", good[:80], RATE)
    with_nan = good.copy()
    with_nan[777] = np.nan
    write_wav(folder / "nan.wav", with_nan, RATE, "FLOAT")
    late = np.concatenate([silence(sample_rate=RATE, duration_s=6), good])
    write_wav(folder / "silent_start.wav", late, RATE)
    for name in ("cut.wav", "cut.flac"):
        soundfile.write(folder / name, good, RATE)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    return {
        "empty.wav": r"is empty \(0 bytes\)",
        "text.wav": "is not audio",
        "no_samples.wav": "holds no samples",
        "silent.wav": "is silent",
        "constant.wav": "is silent, each of its 48000 samples is 0.5",
        "one_sample.wav": "is silent",
        "too_short.wav": "lasts 0.005 s, less than min_duration_s = 0.05",
        "nan.wav": "sample 777 is not a finite number",
        "silent_start.wav": "is silent, every sample of its first 5 s",
        "cut.wav": "is cut off",
        "cut.flac": "is cut off",
    }


def test_every_bad_file_is_named_and_every_good_one_is_taken(source, tmp_path):
    folder = source / "Fin Whale" / "site 1"
    expected = write_bad_files(folder)
    report = prepare_dataset(source, tmp_path / "out", settings=QUICK)
    assert len(read_manifest(tmp_path / "out").clips) == 12
    reasons = {failure.path.name: failure.reason for failure in report.failures}
    assert set(reasons) == set(expected)
    for name, pattern in expected.items():
        assert re.search(pattern, reasons[name]), reasons[name]
        assert str(folder / name) in reasons[name]
        assert "\n" not in reasons[name]
    assert not [f for f in files_below(tmp_path / "out") if "silent" in f]


def test_audio_under_a_wrong_ending_is_taken_for_what_it_is(source, tmp_path):
    path = source / "Fin Whale" / "site 1" / "x.flac"
    soundfile.write(path, noise(sample_rate=RATE, seed=50), RATE, format="FLAC")
    path.rename(path.with_suffix(".wav"))
    report = prepare_dataset(source, tmp_path / "out", settings=QUICK)
    assert report.failures == ()
    (written,) = (tmp_path / "out").rglob("*_x.wav")
    assert soundfile.info(written).format == "WAV"


@pytest.mark.slow
def test_a_recording_of_three_hours_is_one_clip(source, tmp_path):
    seconds = noise(sample_rate=1_000, duration_s=108.0, seed=3)
    path = source / "Fin Whale" / "long.wav"
    write_wav(path, np.tile(seconds, 100), 1_000)
    report = prepare_dataset(source, tmp_path / "out", settings=QUICK)
    assert report.failures == ()
    assert report.species[1].total_s == pytest.approx(10_800 + 6 * 0.5)


@pytest.mark.parametrize(
    ("suffix", "subtype", "as_wav"),
    [
        ("flac", "PCM_16", "PCM_16"),
        ("flac", "PCM_24", "PCM_24"),
        ("aiff", "PCM_32", "PCM_32"),
        ("aiff", "FLOAT", "FLOAT"),
        ("ogg", "VORBIS", "FLOAT"),
        ("wav", "PCM_24", "PCM_24"),
    ],
)
def test_every_format_becomes_wav_without_loss(tmp_path, suffix, subtype, as_wav):
    for k in range(3):
        y = noise(sample_rate=RATE, seed=k)
        path = tmp_path / "in" / "Fin" / f"{k}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([y, 0.5 * y], axis=1), RATE, subtype=subtype)
    prepare_dataset(tmp_path / "in", tmp_path / "out", settings=QUICK)
    for k in range(3):
        (written,) = (tmp_path / "out").rglob(f"Fin_{k}.wav")
        assert soundfile.info(written).subtype == as_wav
        before, _ = soundfile.read(tmp_path / "in" / "Fin" / f"{k}.{suffix}")
        after, _ = soundfile.read(written)
        np.testing.assert_array_equal(before, after)


def test_wav_files_can_be_linked_instead_of_copied(source, tmp_path):
    linking = QUICK.model_copy(update={"files": "link"})
    prepare_dataset(source, tmp_path / "out", settings=linking)
    manifest = read_manifest(tmp_path / "out")
    assert len(manifest.clips) == 12
    assert all(clip.path.is_symlink() for clip in manifest.clips)


def test_selections_are_cut_out_and_stay_with_their_recording(tmp_path):
    header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
    for k in range(4):
        record(tmp_path / "in" / f"{k}.wav", k, duration_s=3.0)
        rows = [f"{n}\t{n / 2}\t{n / 2 + 0.25}\tFin\n" for n in range(4)]
        (tmp_path / "in" / f"{k}.selections.txt").write_text(header + "".join(rows))
    report = prepare_dataset(tmp_path / "in", tmp_path / "out", settings=QUICK)
    assert report.rule == "by recording"
    clips = read_manifest(tmp_path / "out").clips
    assert len(clips) == 16
    assert len({(clip.recording, clip.split) for clip in clips}) == 4
    (cut,) = [c for c in clips if c.path.name == "Fin_2_00000500ms.wav"]
    whole, _ = soundfile.read(tmp_path / "in" / "2.wav")
    part, _ = soundfile.read(cut.path)
    np.testing.assert_array_equal(part, whole[RATE // 2 : 3 * RATE // 4])


def test_file_names_are_safe_and_differ(tmp_path):
    for k, name in enumerate(["a b", "a_b", "A B", "é?", "é!"]):
        record(tmp_path / "in" / "Grand / dauphin".replace("/", "-") / f"{name}.wav", k)
    prepare_dataset(tmp_path / "in", tmp_path / "out", settings=QUICK)
    names = [path.name for path in (tmp_path / "out").rglob("*.wav")]
    assert len({name.lower() for name in names}) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


def test_the_same_audio_at_two_sites_ends_in_one_split(source, tmp_path):
    y, _ = soundfile.read(source / "Fin Whale" / "site 0" / "1.wav")
    write_wav(source / "Fin Whale" / "site 2" / "again.wav", 0.5 * y[2_000:], RATE)
    report = prepare_dataset(source, tmp_path / "out", settings=QUICK)
    (note,) = report.duplicates
    assert note.same_label
    assert {note.first, note.second} == {"Fin_Whale_1.wav", "Fin_Whale_again.wav"}
    manifest = read_manifest(tmp_path / "out")
    place = {clip.deployment: clip.split for clip in manifest.clips}
    assert place["site 0"] == place["site 2"]
    check_leaks(manifest)
    assert "same audio twice (1 pairs" in "\n".join(report.lines())


def test_without_deployments_the_split_is_called_leaky(tmp_path):
    for k in range(6):
        record(tmp_path / "in" / "Fin" / f"{k}.wav", k)
    report = prepare_dataset(tmp_path / "in", tmp_path / "out", settings=QUICK)
    assert "random split: leaky" in "\n".join(report.lines())


def test_the_report_names_species_of_one_deployment_and_fits_the_screen(
    source, tmp_path
):
    record(source / "A Whale With An Uncommonly Long Name Indeed" / "x" / "1.wav", 77)
    (source / "Fin Whale" / "site 1" / f"{'long' * 40}.wav").write_bytes(b"")
    lines = prepare_dataset(source, tmp_path / "out", settings=QUICK).lines()
    assert max(map(len, lines)) <= 100
    text = " ".join(line.strip() for line in lines)
    assert "cannot be scored on a new recorder (1): A Whale With An Uncommonly" in text
    assert "left out (1)" in text
    assert (tmp_path / "out" / "report.txt").read_text().splitlines() == lines


def test_the_settings_are_stored_and_read_back(source, tmp_path):
    prepare_dataset(source, tmp_path / "out", settings=QUICK)
    values = tomllib.loads((tmp_path / "out" / "settings.toml").read_text())
    assert checked(PrepareSettings, values) == QUICK


def test_a_folder_of_something_else_is_never_touched(source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match="not empty, and not a dataset"):
            prepare_dataset(source, out, settings=QUICK, overwrite=overwrite)
    assert files_below(out) == {"thesis.txt": b"years of work"}
    with pytest.raises(SettingsError, match="holds the recordings themselves"):
        prepare_dataset(source, source, settings=QUICK, overwrite=True)


def test_a_dataset_is_replaced_only_when_asked(source, tmp_path):
    out = tmp_path / "out"
    prepare_dataset(source, out, settings=QUICK)
    with pytest.raises(SettingsError, match="is a dataset already"):
        prepare_dataset(source, out, settings=QUICK)
    record(source / "Narwhal" / "x" / "n.wav", 42)
    prepare_dataset(source, out, settings=QUICK, overwrite=True)
    assert "Narwhal" in read_manifest(out).labels


@pytest.mark.parametrize("existing", [False, True])
def test_a_run_that_was_stopped_leaves_what_was_there(
    source, tmp_path, monkeypatch, existing
):
    out = tmp_path / "out"
    if existing:
        prepare_dataset(source, out, settings=QUICK)
    before = files_below(tmp_path)

    def stop(*_args: object, **_others: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_module, "write_manifest", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(source, out, settings=QUICK, overwrite=True)
    assert files_below(tmp_path) == before
    assert out.exists() == existing


def test_nothing_usable_is_one_clear_error(tmp_path):
    write_wav(tmp_path / "in" / "Fin" / "a.wav", silence(), RATE)
    with pytest.raises(AnnotationError, match=r"no labelled recording.*is silent"):
        prepare_dataset(tmp_path / "in", tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()


def test_shares_that_make_no_sense_are_refused():
    with pytest.raises(SettingsError, match="sum to 1"):
        checked(PrepareSettings, {"shares": (0.5, 0.2, 0.2)})


def test_progress_counts_each_file_twice(source, tmp_path):
    told = []
    prepare_dataset(
        source,
        tmp_path / "out",
        settings=QUICK,
        progress=lambda done, n: told.append((done, n)),
    )
    assert told == [(k, 24) for k in range(1, 25)]


small_files = st.lists(
    st.tuples(
        st.sampled_from(["noise", "tone", "silence", "bytes"]),
        st.integers(0, 2_000),
        st.sampled_from([1_000, 8_000, 96_000]),
        st.sampled_from(["x", "Y z", "é"]),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(files=small_files)
@example(files=[("noise", n, 1_000, "x") for n in (55, 311, 59)])  # alike by chance
def test_every_small_file_is_in_the_dataset_or_among_the_failures(
    tmp_path_factory, files
):
    folder = tmp_path_factory.mktemp("any")
    make = {
        "noise": lambda n, rate: noise(sample_rate=rate, duration_s=n / rate, seed=n),
        "tone": lambda n, rate: tone(100.0, sample_rate=rate, duration_s=n / rate),
        "silence": lambda n, rate: silence(sample_rate=rate, duration_s=n / rate),
    }
    for k, (kind, n, rate, label) in enumerate(files):
        path = folder / "in" / label / f"{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "bytes":
            path.write_bytes(bytes(n))
        else:
            write_wav(path, make[kind](n, rate), rate)
    try:
        report = prepare_dataset(folder / "in", folder / "out", settings=QUICK)
    except AnnotationError:
        assert not any(k == "noise" and n >= 0.05 * rate for k, n, rate, _ in files)
        return
    clips = read_manifest(folder / "out").clips
    assert len(clips) + len(report.failures) == len(files)
    check_leaks(read_manifest(folder / "out"))


@pytest.mark.real
@pytest.mark.slow
def test_real_recordings_are_prepared_by_deployment(real_data, tmp_path):
    contents = read_source(real_data / "watkins")
    sample = contents.stretches[::12][:60]
    table = pd.DataFrame(
        {
            "file_name": [s.path.relative_to(real_data).as_posix() for s in sample],
            "species_name": [s.label for s in sample],
            "deployment": [s.deployment for s in sample],
        }
    )
    table["file_name"] = [str(real_data / name) for name in table["file_name"]]
    table.to_csv(tmp_path / "t.csv", index=False)
    report = prepare_dataset(
        real_data / "watkins",
        tmp_path / "out",
        settings=QUICK,
        table=tmp_path / "t.csv",
    )
    clips = read_manifest(tmp_path / "out").clips
    assert len(clips) == 60
    assert report.rule == "by deployment"
    assert report.duplicates == ()
    assert all(clip.features is not None for clip in clips)
