"""The command line reviews without a browser: judge, measure, export, train again."""

from __future__ import annotations

import csv
import json
import shlex

import places
import pytest
import soundfile

from seacall.config import DetectRun
from seacall.review.place import Query, open_place

BELUGA, FIN, MINKE = "Béluga blanc", "Fin Whale", "Minke Whale"


@pytest.fixture
def run(tiny_model, tmp_path):
    """Two recordings: a beluga at 1 s, a fin whale at 3 s; a beluga at 2 s."""
    scores = {
        "one.wav": [[0, 0], [0.9, 0], [0, 0], [0, 0.8], [0, 0], [0, 0]],
        "two.wav": [[0, 0], [0, 0], [0.75, 0], [0, 0]],
        "nothing.wav": [[0, 0]],
    }
    return places.archive(tmp_path / "a run", scores, model=tiny_model)


def ids(folder):
    rows = open_place(folder).detections(Query()).rows
    return {(row.name, row.target.start_s): row.id for row in rows}


def test_without_options_it_says_what_there_is(seacall, run):
    ended = seacall("review", run)
    assert ended.code == 0
    assert ended.out == "3 detections: 3 waiting\n"


def test_a_folder_that_is_none_is_told_in_a_line(seacall, tmp_path):
    assert "holds neither" in seacall("review", tmp_path).error


def test_judging_and_undoing(seacall, run):
    one = ids(run)["one.wav", 1.0]
    said = seacall("review", run, "--reviewer", "Ann", "--say", f"{one}=accept")
    assert said.out.rstrip().endswith("accepted")
    assert "2 waiting, 1 accepted" in seacall("review", run).out
    said = seacall("review", run, "--reviewer", "Bo", "--say", f"{one}={MINKE}")
    assert said.out.rstrip().endswith("disputed")
    undone = seacall("review", run, "--reviewer", "Bo", "--undo")
    assert undone.out == f"taken back: correct {MINKE}, of {BELUGA} at 1.000 s\n"
    assert "nothing left" in seacall("review", run, "--reviewer", "Bo", "--undo").out
    assert "1 accepted" in seacall("review", run).out


@pytest.mark.parametrize("text", ["accept", "x=accept", "7=", "99=accept"])
def test_what_is_no_verdict_is_told_in_a_line(seacall, run, text):
    error = seacall("review", run, "--reviewer", "Ann", "--say", text).error
    assert "write ID=accept" in error or "has no detection 99" in error


def test_next_shows_one_and_writes_its_sound(seacall, run, tmp_path):
    wav = tmp_path / "clip.wav"
    ended = seacall("review", run, "--next", "--sound", wav, "--json")
    row = json.loads(ended.out)["next"]["row"]
    assert soundfile.info(wav).duration == pytest.approx(3.0, abs=1e-3)
    assert row["id"] in ids(run).values()
    assert seacall("review", run, "--next", "--label", FIN).out.count(FIN) == 1


def test_quality_tells_recall_against_annotations(seacall, run, tmp_path):
    table = tmp_path / "marks.csv"
    table.write_text(
        "file,start_s,end_s,label\n"
        f"one.wav,1.2,1.8,{BELUGA}\none.wav,4.5,5.5,{BELUGA}\ntwo.wav,2.0,2.5,{FIN}\n"
        f"two.wav,0,1,{MINKE}\n",
        encoding="utf-8",
    )
    ended = seacall("review", run, "--quality", "--annotations", table, "--json")
    rows = {r["label"]: r for r in json.loads(ended.out)["quality"]["rows"]}
    assert rows[BELUGA]["recall"] == 0.5
    assert rows[FIN]["recall"] == rows[MINKE]["recall"] == 0.0
    text = seacall("review", run, "--quality").out
    assert f"  {BELUGA}        nothing judged yet" in text


def test_from_detect_by_verdicts_to_a_dataset(seacall, run, tmp_path):
    at = ids(run)
    for key, answer in (
        (("one.wav", 1.0), "accept"),
        (("one.wav", 3.0), "reject"),
        (("two.wav", 2.0), MINKE),
    ):
        seacall("review", run, "--reviewer", "Ann", "--say", f"{at[key]}={answer}")
    ended = seacall("review", run, "--export", tmp_path / "labels 1", "--json")
    command = shlex.split(json.loads(ended.out)["export"]["command"])
    assert command[:2] == ["seacall", "prepare"]
    command[-1] = str(tmp_path / "dataset")
    prepared = seacall(*command[1:])
    assert prepared.code == 0, prepared.err
    with (tmp_path / "labels 1" / "labels.csv").open(encoding="utf-8") as file:
        rows = {
            (r["file_name"], r["species_name"], r["start_s"], r["end_s"])
            for r in csv.DictReader(file)
        }
    assert rows == {
        ("one.wav", BELUGA, "1.000", "2.000"),
        ("one.wav", "unknown", "3.000", "4.000"),
        ("two.wav", MINKE, "2.000", "3.000"),
    }
    clips = list((tmp_path / "dataset").rglob("*.wav"))
    assert len(clips) == 3
    assert all(soundfile.info(clip).duration == 1.0 for clip in clips)
    report = (tmp_path / "dataset" / "report.txt").read_text(encoding="utf-8")
    assert all(name in report for name in (BELUGA, MINKE, "unknown"))


def test_a_table_that_was_edited_in_raven_becomes_verdicts(seacall, run, tmp_path):
    out = tmp_path / "raven"
    detected = seacall("detect", "--from-scores", run, "-o", out, "--format", "raven")
    assert detected.code == 0, detected.err
    table = out / "detections.selections.txt"
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3
    kept = [rows[0], rows[2].replace(BELUGA, MINKE)]  # the fin whale was deleted
    table.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
    ended = seacall(
        *("review", run, "--reviewer", "Ann", "--import", table, "--missing-rejected")
    )
    assert ended.out == "1 accepted, 1 corrected, 1 rejected\n"
    settled = [r.settled for r in open_place(run).detections(Query()).rows]
    assert settled == ["accepted", "rejected", "corrected"]


def test_selections_where_nothing_was_detected_are_counted(seacall, run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(f"file,start_s,end_s,label\none.wav,5,6,{FIN}\n", encoding="utf-8")
    ended = seacall("review", run, "--import", table, "--reviewer", "Ann")
    assert "1 selections where nothing was detected" in ended.out


def test_nothing_judged_is_nothing_to_export(seacall, run, tmp_path):
    error = seacall("review", run, "--export", tmp_path / "labels").error
    assert "judge some detections first" in error


def test_a_station_s_own_snippets_become_a_dataset(seacall, tmp_path):
    found = [(BELUGA, 10.0, 0.9), (FIN, 40.0, 0.8), (FIN, 80.0, 0.8), (FIN, 90, 0.7)]
    folder = places.station(tmp_path / "st", found)
    for number, start_s in ((1, 8.0), (2, 38.0), (3, 78.0)):
        places.keep_sound(folder, number, start_s=start_s)
    for number, answer in ((1, "accept"), (2, "reject"), (3, "accept"), (4, "accept")):
        seacall("review", folder, "--reviewer", "Ann", "--say", f"{number}={answer}")
    ended = seacall("review", folder, "--export", tmp_path / "labels", "--json")
    exported = json.loads(ended.out)["export"]
    assert exported["left_out"] == [f"{FIN} at 90.000 s: its sound is not there"]
    command = shlex.split(exported["command"])
    command[-1] = str(tmp_path / "dataset")
    prepared = seacall(*command[1:])
    assert prepared.code == 0, prepared.err
    clips = {p.name: p for p in (tmp_path / "dataset").rglob("*.wav")}
    assert len(clips) == 3
    y, _ = soundfile.read(next(p for n, p in clips.items() if BELUGA[0] == n[0]))
    kept, _ = soundfile.read(folder / "audio" / "1.flac")
    assert (y == kept[2 * places.RATE : 4 * places.RATE]).all()


def test_a_call_of_another_class_keeps_a_stretch_from_being_a_negative(
    seacall, run, tmp_path
):
    places.store(DetectRun(threshold=("0.1",)), run)
    place = open_place(run)
    beluga = place.detections(Query(source="one", label=BELUGA)).rows[0]
    place.notebook.say("Ann", beluga.target, "accept")
    from dataclasses import replace

    place.notebook.say("Ann", replace(beluga.target, label=FIN), "reject")
    ended = seacall("review", run, "--export", tmp_path / "labels", "--json")
    exported = json.loads(ended.out)["export"]
    assert exported["n"] == 1
    assert "something else calls there" in exported["left_out"][0]
