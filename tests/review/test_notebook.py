"""The notebook: nothing said is lost, whoever says it, and whatever moves."""

from __future__ import annotations

import sqlite3
import threading

import places
import programs
import pytest
from stations import wait_for

from seacall.config import DetectRun
from seacall.errors import SettingsError
from seacall.review.notebook import NOTEBOOK_NAME, Notebook
from seacall.review.nouns import Target
from seacall.review.place import Query, open_place

BELUGA, FIN, MINKE = "Béluga blanc", "Fin Whale", "Minke Whale"
CALL = Target("a.wav", 1, BELUGA, 1.0, 3.0, None, 0.8)


def test_nothing_is_written_before_the_first_verdict(tmp_path):
    notebook = Notebook(tmp_path)
    assert notebook.verdicts() == []
    assert notebook.thresholds() == {}
    assert notebook.undo("Ann") is None
    assert not (tmp_path / NOTEBOOK_NAME).exists()


def test_the_last_verdict_of_each_reviewer_stands_and_undo_goes_back(tmp_path):
    notebook = Notebook(tmp_path)
    notebook.say("Ann", CALL, "reject")
    notebook.say("Bo", CALL, "accept")
    notebook.say("Ann", CALL, "correct", label=FIN, note="low tones")

    def said():
        return {(v.reviewer, v.answer, v.label) for v in notebook.verdicts()}

    assert said() == {("Bo", "accept", ""), ("Ann", "correct", FIN)}
    assert notebook.undo("Ann").answer == "correct"
    assert said() == {("Bo", "accept", ""), ("Ann", "reject", "")}
    assert notebook.undo("Ann").answer == "reject"
    assert notebook.undo("Ann") is None
    assert said() == {("Bo", "accept", "")}
    with sqlite3.connect(tmp_path / NOTEBOOK_NAME) as db:
        assert db.execute("SELECT COUNT(*) FROM verdicts").fetchone() == (5,)


@pytest.mark.parametrize(
    ("reviewer", "answer", "label", "why"),
    [
        (" ", "accept", "", "give a name"),
        ("x" * 81, "accept", "", "give a name"),
        ("Ann", "maybe", "", "is none"),
        ("Ann", "correct", "  ", "needs a label"),
        ("Ann", "correct", BELUGA, "accept it instead"),
    ],
)
def test_what_is_no_verdict_is_refused_in_words(tmp_path, reviewer, answer, label, why):
    with pytest.raises(SettingsError, match=why):
        Notebook(tmp_path).say(reviewer, CALL, answer, label=label)
    assert Notebook(tmp_path).verdicts() == []


def test_half_a_character_is_refused_and_unknown_is_a_rejection(tmp_path):
    notebook = Notebook(tmp_path)
    for texts in ({"note": "\ud800"}, {"label": "\udfff"}):
        with pytest.raises(SettingsError, match=r"half a character|label"):
            notebook.say("Ann", CALL, "correct", **({"label": FIN} | texts))
    notebook.say("Ann", CALL, "correct", label="unknown")
    assert [(v.answer, v.label) for v in notebook.verdicts()] == [("reject", "")]


def test_a_file_that_is_no_notebook_is_told(tmp_path):
    (tmp_path / NOTEBOOK_NAME).write_bytes(b"not a data base at all" * 99)
    with pytest.raises(SettingsError, match="not a database"):
        Notebook(tmp_path).verdicts()


def test_many_threads_and_notebooks_lose_nothing(tmp_path):
    def work(k: int) -> None:
        notebook = Notebook(tmp_path)
        for j in range(10):
            notebook.say(f"r{k}", Target("a", 1, BELUGA, j, j + 1), "accept")
        notebook.close()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Notebook(tmp_path).verdicts()) == 40


def test_what_was_answered_survives_kill_9(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from seacall.review.notebook import Notebook\n"
        "from seacall.review.nouns import Target\n"
        "notebook = Notebook(Path(sys.argv[1]))\n"
        "for k in range(100000):\n"
        "    n = notebook.say('Ann', Target('a', 1, 'Orca', k, k + 1), 'accept')\n"
        "    Path(sys.argv[1], 'told').write_text(str(n))\n"
    )
    process = programs.start("-c", code, tmp_path)
    told = tmp_path / "told"
    try:
        wait_for(lambda: told.is_file() and int(told.read_text() or 0) > 20)
    finally:
        programs.kill(process)
    n = int(told.read_text() or 0)
    assert len(Notebook(tmp_path).verdicts()) >= n > 20


@pytest.fixture
def run(tiny_model, tmp_path):
    """A run in which one call lasts from 1 to 3 s, and weaker from 0 to 6 s."""
    scores = {"a.wav": [0.6, 0.9, 0.9, 0.6, 0.6, 0.6, 0.1]}
    return places.archive(tmp_path / "run", scores, model=tiny_model)


def judged(folder, answer, *, label="", reviewer="Ann"):
    place = open_place(folder)
    (row,) = place.detections(Query()).rows
    place.notebook.say(reviewer, row.target, answer, label=label)
    return open_place(folder)


def settled(folder, threshold):
    places.store(DetectRun(threshold=(str(threshold),)), folder)
    return [
        (r.target.start_s, r.target.end_s, r.settled)
        for r in open_place(folder).detections(Query()).rows
    ]


def test_an_acceptance_goes_over_to_what_holds_all_of_it(run):
    judged(run, "accept")
    assert settled(run, 0.5) == [(0, 6, "accepted")]


def test_a_rejection_does_not_reach_beyond_what_was_heard(run):
    judged(run, "reject")
    assert settled(run, 0.5) == [(0, 6, None)]
    assert settled(run, 0.7) == [(1, 3, "rejected")]


def test_a_rejection_goes_over_to_what_lies_in_it(run):
    places.store(DetectRun(threshold=("0.5",)), run)
    judged(run, "reject")
    assert settled(run, 0.7) == [(1, 3, "rejected")]


def test_an_acceptance_does_not_go_over_to_a_small_part(run):
    places.store(DetectRun(threshold=("0.5",)), run)
    judged(run, "accept")
    assert settled(run, 0.7) == [(1, 3, None)]


def test_reviewers_who_differ_dispute_until_one_gives_way(run):
    judged(run, "accept")
    place = judged(run, "reject", reviewer="Bo")
    assert place.detections(Query()).rows[0].settled == "disputed"
    assert place.detections(Query(settled="disputed")).total == 1
    place = judged(run, "unsure", reviewer="Bo")
    assert place.detections(Query()).rows[0].settled == "accepted"
    place = judged(run, "correct", label=MINKE, reviewer="Ann")
    row = place.detections(Query(settled="corrected")).rows[0].as_json()
    assert [v["label"] for v in row["verdicts"]] == [None, MINKE]
    assert place.detections(Query(settled="waiting")).total == 0


def test_an_undo_by_another_process_is_seen(run):
    place = judged(run, "accept")
    assert place.detections(Query()).rows[0].settled == "accepted"
    Notebook(run).undo("Ann")
    assert place.detections(Query()).rows[0].settled is None
