"""The timeline: one page that shows who called when, and when nobody listened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from seacall.detect.outputs.drawing import LEVEL_NAMES, svg
from seacall.detect.outputs.gathered import Gathered
from seacall.detect.outputs.listening import heard_of, is_dated
from seacall.detect.outputs.picture import Section, sections
from seacall.detect.outputs.target import Take, Target
from seacall.detect.outputs.timeline_png import write_png
from seacall.events import Detection, Searched

SHOWN_FAILURES = 50


@contextmanager
def timeline_page(target: Target) -> Iterator[Take]:
    """Write ``timeline.html``, and ``timeline.png`` where matplotlib is installed."""
    with target.text("timeline.html") as stream:
        counts = _Counts(target)
        yield counts.add
        drawn = list(sections(counts.gathered))
        for part in _page(counts, drawn):
            stream.write(f"{part}\n")
        png = target.out / "timeline.png"
        if write_png(png, drawn):
            target.written.append(png)
        else:
            png.unlink(missing_ok=True)  # an earlier run's: it shows something else


@dataclass
class _Counts:
    target: Target
    gathered: Gathered = field(default_factory=Gathered)
    n_recordings: int = 0
    n_detections: int = 0
    n_failed: int = 0
    heard_s: float = 0.0
    labels: set[str] = field(default_factory=set)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, searched: Searched, found: list[Detection]) -> None:
        """Count a recording."""
        self.n_recordings += 1
        self.n_detections += len(found)
        self.heard_s += searched.heard_s
        self.labels.update(detection.label for detection in found)
        if searched.failure:
            self.n_failed += 1
            if len(self.failures) < SHOWN_FAILURES:
                self.failures.append((str(searched.path), searched.failure))
        heard = heard_of(searched, found)
        if is_dated(searched):
            folder = self.target.folder_of(searched.path)
            self.gathered.add(searched, heard, folder=folder)
        else:
            name = "/".join(self.target.relative(searched.path))
            self.gathered.add_undated(name, heard)


def _page(counts: _Counts, drawn: Sequence[Section]) -> Iterator[str]:
    yield _HEAD
    yield "<header><h1>Detections over time</h1>"
    yield f"<p>{escape(_summary(counts))}</p>"
    yield _legend()
    yield "</header><main>"
    if not any(section.panels for section in drawn):
        yield "<p><strong>Nothing was heard: there is no time to show.</strong></p>"
    for section in drawn:
        yield from _section(section)
    absent = [name for name in counts.target.labels if name not in counts.labels]
    if absent and counts.heard_s > 0:
        yield f"<p class='soft'>Never detected: {escape(', '.join(absent))}.</p>"
    yield from _failures(counts)
    yield "</main></body></html>"


def _summary(counts: _Counts) -> str:
    words = [
        f"{counts.n_detections:,} {_many('detection', counts.n_detections)} in "
        f"{counts.n_recordings:,} {_many('recording', counts.n_recordings)}, "
        f"{_hours(counts.heard_s)} heard"
    ]
    if span := counts.gathered.span:
        words.append(f", {_minute(span[0])} to {_minute(span[1])} UTC")
    words.append(".")
    if counts.n_failed:
        words.append(
            f" {counts.n_failed:,} {_many('recording', counts.n_failed)} could not be "
            "read, or not to the end; see below."
        )
    return "".join(words)


def _many(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"


def _hours(time_s: float) -> str:
    if time_s < 7_200:
        return f"{time_s / 60:,.1f} minutes"
    return f"{time_s / 3_600:,.1f} hours"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _legend() -> str:
    keys = [("gap", "nobody listened"), ("c0", "listened, nothing detected")]
    keys += [(f"c{k}", text) for k, text in enumerate(LEVEL_NAMES, start=1)]
    items = "".join(
        f'<li><svg width="22" height="14"><rect class="{name}" width="22" height="14"/>'
        f"</svg>{escape(text)}</li>"
        for name, text in keys
    )
    return (
        f'<ul class="legend">{items}</ul><p class="soft">Blue: the share of the time '
        "listened to in which the species was detected.</p>"
    )


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"<h2>{escape(section.title)}</h2>"
    for panel in section.panels:
        yield f"<figure><figcaption><b>{escape(panel.title)}</b> "
        yield f"<span class='soft'>{escape(panel.note)}</span></figcaption>"
        yield f"<div class='wide'>{svg(panel)}</div></figure>"
    for note in section.notes:
        yield f"<p class='soft'>{escape(note)}</p>"


def _failures(counts: _Counts) -> Iterator[str]:
    if not counts.failures:
        return
    yield "<h2>Not heard, or not to the end</h2><ul>"
    for path, reason in counts.failures:
        yield f"<li>{escape(path)} <span class='soft'>{escape(reason)}</span></li>"
    if (left := counts.n_failed - len(counts.failures)) > 0:
        yield f"<li>and {left:,} more</li>"
    yield "</ul>"


_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>Detections over time</title>
<style>
:root { --paper: #fff; --ink: #1b2730; --soft: #5b6873; --line: #fff; --hatch: #d5dbe0;
  --c0: #e4eaee; --c1: #a9cfe6; --c2: #57a3d1; --c3: #0a6ca8; --c4: #063a5c;
  --e1: #c3ccd3; --e2: #8f9ca6; --e3: #56646f; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #11181d; --ink: #e3e9ed; --soft: #9ba8b2; --line: #11181d;
    --hatch: #2c373f; --c0: #26323a; --c1: #22597a; --c2: #2f86b8; --c3: #6fbce8;
    --c4: #d8f0fd; --e1: #46535d; --e2: #74838e; --e3: #b4c0c9; }
}
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.5rem 3rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
ul { padding-left: 1.2rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; }
.legend { list-style: none; padding: 0; margin: .9rem 0 .2rem; display: flex;
  flex-wrap: wrap; gap: .2rem 1.3rem; font-size: .9rem; }
.legend svg { margin-right: .45rem; vertical-align: -.1rem; }
figure { margin: 1.7rem 0 0; } figcaption { margin-bottom: .45rem; }
figcaption b { margin-right: .5rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } .wide svg { display: block; width: 100%; min-width: 46rem; }
svg text { font-size: 13px; fill: var(--ink); } svg text.soft { font-size: 12px;
  fill: var(--soft); }
.gap { fill: url(#hatch); } .c0 { fill: var(--c0); } .c1 { fill: var(--c1); }
.c2 { fill: var(--c2); } .c3 { fill: var(--c3); } .c4 { fill: var(--c4); }
.e1 { fill: var(--e1); } .e2 { fill: var(--e2); } .e3 { fill: var(--e3); }
path[class^=c], path[class^=e] { shape-rendering: crispEdges; }
.line { stroke: var(--line); stroke-width: 2; } .tick { stroke: var(--soft); }
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
</style>
</head>
<body>
<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"
 patternTransform="rotate(45)"><rect width="6" height="6" fill="var(--paper)"/>
<path d="M0 0v6" stroke="var(--hatch)" stroke-width="3"/></pattern></defs></svg>"""
