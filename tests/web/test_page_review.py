"""Reviewing in a real browser: keys, undo, corrections, thresholds, quality."""

from __future__ import annotations

import zipfile

import httpx
import places
import pytest
import served
from browsing import chromium, texts, until, visit
from stations import wait_for

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def server(browser, tiny_model, tmp_path):
    """Scores are given, so that no model decides what there is to review."""
    scores = {
        "20260501_120000.wav": [[0.9, 0.0], [0.0, 0.0], [0.0, 0.8], [0.0, 0.0]],
        "b.wav": [[0.7, 0.0], [0.0, 0.0], [0.0, 0.6], [0.0, 0.0], [0.95, 0.0]],
    }
    folder = places.archive(tmp_path / "archive", scores, model=tiny_model)
    with served.served(served.places_of(folder)) as one:
        yield one


def rows(server, query: str = "") -> list[dict]:
    return server.get(f"/api/places/archive/detections?limit=500&{query}").json()[
        "rows"
    ]


def judged(server) -> list[tuple[str, str, str]]:
    """Reviewer, verdict and label of all verdicts in force."""
    return sorted(
        (said["reviewer"], said["verdict"], said["label"] or "")
        for row in rows(server)
        for said in row["verdicts"]
    )


def shown(page) -> str:
    """What tells one detection from the other on the page."""
    page.wait_for_selector(".clip.big .wave")
    page.wait_for_selector(".clip.big .facts")
    return page.inner_text(".clip.big .clip-head")


def press(page, key: str) -> str:
    """Press a key and wait for another detection."""
    before = shown(page)
    page.keyboard.press(key)
    head = "document.querySelector('.clip.big .clip-head')?.innerText"
    until(page, f"({head} ?? {before!r}) !== {before!r}")
    return shown(page)


def test_one_key_for_each_verdict_and_undo_for_all(browser, server):
    n = len(rows(server))
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        first = shown(page)
        assert f"{n} detections left" in page.inner_text(".count")
        second = press(page, "a")
        assert second != first
        third = press(page, "r")
        press(page, "u")
        assert [said[:2] for said in judged(server)] == [
            ("MK", "accept"),
            ("MK", "reject"),
            ("MK", "unsure"),
        ]
        # Each undo goes back to the detection whose verdict is gone.
        assert press(page, "z") == third
        assert press(page, "z") == second
        assert press(page, "z") == first
        assert judged(server) == []
        page.keyboard.press("z")
        page.get_by_text("nothing to take back").wait_for()


def test_next_and_previous_pass_over_without_a_verdict(browser, server):
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        first = shown(page)
        second = press(page, "n")
        assert press(page, "p") == first
        assert press(page, "n") == second
        seen = {first, second}
        while len(seen) < len(rows(server)):
            seen.add(press(page, "n"))
        page.keyboard.press("n")
        page.get_by_text("Nothing is left to review").wait_for()
        assert judged(server) == []


def test_a_correction_is_typed_in_part_and_chosen_by_arrows(browser, server):
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        shown(page)
        page.keyboard.press("c")
        page.keyboard.type("whale")
        options = texts(page, "[role=option]")
        assert all("whale" in one.lower() for one in options)
        page.keyboard.press("ArrowDown")
        chosen = page.inner_text("[role=option][aria-selected=true]")
        assert chosen == options[1]
        press(page, "Enter")
        assert judged(server) == [("MK", "correct", chosen)]
        # Esc leaves without a verdict; keys are letters while one types.
        page.keyboard.press("c")
        page.keyboard.type("rrr")
        page.keyboard.press("Escape")
        page.wait_for_selector(".corrector", state="hidden")
        assert len(judged(server)) == 1


def test_verdicts_need_a_name_which_is_kept(browser, server):
    with visit(browser, server, "archive/review") as page:
        shown(page)
        page.locator("h1").click()
        page.keyboard.press("a")
        page.get_by_text("Say who you are first").wait_for()
        assert judged(server) == []
        page.get_by_label("Reviewer").fill("Ánna <b>")
        page.get_by_label("Reviewer").press("Enter")
        shown(page)
        page.locator("h1").click()
        press(page, "a")
        page.reload()
        shown(page)
        assert page.get_by_label("Reviewer").input_value() == "Ánna <b>"
    assert [said[:2] for said in judged(server)] == [("Ánna <b>", "accept")]


def test_a_rejection_in_the_list_is_there_after_a_reload(browser, server):
    with visit(browser, server, "archive/detections", reviewer="MK") as page:
        page.locator("tr[data-id]").nth(1).click()
        page.wait_for_selector(".clip .facts")
        page.keyboard.press("r")
        line = page.locator("tr[data-id]").nth(1)
        line.locator(".settled.rejected").wait_for()
        page.reload()
        page.wait_for_selector("tr[data-id]")
        assert "rejected" in page.locator("tr[data-id]").nth(1).inner_text()
        page.get_by_label("Verdict").first.select_option("rejected")
        until(page, "document.querySelectorAll('tr[data-id]').length === 1")
    assert [said[:2] for said in judged(server)] == [("MK", "reject")]


def test_nothing_is_judged_before_it_is_shown(browser, server):
    held, passing = [], []
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        shown(page)
        page.route(
            "**/sound.wav*",
            lambda one: one.continue_() if passing else held.append(one),
        )
        page.keyboard.press("a")
        wait_for(lambda: page.evaluate("1") and held)
        for key in "rruz":
            page.keyboard.press(key)
        passing.append(True)
        held[0].continue_()
        shown(page)
        assert judged(server) == [("MK", "accept", "")]
        assert press(page, "z")
        n = len(rows(server))
        assert f"{n} detections left" in page.inner_text(".count")


def test_progress_counts_what_was_judged(browser, server):
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        shown(page)
        press(page, "a")
        page.wait_for_selector(".progress-list li")
        counts = [
            text.split(" of ") for text in texts(page, ".progress-list li > span")
        ]
        pairs = [(int(a), int(b)) for a, b in (c for c in counts if len(c) == 2)]
        assert sum(n for n, _ in pairs) == 1
        assert sum(n for _, n in pairs) == len(rows(server))


def test_labels_are_there_to_be_taken_away(browser, server):
    with visit(browser, server, "archive/review", reviewer="MK") as page:
        shown(page)
        press(page, "a")
        with page.expect_download() as taken:
            page.get_by_text("Labels for Raven").click()
        names = zipfile.ZipFile(taken.value.path()).namelist()
    assert any(name.endswith("labels.csv") for name in names)


def test_a_threshold_hides_detections_and_is_kept(browser, server):
    label = rows(server)[0]["label"]
    scores = [row["score"] for row in rows(server) if row["label"] == label]
    name = label.replace("_", " ")
    with visit(browser, server, "archive/thresholds") as page:
        card = page.locator(".card", has=page.locator(f".chip[title='{label}']"))
        assert f"{len(scores)} of" in card.locator(".effect").inner_text()
        number = card.get_by_label(f"Threshold of {name}, as a number")
        number.fill("1")
        card.get_by_role("button", name="Save").click()
        card.get_by_text("in force: yours").wait_for()
        assert not any(row["label"] == label for row in rows(server))
        page.reload()
        card.get_by_text("in force: yours").wait_for()
        assert number.input_value() == "1.00"
        card.get_by_text("Model's own").click()
        card.get_by_text("in force: the model's own").wait_for()
    assert len([row for row in rows(server) if row["label"] == label]) == len(scores)


def test_quality_tells_what_reviewers_said(browser, server):
    for row in rows(server):
        path = f"/api/places/archive/detections/{row['id']}/verdicts"
        for reviewer in ("A", "B"):
            said = {"reviewer": reviewer, "verdict": "accept"}
            answer = httpx.post(server.url + path, json=said, headers=server.ours)
            assert answer.status_code == 200
    known = server.get("/api/places/archive/quality").json()
    expected = [row for row in known["rows"] if row["n_reviewed"]]
    with visit(browser, server, "archive/quality") as page:
        lines = texts(page, "table.quality tbody tr")
        assert len(lines) == len(expected) > 0
        for line, row in zip(lines, expected, strict=True):
            assert f"{row['n_reviewed']} of {row['n']}" in line
            assert row["text"] in line
        agreement = page.inner_text(".facts")
        assert f"{len(rows(server))} detections" in agreement
        assert "100 %" in agreement
