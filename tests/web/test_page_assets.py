"""The page's files: readable colours, maps as published, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re

import matplotlib as mpl
import numpy as np
import pytest

from seacall.web.app import STATIC
from seacall.web.security import HEADERS

CSS = (STATIC / "css" / "page.css").read_text(encoding="utf-8")
OURS = sorted(
    path for kind in ("html", "css", "js", "svg") for path in STATIC.rglob(f"*.{kind}")
)
TEXTS = ("ink", "quiet", "accent", "good", "bad")
GROUNDS = ("paper", "card", "soft")
# Okabe & Ito (2008), "Color universal design", without black.
OKABE_ITO = ("E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7")


def variables(selector: str) -> dict[str, str]:
    found = re.search(rf"^{re.escape(selector)} \{{(.*?)\}}", CSS, re.S | re.M)
    assert found is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", found[1]))


def luminance(colour: str) -> float:
    """Relative luminance: https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [":root", ':root[data-theme="dark"]'])
def test_text_stands_out_from_every_ground(theme):
    colours = variables(theme)
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS]
    pairs += [("on-accent", "accent"), ("ink", "bad-soft"), ("bad", "bad-soft")]
    low = {pair: contrast(*(colours[name] for name in pair)) for pair in pairs}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}
    # Edges of fields, and what marks the focus: 3 to 1.
    for edge in ("field", "focus"):
        assert contrast(colours[edge], colours["card"]) >= 3


def test_classes_have_the_colours_of_okabe_and_ito_and_readable_text():
    for k, expected in enumerate(OKABE_ITO):
        found = variables(f".c{k}")
        assert found["class"] == f"#{expected.lower()}"
        assert contrast(found["class"], found["on-class"]) >= 4.5


def test_colour_maps_are_those_of_matplotlib():
    text = (STATIC / "js" / "colourmaps.js").read_text(encoding="utf-8")
    for name in ("viridis", "cividis", "magma"):
        block = re.search(rf"{name}:\n(.*?),\n  \w|{name}:\n(.*?),\n\}}", text, re.S)
        assert block is not None
        digits = "".join(re.findall(r'"([0-9a-f]+)"', block[1] or block[2]))
        found = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(256, 3)
        expected = mpl.colormaps[name](np.arange(256))[:, :3] * 255
        np.testing.assert_array_equal(found, np.round(expected))


def test_the_policy_allows_the_one_style_that_wavesurfer_needs():
    source = (STATIC / "vendor/wavesurfer/wavesurfer.esm.js").read_text(
        encoding="utf-8"
    )
    height = re.search(
        r"WAVE_HEIGHT = (\d+)", (STATIC / "js/clip.js").read_text(encoding="utf-8")
    )
    style = re.search(r"<style\$\{.*?\}>(.*?)</style>", source, re.S)
    assert height is not None
    assert style is not None
    text = re.sub(r"\$\{this\.getHeight\(.*?\)\}", height[1], style[1])
    digest = hashlib.sha256(text.replace("\\n", "\n").encode()).digest()
    expected = f"'sha256-{base64.b64encode(digest).decode()}'"
    policy = HEADERS["Content-Security-Policy"]
    assert expected in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere_or_written_as_markup(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href|url|import|from)\W{1,3}(?:https?:)?//", text)
    if "vendor" not in path.parts:
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(", text)
        assert len(text.splitlines()) <= 400
    if path.suffix == ".html":
        assert not re.findall(r"<style|style=|\son\w+=|<script>", text)


def test_every_module_that_is_imported_is_there():
    for path in OURS:
        if path.suffix != ".js" or "vendor" in path.parts:
            continue
        for name in re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / name).resolve().is_file(), f"{path.name}: {name}"
