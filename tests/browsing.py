"""Drives the page in a real browser, and notices whatever it should not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from stations import wait_for

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 30


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium here: none of {', '.join(NAMES)} on the path")
    driver = pytest.importorskip("playwright.sync_api", reason="no Playwright here")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Any, server: Any, where: str, *, reviewer: str = "", **context: Any
) -> Iterator[Any]:
    """Open a view of the page; at the end nothing may have gone wrong unseen.

    Errors that a test provokes are put into ``page.expected``, as parts of their text.
    """
    values = {"viewport": {"width": 1280, "height": 900}} | context
    opened = browser.new_context(**values)
    opened.set_default_timeout(SECONDS * 1000)
    page = opened.new_page()
    page.expected, wrong, asked = [], [], []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else 0)
    page.on("dialog", lambda one: (wrong.append(f"dialog: {one.message}"), one.close()))
    opened.on("request", lambda request: asked.append(request.url))
    if reviewer:
        kept = f"localStorage.setItem('seacall.reviewer', {reviewer!r})"
        opened.add_init_script(kept)
    page.goto(f"{server.url}/#/{where}")
    page.wait_for_selector("h1")
    yield page
    opened.close()
    assert not [text for text in wrong if not any(e in text for e in page.expected)]
    # What a request to another host would look like; data: and blob: are no requests.
    assert not [url for url in asked if not url.startswith(server.url)]


def texts(page: Any, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def until(page: Any, expression: str) -> None:
    """Wait until something is so; Playwright's own way needs eval, which is refused."""
    wait_for(lambda: page.evaluate(expression), seconds=SECONDS)


def scrolls_sideways(page: Any) -> bool:
    script = "document.documentElement.scrollWidth > innerWidth"
    return bool(page.evaluate(script))


def open_first(page: Any) -> None:
    """Open the first detection of the list in the player."""
    page.locator("tr[data-id]").first.click()
    page.wait_for_selector(".clip .wave")
    page.wait_for_selector(".clip .stage canvas", state="attached")
