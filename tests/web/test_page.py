"""The page in a real browser: live, lists, player, presence, uploads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import places
import pytest
import served
import tiny
from browsing import chromium, open_first, scrolls_sideways, texts, until, visit
from stations import record, wait_for

from seacall.live.listen import listen
from seacall.live.settings import ListenRun

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(2)><script>alert(3)</script>"
VIEWS = ("live", "detections", "review", "presence", "thresholds", "quality", "upload")


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def server(browser, station_folder, archive_folder, tmp_path_factory):
    hostile = places.station(
        tmp_path_factory.mktemp("hostile") / "hostile",
        [(HOSTILE, 5.0, 0.9), (tiny.LABELS[0], 65.0, 0.8), (HOSTILE, 3599.0, 0.7)],
        source=HOSTILE,
    )
    found = served.places_of(station_folder, archive_folder, hostile)
    uploads = tmp_path_factory.mktemp("uploads")
    with served.served(found, uploads=uploads) as one:
        yield one


def rows_of(server, place: str, query: str = "") -> dict:
    return server.get(f"/api/places/{place}/detections?{query}").json()


def test_a_box_appears_while_the_station_listens(browser, tmp_path):
    recording = record(tmp_path / served.NAME, 20.0)
    run = ListenRun(threshold=("0.05",), speed=5.0)
    folder = tmp_path / "buoy"
    thread = threading.Thread(target=listen, args=([str(recording)], folder, run))
    thread.start()
    wait_for((folder / "station.sqlite").is_file)
    wait_for((folder / "status.json").is_file)
    with served.served(served.places_of(folder)) as one:
        with visit(browser, one, "buoy/live") as page:
            page.wait_for_selector("a.box")
            page.wait_for_selector(".connection.open")
            assert "listening" in page.inner_text(".health")
            assert "dBFS (peak" in page.inner_text(".level-text")
            painted = (
                "() => { const c = document.querySelector('.live canvas'); "
                "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height)"
                ".data; const seen = new Set(); for (let i = 0; i < d.length; i += 404)"
                "seen.add(d[i] * 65536 + d[i + 1] * 256 + d[i + 2]); "
                "return seen.size; }"
            )
            until(page, f"({painted})() > 20")
            # A box says its class in words and by a shape; it opens the player.
            page.wait_for_selector(".latest .row-button")
            label = page.locator("a.box").first.get_attribute("aria-label")
            names = {name.replace("_", " ") for name in one.places["buoy"].labels}
            assert label.split(" 0.")[0] in names
            assert page.locator("a.box .box-label").first.inner_text()[0] in "●▲■◆▼★✚"
            page.locator("a.box").first.dispatch_event("click")
            page.wait_for_selector(".clip .facts")
        thread.join(30)
    assert not thread.is_alive()


def test_a_lost_connection_is_shown_and_made_again(browser, station_folder):
    with visit_of_own_server(browser, station_folder) as (page, stop):
        page.wait_for_selector(".connection.open")
        page.expected += ["WebSocket", "ERR_CONNECTION_REFUSED"]
        stop()
        page.wait_for_selector(".connection.waiting")
        assert "trying again in" in page.inner_text(".connection")


def visit_of_own_server(browser, folder):
    from contextlib import contextmanager

    @contextmanager
    def opened():
        context = served.served(served.places_of(folder))
        one = context.__enter__()
        over = []

        def stop():
            if not over:
                over.append(True)
                context.__exit__(None, None, None)

        try:
            with visit(browser, one, f"{folder.name}/live") as page:
                yield page, stop
        finally:
            stop()

    return opened()


def test_nothing_is_fed_to_a_page_that_nobody_sees(browser, server):
    hide = (
        "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, "
        "configurable: true}); document.dispatchEvent(new Event('visibilitychange')) }"
    )
    with visit(browser, server, "station/live") as page:
        page.wait_for_selector(".connection.open")
        page.evaluate(hide, True)
        page.wait_for_selector(".connection.paused")
        page.evaluate(hide, False)
        page.wait_for_selector(".connection.open")


def test_a_station_that_nobody_runs_is_said_to_be_silent(browser, server):
    with visit(browser, server, "hostile/live") as page:
        page.wait_for_selector(".health li")
        assert "Nobody is listening" in page.inner_text(".health")
        assert "Start it again" in page.inner_text(".health")


def test_filters_leave_what_fits_and_stay_in_the_address(browser, server):
    label = rows_of(server, "archive")["rows"][0]["label"]
    n = rows_of(server, "archive", f"label={label}")["total"]
    with visit(browser, server, "archive/detections") as page:
        page.get_by_label("Class").select_option(label)
        until(page, f"document.querySelectorAll('tr[data-id]').length == {n}")
        assert {
            label.replace("_", " ") in text for text in texts(page, "td .chip")
        } == {True}
        page.reload()
        page.wait_for_selector("tr[data-id]")
        assert page.get_by_label("Class").input_value() == label
        page.get_by_label("Score at least").fill("1")
        page.get_by_label("Score at least").press("Enter")
        page.get_by_text("No detections fit").wait_for()
        page.get_by_text("Clear filters").click()
        total = rows_of(server, "archive")["total"]
        page.get_by_text(f"of {total} detections").wait_for()


def test_the_list_is_sorted_by_its_heads(browser, server):
    with visit(browser, server, "archive/detections") as page:
        page.get_by_role("button", name="Score").click()
        page.wait_for_selector("th[aria-sort=descending]:has-text('Score')")
        scores = [float(text) for text in texts(page, "td .score-bar")]
        assert scores == sorted(scores, reverse=True)
        page.get_by_role("button", name="Score").click()
        page.wait_for_selector("th[aria-sort=ascending]:has-text('Score')")
        assert [float(text) for text in texts(page, "td .score-bar")] == scores[::-1]


def test_names_are_text_and_never_run(browser, server):
    with visit(browser, server, "hostile/detections") as page:
        page.wait_for_selector("tr[data-id]")
        assert sum(HOSTILE in text for text in texts(page, "td .chip")) == 2
        for view in VIEWS:
            page.goto(f"{server.url}/#/hostile/{view}")
            page.wait_for_selector("h1")
        page.goto(f"{server.url}/#/archive/detections")
        page.get_by_text(served.SCRIPT).first.wait_for()
        assert page.locator("main img, main script").count() == 0


def test_hours_without_listening_look_otherwise_than_without_calls(browser, server):
    found = server.get("/api/places/archive/presence").json()
    with visit(browser, server, "archive/presence") as page:
        page.wait_for_selector("table.heat")
        hour = datetime.fromtimestamp(found["bins_us"][0] / 1e6, UTC).hour
        assert page.locator("td.some, td.none").count() == len(found["bins_us"])
        cell = page.locator("td.some").first
        total = sum(counts[0] for counts in found["counts"].values())
        assert cell.inner_text() == str(total)
        assert cell.get_attribute("data-hour") == str(hour)
        assert page.locator("td.unheard").first.inner_text() == "not listened"
        looks = "(e) => getComputedStyle(e).backgroundImage"
        assert "gradient" in page.locator("td.unheard").first.evaluate(looks)
        assert cell.evaluate(looks) == "none"
        cell.click()
        page.wait_for_selector("tr[data-id]")
        assert page.locator("tr[data-id]").count() == min(50, total)


def test_times_are_utc_or_local_as_one_likes(browser, server):
    with visit(
        browser, server, "archive/detections", timezone_id="America/Vancouver"
    ) as page:
        page.wait_for_selector("tr[data-id]")
        utc = texts(page, ".open-row")[-1]
        assert "2026-05-01 12:00" in utc
        page.keyboard.press("t")
        first = "[...document.querySelectorAll('.open-row')].at(-1)"
        until(page, f"{first}?.innerText.includes('2026-05-01 05:00')")
        assert "America/Vancouver" in page.inner_text(".filters")


def test_recordings_are_dropped_heard_and_refused_in_words(browser, server, tmp_path):
    good = record(tmp_path / "dropped.wav", 6.0).read_bytes()
    drop = (
        "([name, bytes]) => { const data = new DataTransfer(); data.items.add("
        "new File([Uint8Array.from(bytes)], name)); document.querySelector('.drop')"
        ".dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, "
        "cancelable: true})) }"
    )
    with visit(browser, server, "archive/upload") as page:
        page.expected += ["status of 4"]
        page.evaluate(drop, ["notes<b>.wav", list(b"no sound at all" * 10)])
        page.wait_for_selector(".upload-state.bad")
        assert page.inner_text(".upload-state.bad").startswith("⚠")
        page.evaluate(drop, ["dröpped & gone.wav", list(good)])
        page.wait_for_selector(".upload-state.good", timeout=30_000)
        page.get_by_text("see what was found").click()
        page.get_by_role("heading", name="Detections").wait_for()
        # The list is that of the recording, by the name under which it was kept.
        assert page.get_by_label("Source").input_value() == "dröpped_gone.wav"
        assert page.locator("#place").input_value() in server.places
        page.goto(f"{server.url}/#/archive/upload")
        file = {"name": "b.wav", "mimeType": "audio/wav", "buffer": b"short"}
        page.set_input_files("#files", file)
        page.wait_for_selector(".upload-state.bad")


def test_all_can_be_done_with_the_keyboard(browser, server):
    with visit(browser, server, "archive/detections") as page:
        page.wait_for_selector("tr[data-id]")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className") == "open-row":
                break
        first = page.evaluate("document.activeElement.closest('tr').dataset.id")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("ArrowDown")
        second = page.evaluate("document.activeElement.closest('tr').dataset.id")
        assert second != first
        page.keyboard.press("Enter")
        page.wait_for_selector(f"tr[data-id='{second}'][aria-selected=true]")
        page.wait_for_selector(".clip .wave")
        page.keyboard.press("?")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="hidden")
        page.keyboard.press("3")
        page.get_by_role("heading", name="Presence").wait_for()


def test_dark_follows_the_system_and_the_switch(browser, server):
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, server, "archive/detections", color_scheme="dark") as page:
        dark = page.evaluate(ground)
        page.get_by_role("button", name="Light").click()
        assert page.evaluate(ground) != dark
        page.reload()
        page.wait_for_selector("h1")
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
    with visit(browser, server, "archive/detections", color_scheme="light") as page:
        assert page.evaluate(ground) != dark


@pytest.mark.parametrize("width", [390, 640], ids=["phone", "zoom 200 %"])
def test_no_view_scrolls_sideways(browser, server, width):
    size = {"width": width, "height": 844}
    with visit(browser, server, "station/live", viewport=size) as page:
        for place in ("station", "hostile"):
            for view in VIEWS:
                page.goto(f"{server.url}/#/{place}/{view}")
                page.wait_for_selector(f".view-{view} h1")
                assert not scrolls_sideways(page), f"{place} {view}"
        page.goto(f"{server.url}/#/archive/detections")
        page.wait_for_selector("tr[data-id]")
        open_first(page)
        assert not scrolls_sideways(page)


def test_everything_that_can_be_used_has_a_name(browser, server):
    unnamed = (
        "() => [...document.querySelectorAll('input, select, button, a, canvas, "
        "[role=meter], progress')].filter((e) => e.getClientRects().length && !("
        "e.getAttribute('aria-label') || e.labels?.length || e.innerText?.trim()))"
        ".map((e) => e.outerHTML).filter((t) => !t.includes('part='))"
    )
    with visit(browser, server, "station/live") as page:
        for view in VIEWS:
            page.goto(f"{server.url}/#/station/{view}")
            page.wait_for_selector(f".view-{view} h1")
            assert page.evaluate(unnamed) == []
            assert page.locator("main h1").count() == 1
            assert page.get_attribute("nav a[aria-current]", "href").endswith(view)
        assert page.evaluate("document.documentElement.lang") == "en"


def test_a_day_in_another_zone_is_the_local_day(browser, server):
    us = server.get("/api/places/archive/presence").json()["bins_us"][0]
    hour = datetime.fromtimestamp(us / 1e6, UTC).hour
    zone = {"timezone_id": "Asia/Tokyo"}
    with visit(browser, server, "archive/presence", **zone) as page:
        cell = page.locator("td.some, td.none").first
        page.wait_for_selector("table.heat")
        title = cell.get_attribute("title")
        assert f" {hour:02d}:00" in title
        page.keyboard.press("t")
        until(page, "document.querySelector('caption')?.innerText.includes('Tokyo')")
        assert f" {(hour + 9) % 24:02d}:00" in cell.get_attribute("title")
