"""Sound that a reviewer accepted stays, whoever reviews while the station runs."""

from __future__ import annotations

import places
import pytest

from seacall.live.budget import Budget
from seacall.live.journal import Journal
from seacall.live.judged import NOTEBOOK_NAME, accepted
from seacall.live.settings import SnippetSettings
from seacall.review.place import open_place

FIN = "Fin Whale"


@pytest.fixture
def station(tmp_path):
    """Four detections with sound, the first of the lowest score."""
    found = [(FIN, 10.0 * k, 0.5 + 0.1 * k) for k in range(4)]
    folder = places.station(tmp_path / "st", found)
    for number in range(1, 5):
        places.keep_sound(folder, number, start_s=10.0 * number - 11)
    return folder


def say(folder, number, answer, reviewer="Ann", **more):
    place = open_place(folder)
    target = place.detection(number).target
    place.notebook.say(reviewer, target, answer, **more)
    place.close()


def left(folder) -> list[int]:
    """Let the station make room for all but a byte, and return what it kept."""
    with Journal(folder) as journal:
        budget = Budget(journal, SnippetSettings(budget_gb=0, min_free_gb=0))
        budget.has_room(1)
        rows = journal.rows("SELECT id, audio FROM detections ORDER BY id")
        kept = [row["id"] for row in rows if row["audio"] is not None]
        assert kept == [r["id"] for r in rows if (folder / str(r["audio"])).is_file()]
    return kept


def test_without_reviews_all_may_go(station):
    assert left(station) == []


def test_what_was_accepted_or_corrected_stays(station):
    say(station, 1, "accept")
    say(station, 2, "reject")
    say(station, 3, "correct", label="Minke Whale")
    say(station, 4, "unsure")
    assert left(station) == [1, 3]


def test_one_who_accepts_is_enough_until_he_takes_it_back(station):
    say(station, 1, "accept")
    say(station, 1, "reject", reviewer="Bo")
    say(station, 2, "accept")
    say(station, 2, "reject")
    assert left(station) == [1]
    place = open_place(station)
    place.notebook.undo("Ann")  # the rejection of the second
    place.notebook.undo("Ann")  # its acceptance
    place.notebook.undo("Ann")  # the acceptance of the first
    assert left(station) == []


def test_what_was_kept_by_hand_stays_without_any_reviewer(station):
    with Journal(station) as journal, journal.transaction() as db:
        db.execute("UPDATE detections SET kept = 1 WHERE id = 4")
    say(station, 1, "accept")
    assert left(station) == [1, 4]


def test_nothing_is_deleted_while_reviews_cannot_be_read(station, caplog):
    (station / NOTEBOOK_NAME).write_bytes(b"damaged" * 999)
    assert left(station) == [1, 2, 3, 4]
    assert "nothing is deleted until it can" in caplog.text


def test_the_listener_reads_what_the_notebook_writes(station):
    say(station, 2, "accept")
    keys = accepted(station / NOTEBOOK_NAME)
    assert keys == {open_place(station).detection(2).target.key}
