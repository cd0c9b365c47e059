"""AOEF: the JSON that soundevent reads and whombat imports, as a set of predictions."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from seacall.detect.outputs.target import Take, Target
from seacall.detect.outputs.values import Axis, band_hz, in_order, length_s, start_of
from seacall.events import Detection, Searched

VERSION = "1.1.0"
"""The only one that soundevent accepts."""
LABEL_KEY = "dwc:vernacularName"
"""What a label is: a species' common name (Darwin Core)."""
PARTS = (
    "recordings",
    "sound_events",
    "clips",
    "sound_event_predictions",
    "clip_predictions",
)


@contextmanager
def aoef_file(target: Target) -> Iterator[Take]:
    """Write ``detections.aoef.json``; what was heard are its clips."""
    with target.text("detections.aoef.json") as stream, ExitStack() as stack:
        parts: dict[str, IO[str]] = {
            name: stack.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", dir=target.out)
            )
            for name in PARTS
        }
        lists = _Lists(parts)
        yield lists.add
        head = {"collection_type": "prediction_set", "uuid": _id("set")}
        tags = [
            {"id": number, "key": LABEL_KEY, "value": label}
            for label, number in lists.tags.items()
        ]
        stream.write(f'{{"version": "{VERSION}", "data": {_text(head)[:-1]}')
        stream.write(f', "tags": {_text(tags)}')
        for name, part in parts.items():
            stream.write(f', "{name}": [\n')
            part.seek(0)
            for number, line in enumerate(part):
                stream.write(f"{',' if number else ''}{line}")
            stream.write("]")
        stream.write("}}\n")


class _Lists:
    """The format has a list for each kind of thing: they grow side by side, on disk."""

    def __init__(self, parts: dict[str, IO[str]]) -> None:
        self._parts = parts
        self._n_recordings = 0
        self.tags: dict[str, int] = {}

    def add(self, searched: Searched, found: list[Detection]) -> None:
        """Take a recording, the stretches heard of it, and its detections."""
        recording = searched.recording
        if recording is None or not recording.n_samples:
            return
        self._n_recordings += 1
        key = f"{self._n_recordings} {searched.path}"
        start = start_of(searched)
        entry = {
            "uuid": _id(key),
            "path": _path(searched),
            "duration": float(length_s(recording)),
            "channels": recording.n_channels,
            "samplerate": recording.sample_rate,
        }
        if start is not None:
            entry |= {
                "date": start.date().isoformat(),
                "time": start.time().isoformat(timespec="microseconds"),
            }
        self._write("recordings", entry)
        ordered = in_order(found)
        events = [self._event(searched, d, f"{key} {n}") for n, d in enumerate(ordered)]
        self._clips(searched, key, list(zip(ordered, events, strict=True)))

    def _event(self, searched: Searched, detection: Detection, key: str) -> str:
        begin, end = Axis.of(searched.recording).stretch_us(detection)
        low_hz, high_hz = band_hz(detection, searched.recording)
        box = [begin / 1e6, round(low_hz, 3), end / 1e6, round(high_hz, 3)]
        event, prediction = _id(f"event {key}"), _id(f"prediction {key}")
        tag = self.tags.setdefault(detection.label, len(self.tags))
        score = round(min(max(float(detection.score), 0.0), 1.0), 6)
        self._write(
            "sound_events",
            {
                "uuid": event,
                "recording": _id(key.rpartition(" ")[0]),
                "geometry": {"type": "BoundingBox", "coordinates": box},
            },
        )
        self._write(
            "sound_event_predictions",
            {
                "uuid": prediction,
                "sound_event": event,
                "score": score,
                "tags": [[tag, score]],
            },
        )
        return prediction

    def _clips(
        self, searched: Searched, key: str, events: list[tuple[Detection, str]]
    ) -> None:
        """Write what was heard; an event belongs to the stretch that it begins in."""
        stretches = searched.heard or ((0.0, 0.0),)
        at = 0
        for number, (start_s, end_s) in enumerate(stretches):
            last = number == len(stretches) - 1
            inside = []
            while at < len(events) and (last or events[at][0].start_s < end_s):
                inside.append(events[at][1])
                at += 1
            if searched.heard or inside:
                clip = _id(f"clip {key} {number}")
                times = {"start_time": start_s, "end_time": end_s}
                named = {"uuid": clip, "recording": _id(key)}
                self._write("clips", named | times)
                prediction = {"uuid": _id(f"of clip {key} {number}"), "clip": clip}
                self._write("clip_predictions", prediction | {"sound_events": inside})

    def _write(self, part: str, entry: dict[str, Any]) -> None:
        self._parts[part].write(f"{_text(entry)}\n")


def _id(key: str) -> str:
    """Return the same UUID for the same thing, so that runs can be compared."""
    name = f"seacall:{key}".encode("utf-8", "backslashreplace").decode()
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _path(searched: Searched) -> str:
    text = str(searched.path)
    return text if "://" in text else os.path.abspath(text)  # noqa: PTH100


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
