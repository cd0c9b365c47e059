"""The commands that use a model: detect, on clips and archives, and info."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import programs
import pytest
import tiny
from sounds import noise, write_wav
from tiny import LABELS

RATE = 16_000


def record(path: Path, *, duration_s: float = 1.5, seed: int = 0) -> Path:
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    return write_wav(path, y, RATE)


def test_detect_prints_a_table_and_nothing_else(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a b é.wav")
    ended = seacall("detect", path, "-m", tiny_model)
    assert ended.code == 0
    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [row["file"] for row in rows] == [str(path)] * 2
    assert ended.out.count("\n") == 3


def test_detect_prints_json_and_nothing_else(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "Béluga.wav")
    ended = seacall("detect", path, "-m", tiny_model, "--json")
    values = json.loads(ended.out)
    assert values["n_clips"] == 2
    assert [clip["start_s"] for clip in values["clips"]] == [0, 1]
    assert values["clips"][0]["file"] == str(path)
    assert list(values["clips"][0]["scores"]) == list(tiny.LABELS)


def test_bad_files_end_with_3_and_are_listed(seacall, tiny_model, tmp_path):
    good = record(tmp_path / "in" / "good.wav")
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    (tmp_path / "in" / "two\nlines.wav").write_bytes(b"")
    ended = seacall("detect", tmp_path / "in", "-m", tiny_model)
    assert ended.code == 3
    lines = ended.err.splitlines()
    assert "2 failed, wholly or in part:" in lines[-3]
    assert "bad.wav" in lines[-2]
    assert "two lines.wav" in lines[-1]
    assert ended.out.count(str(good)) == 2


def test_quiet_says_nothing_but_the_result(seacall, tiny_model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    ended = seacall("detect", tmp_path, "-m", tiny_model, "--quiet")
    assert ended.code == 3
    assert ended.err == ""


def test_a_model_that_is_none_is_one_line(seacall, tmp_path):
    path = record(tmp_path / "a.wav")
    ended = seacall("detect", path, "-m", tmp_path, "-o", tmp_path / "o")
    assert ended.code == 1
    assert "is no model folder" in ended.error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("hop", "code"), [("0", 2), ("nan", 2), ("inf", 1)])
def test_an_impossible_hop_is_refused(seacall, tiny_model, tmp_path, hop, code):
    path = record(tmp_path / "a.wav")
    assert seacall("detect", path, "-m", tiny_model, "--hop", hop).code == code


def test_a_name_that_is_no_text_comes_out_as_its_bytes(tiny_model, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    record(tmp_path / "x.wav").rename(tmp_path / name)
    done = programs.run("-m", "seacall", "detect", tmp_path, "-m", tiny_model)
    assert done.code == 0, done.err
    assert name in done.out
    done = programs.run("-m", "seacall", "detect", tmp_path, "-m", tiny_model, "--json")
    assert json.loads(done.out)["clips"][0]["file"].endswith(name)


def test_a_reader_that_stops_early_is_no_error_of_ours(tiny_model, tmp_path):
    for k in range(3):
        record(tmp_path / f"{k}.wav", seed=k)
    process = programs.start("-m", "seacall", "detect", tmp_path, "-m", tiny_model)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert err == ""


def test_without_a_model_the_one_in_the_package_answers(seacall, tmp_path):
    ended = seacall("detect", record(tmp_path / "a.wav", duration_s=6.0))
    assert ended.code == 0
    (first, second) = csv.DictReader(ended.out.splitlines())
    assert set(first) > {"answer", "fallback", "reason"}
    assert float(second["start_s"]) == 5.0


def test_info_without_a_folder_describes_the_model_in_the_package(seacall):
    ended = seacall("info")
    assert ended.code == 0
    assert "trained on" in ended.out
    values = json.loads(seacall("info", "--json").out)
    assert values["card"]["data"]
    assert values["card"]["limits"]


def test_thresholds_on_the_command_line_win_over_the_cards(
    seacall, tiny_model, tmp_path
):
    path = record(tmp_path / "a.wav")
    low = seacall("detect", path, "-m", tiny_model, "--json", "--threshold", "0")
    best = {clip["answer"] for clip in json.loads(low.out)["clips"]}
    assert len(best) == 1
    (label,) = best - {"unknown"}
    high = seacall(
        *("detect", path, "-m", tiny_model, "--json", "--threshold", "0"),
        *("--threshold", f"{label}=1"),
    )
    clips = json.loads(high.out)["clips"]
    assert {clip["answer"] for clip in clips} == {"unknown"}
    assert clips[0]["reason"] == f"{label} needs a score of 1.00"
    ended = seacall("detect", path, "-m", tiny_model, "--threshold", "Yeti=0.5")
    assert ended.code == 1
    assert "no class 'Yeti'" in ended.error


def test_a_channel_can_be_chosen(seacall, tiny_model, tmp_path):
    y = np.zeros((RATE, 2))
    y[:, 1] = noise(sample_rate=RATE, duration_s=1.0)
    path = write_wav(tmp_path / "two.wav", y, RATE)

    def reasons(*options: object) -> list[str]:
        ended = seacall("detect", path, "-m", tiny_model, "--json", *options)
        return [clip["reason"] for clip in json.loads(ended.out)["clips"]]

    assert reasons("--channel", "1") == ["silence"]
    assert reasons("--channel", "2") != ["silence"]
    ended = seacall("detect", path, "-m", tiny_model, "--channel", "3")
    assert ended.code == 3
    assert "has no channel 3" in ended.err


# ------------------------------------------------------------------ archives


def detections_in(out: Path) -> list[dict[str, str]]:
    with (out / "detections.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def archive(tmp_path):
    """Two recordings whose names tell the time, in two folders."""
    record(tmp_path / "in" / "north" / "20190501_190800.wav", duration_s=3.0, seed=1)
    record(tmp_path / "in" / "south sea" / "20190501_200800.wav", seed=2)
    return tmp_path / "in"


@pytest.fixture
def run(seacall, tiny_model, archive, tmp_path):
    """Listen to the archive with thresholds so low that everything is detected."""

    def listen(*options: object, out: str = "out"):
        given = ("detect", archive, "-m", tiny_model, "--workers", "1")
        return seacall(*given, "--threshold", "0.1", "-o", tmp_path / out, *options)

    return listen


def test_a_folder_of_results_and_what_was_found(run, tmp_path):
    ended = run()
    assert ended.code == 0, ended.err
    assert "2 recordings, 0.00 h; " in ended.out
    assert f"written: {tmp_path / 'out' / 'detections.csv'}" in ended.out
    rows = detections_in(tmp_path / "out")
    assert rows
    assert rows[0]["start_utc"].startswith("2019-05-01T19:08:00")
    assert (tmp_path / "out" / "settings.toml").is_file()
    assert (tmp_path / "out" / "detections.selections.txt").is_file()
    assert len(list((tmp_path / "out").rglob("*.wav.selections.txt"))) == 2


def test_another_format_does_not_listen_again(run, tmp_path, monkeypatch):
    run()
    monkeypatch.setattr("seacall.detect.workers.score_unit", None)
    ended = run("--format", "audacity", "--format", "clips", "--format", "presence")
    assert ended.code == 0, ended.err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"audacity", "clips.csv", "presence.csv"} <= names


def test_scores_that_were_kept_are_judged_anew(run, seacall, tmp_path):
    run()
    before = detections_in(tmp_path / "out")
    given = ("detect", "--from-scores", tmp_path / "out", "-o", tmp_path / "new")
    assert seacall(*given, "--threshold", "0.1").code == 0
    assert detections_in(tmp_path / "new") == before
    assert seacall(*given, "--threshold", "0.99").code == 0
    assert detections_in(tmp_path / "new") == []
    assert detections_in(tmp_path / "out") == before
    ended = seacall(*given, "--hop", "0.5")
    assert ended.code == 1
    assert "scored with None" in ended.error
    again = ("detect", "--from-scores", tmp_path / "out", "-o", tmp_path / "again")
    assert seacall(*again).code == 0
    assert detections_in(tmp_path / "again") == before  # thresholds stay
    kept = (tmp_path / "again" / "settings.toml").read_text()
    assert "0.1" in kept
    ended = seacall(*given, tmp_path)
    assert "leave PATHS out" in ended.error


@pytest.mark.parametrize(
    ("option", "value", "was"),
    [
        ("--channel", "2", "mean"),
        ("--timezone", "UTC", "-04:00"),
        ("--time-pattern", "*yyyyMMdd", "None"),
    ],
)
def test_what_only_listening_obeys_is_refused_of_scores(
    run, seacall, tmp_path, option, value, was
):
    run("--timezone", "-04:00")
    given = ("detect", "--from-scores", tmp_path / "out", "-o", tmp_path / "new")
    ended = seacall(*given, option, value)
    assert ended.code == 1
    assert f"the earlier run was with {was}" in ended.error
    assert seacall(*given, "--timezone", "-04:00").code == 0


def test_another_format_keeps_how_detections_were_merged(run, seacall, tmp_path):
    run("--max-gap", "30", "--calibration", "176.1")
    out = tmp_path / "out"
    before = detections_in(out)
    given = ("detect", "--from-scores", out, "-o", tmp_path / "new")
    assert seacall(*given).code == 0
    assert detections_in(tmp_path / "new") == before
    assert seacall(*given, "--sensitivity", "-170", "--full-scale", "1").code == 0
    (first, *_) = detections_in(tmp_path / "new")
    difference = float(before[0]["level_db"]) - float(first["level_db"])
    assert difference == pytest.approx(6.1, abs=0.02)


def test_settings_beside_what_came_of_scores_say_how_they_were_made(
    run, seacall, archive, tmp_path
):
    run("--timezone", "-04:00", "--hop", "0.5")
    out = tmp_path / "out"
    before = detections_in(out)
    given = ("detect", "--from-scores", out, "-o", out, "--threshold", "0.1")
    assert seacall(*given).code == 0
    again = ("detect", archive, "--config", out / "settings.toml", "--workers", "1")
    ended = seacall(*again, "-o", out, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["scored_s"] == 0
    assert detections_in(out) == before


def test_the_settings_of_a_run_make_the_same_run(run, seacall, archive, tmp_path):
    run("--min-duration", "1.5", "--format", "csv", "--hold", "0.5")
    settings = tmp_path / "out" / "settings.toml"
    ended = seacall(
        *("detect", archive, "--config", settings, "-o", tmp_path / "again"),
        *("--workers", "1"),
    )
    assert ended.code == 0, ended.err
    again = tmp_path / "again"
    assert (again / "settings.toml").read_text() == settings.read_text()
    assert detections_in(again) == detections_in(tmp_path / "out")


def test_a_list_of_files_is_taken_in_its_order(seacall, tiny_model, archive, tmp_path):
    names = ["south sea/20190501_200800.wav", "north/20190501_190800.wav"]
    (archive / "list.txt").write_text("\n".join(names))
    given = ("detect", "-m", tiny_model, "-o", tmp_path / "out", "--workers", "1")
    ended = seacall(*given, "--file-list", archive / "list.txt", "--format", "csv")
    assert ended.code == 0, ended.err
    with (tmp_path / "out" / "recordings.csv").open(newline="") as file:
        found = [row["file"] for row in csv.DictReader(file)]
    assert found == [str(archive / name) for name in names]


def test_a_time_zone_moves_the_hours(run, tmp_path):
    run("--timezone", "-04:00")
    rows = detections_in(tmp_path / "out")
    assert rows[0]["start_utc"].startswith("2019-05-01T23:08:00")
    run()
    rows = detections_in(tmp_path / "out")
    assert rows[0]["start_utc"].startswith("2019-05-01T19:08:00")


def test_levels_are_of_the_water_where_the_hydrophone_is_known(run, tmp_path):
    run(out="plain")
    run("--calibration", "176.1", out="known")
    plain, known = (detections_in(tmp_path / name) for name in ("plain", "known"))
    assert plain[0]["level_unit"] == "dBFS"
    assert known[0]["level_unit"] == "dB re 1 uPa"
    difference = float(known[0]["level_db"]) - float(plain[0]["level_db"])
    assert difference == pytest.approx(176.1, abs=0.02)


def test_a_part_that_failed_is_listed_and_ends_with_3(run, archive, tmp_path):
    (archive / "bad.wav").write_text("no sound")
    ended = run()
    assert ended.code == 3
    assert "1 failed, wholly or in part:" in ended.err
    assert "bad.wav" in ended.err.splitlines()[-1]
    assert "2 recordings" in ended.out
    with (tmp_path / "out" / "recordings.csv").open(newline="") as file:
        failures = [row["failure"] for row in csv.DictReader(file)]
    assert [bool(failure) for failure in failures] == [True, False, False]


def test_json_tells_what_was_done(run):
    values = json.loads(run("--json").out)
    assert values["n_recordings"] == 2
    assert values["heard_s"] == pytest.approx(4.5)
    assert sum(values["detections"].values()) > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--channel", "0"], "give its number from 1, mean, or each"),
        (["--k-of-n", "3"], "give two numbers such as 2/3"),
        (["--k-of-n", "3/2"], "need k <= n"),
        (["--level", "genus"], "level"),
        (["--format", "xml"], "choose from"),
        (["--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (["--gain", "20"], "give sensitivity_db too"),
    ],
)
def test_a_wrong_option_is_one_line(run, options, words):
    ended = run(*options)
    assert ended.code == 1
    assert words in ended.error


def test_a_format_that_is_none_is_told_before_anything_is_heard(run, tmp_path):
    ended = run("--format", "docx", out="new")
    assert ended.code == 1
    assert "clips" in ended.error
    assert not (tmp_path / "new").exists()


def test_a_table_is_no_folder(run):
    ended = run(out="detections.csv")
    assert ended.code == 1
    assert "results are written into a folder" in ended.error


def test_each_channel_needs_a_folder(seacall, tiny_model, archive):
    ended = seacall("detect", archive, "-m", tiny_model, "--channel", "each")
    assert "give -o" in ended.error


def test_a_folder_that_cannot_be_written_is_one_line(seacall, tiny_model, tmp_path):
    (tmp_path / "file").write_text("no folder")
    ended = seacall(
        *("detect", record(tmp_path / "a.wav"), "-m", tiny_model),
        *("-o", tmp_path / "file" / "out"),
    )
    assert ended.code == 1
    assert "cannot be written" in ended.error
    assert "choose another folder" in ended.error


# ---------------------------------------------------------------- the prior


@pytest.fixture
def rare(tmp_path):
    """A table by which all species but one are rare in May off Nova Scotia."""
    lines = [f"{name},5,40,50,-70,-50,0.001" for name in LABELS[1:-1]]
    path = tmp_path / "prior.csv"
    header = "label,months,south,north,west,east,weight"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_prior_changes_scores_and_keeps_what_was_heard(run, rare, seacall, tmp_path):
    run(out="without")
    plain = detections_in(tmp_path / "without")
    assert {row["score_without_prior"] for row in plain} == {""}
    ended = run("--prior", rare, "--latitude", "44.6", "--longitude", "-63.6")
    assert ended.code == 0, ended.err
    rows = detections_in(tmp_path / "out")
    assert rows != plain
    assert {row["label"] for row in rows} <= {LABELS[0]}
    assert all(row["score_without_prior"] for row in rows)
    given = ("detect", "--from-scores", tmp_path / "out", "-o", tmp_path / "new")
    assert seacall(*given).code == 0
    assert detections_in(tmp_path / "new") == rows
    assert seacall(*given, "--prior", "none").code == 0
    assert detections_in(tmp_path / "new") == plain


def test_a_prior_for_elsewhere_changes_nothing(run, rare, tmp_path):
    run(out="without")
    run("--prior", rare, "--latitude", "-70", "--longitude", "0")
    rows = detections_in(tmp_path / "out")
    for row in rows:
        assert row["score"] == row.pop("score_without_prior")
    plain = detections_in(tmp_path / "without")
    assert rows == [{k: v for k, v in r.items() if k in rows[0]} for r in plain]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prior", "TABLE"), "give latitude and longitude"),
        (("--prior", "TABLE", "--latitude", "99", "--longitude", "0"), "99"),
        (("--latitude", "9"), "give --prior TABLE"),
        (("--prior", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_a_prior_that_cannot_be_meant_is_one_line(run, rare, options, words):
    ended = run(*[rare if one == "TABLE" else one for one in options])
    assert ended.code == 1
    assert words in ended.error


def test_seasons_are_learned_from_a_table(seacall, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("label,month\nlow,1\nhigh,7\n", encoding="utf-8")
    ended = seacall("prior", table, "-o", tmp_path / "prior.csv")
    assert ended.code == 0, ended.err
    assert "2 species in 2 months" in ended.out
    assert (tmp_path / "prior.csv").is_file()
