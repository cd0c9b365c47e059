"""Many recordings: every good file's clips once, every bad file with its reason."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import tiny
from sounds import noise, silence, write_wav

from seacall.detect.classify import classify_recording
from seacall.detect.clip_rows import FIXED_COLUMNS
from seacall.detect.files import classify_paths
from seacall.errors import AudioError, SettingsError
from seacall.models.backend import load_classifier

RATE = 16_000
NAMES = ("plain.wav", "with space.wav", "Béluga é ñ 鯨.wav", 'quo"te, comma;.wav')


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return load_classifier(tiny_model)


def record(path: Path, *, duration_s: float = 1.5, seed: int = 0) -> Path:
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    return write_wav(path, y, RATE)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_holds_every_clip_of_every_recording(tmp_path, classifier):
    for seed, name in enumerate(NAMES):
        record(tmp_path / "in" / name, duration_s=1 + seed, seed=seed)
    result = classify_paths([tmp_path / "in"], classifier, out=tmp_path / "o.csv")
    rows = rows_of(tmp_path / "o.csv")
    assert list(rows[0]) == [*FIXED_COLUMNS, *tiny.LABELS]
    assert len(rows) == result.n_clips == 1 + 2 + 3 + 4
    assert result.n_recordings == 4
    assert {Path(row["file"]).name for row in rows} == set(NAMES)
    for name in NAMES:
        path = tmp_path / "in" / name
        own = [row for row in rows if row["file"] == str(path)]
        for row, found in zip(own, classify_recording(path, classifier), strict=True):
            answer, score = found.answer(classifier.card)
            assert row["answer"] == answer
            assert float(row["start_s"]) == found.clip.start_s
            assert float(row["end_s"]) == found.clip.end_s
            assert float(row["score"]) == pytest.approx(score, abs=6e-5)
            listed = [float(row[label]) for label in tiny.LABELS]
            np.testing.assert_allclose(listed, found.scores, atol=6e-5)


@pytest.mark.parametrize(
    "name", ["line\nbreak.wav", "carriage\rreturn.wav", "t\tab.wav"]
)
def test_names_with_control_characters_read_back_as_they_are(
    tmp_path, classifier, name
):
    path = record(tmp_path / "in" / name)
    classify_paths([path], classifier, out=tmp_path / "o.csv")
    assert {row["file"] for row in rows_of(tmp_path / "o.csv")} == {str(path)}


def test_a_name_that_is_no_text_reads_back_as_its_bytes(tmp_path, classifier):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    record(tmp_path / "x.wav").rename(path)
    classify_paths([path], classifier, out=tmp_path / "o.csv")
    (first, _) = rows_of(tmp_path / "o.csv")
    assert os.fsencode(first["file"]) == os.fsencode(path)


@pytest.fixture
def bad(tmp_path) -> dict[str, Path]:
    folder = tmp_path / "in"
    folder.mkdir()
    files = {
        "empty": b"",
        "text": b"this is no sound",
        "header": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    }
    for name, content in files.items():
        (folder / f"{name}.wav").write_bytes(content)
    whole = record(folder / "cut.wav", duration_s=3.0)
    whole.write_bytes(whole.read_bytes()[:40_000])
    y = noise(sample_rate=RATE, duration_s=1.0)
    y[500] = np.nan
    write_wav(folder / "nan.wav", y, RATE, subtype="FLOAT")
    write_wav(folder / "none.wav", np.zeros(0), RATE)
    return {p.stem: p for p in folder.iterdir()}


def test_bad_files_are_named_and_the_good_ones_are_all_there(tmp_path, classifier, bad):
    good = {str(record(tmp_path / "in" / f"good {k}.wav", seed=k)) for k in range(3)}
    result = classify_paths([tmp_path / "in"], classifier, out=tmp_path / "o.csv")
    assert result.failures.keys() == {str(path) for path in bad.values()}
    assert result.n_recordings == 3
    for path, reason in result.failures.items():
        assert path in reason
        assert "\n" not in reason
    heard = good | {str(bad["cut"])}  # what is there of it
    assert {row["file"] for row in rows_of(tmp_path / "o.csv")} == heard
    assert f"{len(bad)} files failed" in result.summary()


def test_a_missing_file_among_others_is_a_failure(tmp_path, classifier):
    good = record(tmp_path / "good.wav")
    result = classify_paths(
        [tmp_path / "none.wav", good], classifier, out=tmp_path / "o.csv"
    )
    assert list(result.failures) == [str(tmp_path / "none.wav")]
    assert len(rows_of(tmp_path / "o.csv")) == 2


def test_a_recording_given_twice_is_classified_once(tmp_path, classifier):
    path = record(tmp_path / "in" / "a.wav")
    result = classify_paths([path, tmp_path / "in"], classifier, out=tmp_path / "o.csv")
    assert result.n_recordings == 1


def test_silence_has_its_row_too(tmp_path, classifier):
    path = write_wav(tmp_path / "s.wav", silence(sample_rate=RATE), RATE)
    result = classify_paths([path], classifier, out=tmp_path / "o.csv")
    assert result.n_clips == 1
    assert result.audio_s == 1.0


def test_a_folder_without_recordings_is_an_error(tmp_path, classifier):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="holds no recordings"):
        classify_paths([tmp_path / "empty"], classifier, out=tmp_path / "o.csv")
    assert not (tmp_path / "o.csv").exists()


def test_a_table_that_cannot_be_written_is_an_error(tmp_path, classifier):
    path = record(tmp_path / "a.wav")
    for out in (tmp_path, path / "o.csv"):
        with pytest.raises(SettingsError, match="cannot be written"):
            classify_paths([path], classifier, out=out)


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_table_never_replaces_a_recording(tmp_path, classifier, whole_folder):
    path = record(tmp_path / "a.wav")
    before = path.read_bytes()
    given = [tmp_path if whole_folder else path]
    with pytest.raises(SettingsError, match="is one of the recordings"):
        classify_paths(given, classifier, out=tmp_path / "." / "a.wav")
    assert path.read_bytes() == before


def test_folders_of_the_table_are_made(tmp_path, classifier):
    path = record(tmp_path / "a.wav")
    classify_paths([path], classifier, out=tmp_path / "x" / "y" / "o.csv")
    assert len(rows_of(tmp_path / "x" / "y" / "o.csv")) == 2


def test_without_a_file_the_table_goes_to_standard_output(tmp_path, classifier, capsys):
    classify_paths([record(tmp_path / "a.wav")], classifier)
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 3


def test_clips_can_be_taken_instead(tmp_path, classifier, capsys):
    taken = []
    result = classify_paths([record(tmp_path / "a.wav")], classifier, take=taken.append)
    assert len(taken) == result.n_clips == 2
    assert capsys.readouterr().out == ""


def test_answers_are_counted(tmp_path, classifier):
    result = classify_paths(
        [record(tmp_path / "a.wav", duration_s=3.0)], classifier, out=tmp_path / "o.csv"
    )
    assert sum(result.answers.values()) == 3
    assert result.as_dict()["n_clips"] == 3


def test_progress_goes_from_nothing_to_all(tmp_path, classifier):
    record(tmp_path / "in" / "a.wav")
    record(tmp_path / "in" / "b.wav")
    seen: list[tuple[int, int]] = []
    classify_paths(
        [tmp_path / "in"],
        classifier,
        out=tmp_path / "o.csv",
        progress=lambda _stage, done, total, _note: seen.append((done, total)),
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
