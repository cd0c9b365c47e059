"""What is offered next, and what the answers say of the model."""

from __future__ import annotations

import places
import pytest
import tiny

from seacall.config import DetectRun
from seacall.review.alarms import threshold_rows
from seacall.review.nouns import Query
from seacall.review.offer import next_for
from seacall.review.place import open_place
from seacall.review.quality import quality_of

BELUGA, FIN, MINKE = "Béluga blanc", "Fin Whale", "Minke Whale"


def place_of(tmp_path, found):
    return open_place(places.station(tmp_path / "st", found))


def answer(place, row, answer="accept", reviewer="Ann"):
    place.notebook.say(reviewer, row.target, answer)


def test_the_doubtful_of_each_class_in_turn_come_first(tmp_path):
    found = [(BELUGA, 1.0 * k, 0.95 - 0.1 * k) for k in range(4)]
    place = place_of(tmp_path, [*found, (FIN, 9.0, 0.99)])
    for name in (BELUGA, FIN):
        place.notebook.set_threshold(name, 0.6)
    rows = place.detections(Query(order="next")).rows
    assert [round(row.target.score, 2) for row in rows] == [
        0.65,
        0.99,
        0.75,
        0.85,
        0.95,
    ]


def test_no_source_has_all_the_first_places(tmp_path):
    folder = places.station(
        tmp_path / "st", [(BELUGA, 2.0 * k, 0.61) for k in range(9)]
    )
    places.more(folder, [(BELUGA, 1.0, 0.9)], source="tcp://other:1")
    place = open_place(folder)
    place.notebook.set_threshold(BELUGA, 0.6)
    first = place.detections(Query(order="next", limit=2)).rows
    assert {row.name for row in first} == {"tcp://h:1", "tcp://other:1"}


def test_every_fourth_is_drawn_by_chance_and_nothing_comes_twice(tmp_path):
    found = [((BELUGA, FIN)[k % 2], 3.0 * k, 0.5 + 0.004 * k) for k in range(100)]
    place = place_of(tmp_path, found)
    seen, by_chance = [], []
    while (offer := next_for(place, "Ann")).row is not None:
        assert offer.left == 100 - len(seen)
        seen.append(offer.row.id)
        by_chance.append(offer.by_chance)
        answer(place, offer.row)
    assert len(set(seen)) == len(seen) == 100
    assert by_chance[:8] == [False, False, False, True] * 2
    assert sum(by_chance[:40]) == 10
    assert [p["n_reviewed"] for p in offer.progress] == [50, 50]


def test_what_another_judged_comes_last_unless_it_is_asked_for(tmp_path):
    place = place_of(tmp_path, [(BELUGA, 1.0, 0.7), (BELUGA, 5.0, 0.9)])
    first = next_for(place, "Ann").row
    answer(place, first)
    assert next_for(place, "Bo").row.id != first.id
    assert next_for(place, "Bo", double=True).row.id == first.id
    other = next_for(place, "Bo").row
    answer(place, other, reviewer="Bo")
    assert next_for(place, "Bo").row.id == first.id
    assert next_for(place, "Ann").row.id == other.id


def test_what_is_skipped_or_of_another_class_is_not_offered(tmp_path):
    place = place_of(tmp_path, [(BELUGA, 1.0, 0.7), (FIN, 5.0, 0.9)])
    first = next_for(place, "Ann", label=FIN).row
    assert first.target.label == FIN
    assert next_for(place, "Ann", label=FIN, skip=[first.id]).row is None
    assert next_for(place, "Ann", label="Narwhal").row is None


def truth(row) -> str:
    """Right where the score is high: 0.5 is never right, 1 always is."""
    lot = (row.target.start_s * 0.618) % 1
    return "accept" if lot < 2 * row.target.score - 1 else "reject"


def test_precision_is_told_from_chance_not_from_the_doubtful(tmp_path):
    found = [(BELUGA, 3.0 * k, 0.5 + 0.5 * (k * 37 % 1000) / 1000) for k in range(1000)]
    place = place_of(tmp_path, found)
    rows = place.detections(Query(limit=1000)).rows
    right = sum(truth(row) == "accept" for row in rows) / 1000
    for _ in range(200):
        row = next_for(place, "Ann").row
        answer(place, row, truth(row))
    (said,) = [row for row in quality_of(place) if row.label == BELUGA]
    assert said.n_reviewed == 200
    assert 50 <= said.n_drawn <= 70
    assert said.low <= right <= said.high
    judged = place.detections(Query(settled="accepted", limit=0)).total / 200
    assert judged < right - 0.15  # doubtful ones were most
    assert "drawn by chance were right" in said.text


def test_verdicts_that_somebody_chose_say_nothing_of_precision(tmp_path):
    place = place_of(tmp_path, [(BELUGA, 3.0 * k, 0.9) for k in range(20)])
    for row in place.detections(Query()).rows[1:]:
        answer(place, row, "reject")
    (said,) = quality_of(place)
    assert (said.precision, said.n_reviewed, said.alarm) == (None, 19, False)
    assert "says nothing of precision" in said.text


def test_where_all_were_judged_nothing_had_to_be_drawn(tmp_path):
    place = place_of(tmp_path, [(BELUGA, 3.0 * k, 0.9) for k in range(20)])
    for k, row in enumerate(place.detections(Query()).rows):
        answer(place, row, "accept" if k < 15 else "reject")
    (said,) = quality_of(place)
    assert (said.precision, said.n_drawn) == (0.75, 20)
    assert "15 of 20 (all there are) were right" in said.text


def drawn(place, verdicts):
    """Judge the detections in order of time, as if chance had drawn them."""
    rows = place.detections(Query(limit=500)).rows
    place.notebook.pick([row.target for row in rows[: len(verdicts)]])
    for row, good in zip(rows, verdicts, strict=False):
        answer(place, row, "accept" if good else "reject")
    return {row.label: row for row in quality_of(place)}


@pytest.mark.parametrize(("later", "alarm"), [(9, False), (4, True)])
def test_a_drop_after_the_first_draws_raises_an_alarm(tmp_path, later, alarm):
    found = [(BELUGA, 400.0 * k, 0.9) for k in range(150)]
    verdicts = [k % 10 != 0 for k in range(30)] + [k % 10 < later for k in range(120)]
    row = drawn(place_of(tmp_path, found), verdicts)[BELUGA]
    assert row.expected_precision == 0.9
    assert row.alarm is alarm
    assert ("not by chance" in row.text) is alarm


def test_a_threshold_shows_what_it_loses_and_how_often_it_is_wrong(tmp_path):
    found = [(BELUGA, 30.0 * k, 0.6 if k % 2 else 0.9) for k in range(100)]
    place = place_of(tmp_path, found)
    # High ones are right, every second low one is.
    verdicts = [k % 4 != 1 for k in range(100)]
    assert drawn(place, verdicts)[BELUGA].precision == 0.75
    (row,) = [r for r in threshold_rows(place) if r.label == BELUGA]
    rates = {p["threshold"]: (p["n"], p["per_hour"]) for p in row.points}
    assert row.basis == "reviewed"
    assert rates[0.6] == (100, 25.0)
    assert rates[0.65] == (50, 0.0)
    place.notebook.set_threshold(BELUGA, 0.8)
    (said,) = [r for r in quality_of(place) if r.label == BELUGA]
    assert said.precision == 1.0
    assert said.relative_recall[0] == pytest.approx(50 / 75)
    assert place.detections(Query()).total == 50
    assert place.detections(Query(hidden=True)).total == 100
    place.notebook.set_threshold(BELUGA, None)
    assert place.detections(Query()).total == 100


def test_the_card_s_precision_counts_where_its_thresholds_do(tmp_path):
    model = tiny.write_model(
        tmp_path / "model", thresholds={BELUGA: 0.5}, target_precision=0.9
    )
    scores = {f"{k:02}.wav": [0.9, 0.1] for k in range(40)}
    folder = places.archive(tmp_path / "run", scores, model=model)
    row = drawn(open_place(folder), [k % 2 == 0 for k in range(40)])[BELUGA]
    assert (row.expected_precision, row.expected_from) == (0.9, "card")
    assert row.alarm
    assert "below the 90% of the card" in row.text
    places.store(DetectRun(threshold=(f"{BELUGA}=0.2",)), folder)
    (row,) = quality_of(open_place(folder))
    assert row.n_drawn == 40
    assert row.expected_from == "first draws"
