"""The player in a real browser: what it draws, reads and plays."""

from __future__ import annotations

import numpy as np
import pytest
import served
import soundfile
from browsing import chromium, open_first, until, visit
from stations import record

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def server(browser, archive_folder):
    with served.served(served.places_of(archive_folder)) as one:
        yield one


def test_a_clip_is_shown_played_looped_and_slowed(browser, server):
    with visit(browser, server, "archive/detections") as page:
        open_first(page)
        page.get_by_role("button", name="Play").click()
        page.get_by_role("button", name="Pause").wait_for()
        moved = "parseFloat(document.querySelector('.cursor').style.left) > 3"
        until(page, moved)
        page.keyboard.press("Escape")
        page.locator("h1").click()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Play").wait_for()
        page.keyboard.press("l")
        page.wait_for_selector("button[aria-pressed=true]:has-text('Loop')")
        page.keyboard.press("[")
        assert page.get_by_label("Speed").input_value() == "0.5"
        assert "Slowed: the call is heard at" in page.inner_text(".clip")
        page.keyboard.press("+")
        page.get_by_label("Frequencies").select_option("call")
        page.wait_for_selector(".clip .stage canvas", state="attached")
        box = page.locator(".clip .box").bounding_box()
        stage = page.locator(".clip .stage").bounding_box()
        assert stage["x"] <= box["x"] < box["x"] + box["width"]
        assert box["x"] + box["width"] <= stage["x"] + stage["width"] + 4


def test_a_tone_lies_where_the_axes_say(browser, server, tmp_path):
    rate, duration_s, hz, start_s, end_s = 16_000, 8.0, 5_000.0, 3.0, 4.5
    t = np.arange(int(rate * duration_s)) / rate
    y = 1e-4 * np.random.default_rng(0).standard_normal(len(t))
    y += 0.5 * np.sin(2 * np.pi * hz * t) * ((t >= start_s) & (t < end_s))
    soundfile.write(tmp_path / "tone.wav", y, rate, subtype="PCM_24")
    body = (tmp_path / "tone.wav").read_bytes()
    # Luminance of the picture: viridis is brighter where there is more.
    read = (
        "() => { const c = document.querySelector('.clip .stage canvas'); const d = "
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const out = [];"
        " for (let i = 0; i < d.length; i += 4) out.push(d[i] + 2 * d[i + 1]); "
        "return [c.width, c.height, out] }"
    )
    with visit(browser, server, "archive/detections") as page:
        page.route(
            "**/sound.wav*",
            lambda one: one.fulfill(body=body, headers={"X-Start-Seconds": "0"}),
        )
        open_first(page)
        until(page, f"({read})()[2].some((v) => v > 500)")
        width, height, values = page.evaluate(read)
    picture = np.array(values).reshape(height, width)
    rows, columns = np.nonzero(picture > 500)
    found_hz = (1 - np.median(rows) / height) * rate / 2
    assert found_hz == pytest.approx(hz, abs=100)
    found_s = columns.min() / width * duration_s, columns.max() / width * duration_s
    assert found_s == pytest.approx((start_s, end_s), abs=0.1)


def test_a_wav_file_is_read_sample_by_sample(browser, server, tmp_path):
    y = soundfile.read(record(tmp_path / "a.wav", 0.2))[0]
    script = (
        "async (bytes) => { const m = await import('/static/js/wav.js'); const b = "
        "Uint8Array.from(bytes).buffer; const r = m.readWav(b); "
        "return [r.rate, [...r.samples]] }"
    )
    kinds = {"PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-24, "FLOAT": 2**-24}
    with visit(browser, server, "archive/detections") as page:
        for subtype, step in kinds.items():
            path = tmp_path / f"{subtype}.wav"
            soundfile.write(path, y, 192_000, subtype=subtype)
            rate, samples = page.evaluate(script, list(path.read_bytes()))
            assert rate == 192_000
            assert samples == pytest.approx(soundfile.read(path)[0], abs=step)


def test_calls_outside_hearing_are_brought_into_it(browser, server):
    script = (
        "async (bands) => { const m = await import('/static/js/player.js'); "
        "return bands.map(([low, high]) => m.audibleSpeed(low, high)) }"
    )
    bands = [(15, 30), (500, 8_000), (20_000, 40_000), (110_000, 150_000)]
    with visit(browser, server, "archive/detections") as page:
        speeds = page.evaluate(script, bands)
    heard = [
        (low * high) ** 0.5 * s for (low, high), s in zip(bands, speeds, strict=True)
    ]
    assert speeds[1] == 1
    assert all(100 <= hz <= 10_000 for hz in heard)


@pytest.fixture
def indexed(tmp_path):
    """A run over an archive that can be searched."""
    pytest.importorskip("usearch")
    from seacall.search.index import open_index

    folder = served.write_archive(tmp_path, embeddings=True)
    open_index(folder)
    return folder


def test_more_like_a_detection_is_listed_and_opened(browser, indexed):
    with (
        served.served(served.places_of(indexed)) as server,
        visit(browser, server, f"{indexed.name}/detections") as page,
    ):
        open_first(page)
        first = page.locator("tr[aria-selected=true]").get_attribute("data-id")
        page.get_by_role("button", name="More like this").click()
        page.wait_for_selector(".alike li")
        likeness = [
            float(text[:4]) for text in page.locator(".alike li").all_inner_texts()
        ]
        assert likeness == sorted(likeness, reverse=True)
        page.locator(".alike li button").first.click()
        until(page, f"!location.hash.includes('id={first}')")
        assert page.locator(".alike li").count() == 0


def test_a_run_that_cannot_be_searched_says_how_it_could(browser, server):
    with visit(browser, server, "archive/detections") as page:
        page.expected.append("400")
        open_first(page)
        page.get_by_role("button", name="More like this").click()
        page.wait_for_selector(".alike .bad")
        assert "--embeddings" in page.inner_text(".alike")
