"""Tell others how a station is: a heartbeat, a JSON file, a Prometheus text file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seacall.files import written_whole
from seacall.live.health import STATES

HEARTBEAT_NAME = "heartbeat"
STATUS_NAME = "status.json"
METRICS_NAME = "seacall.prom"

_HELP = {
    "source_up": ("gauge", "1: the source gives sound"),
    "source_state": ("gauge", "1: the source is late, silent, clipped, ..."),
    "heard_seconds_total": ("counter", "Sound that was heard, s"),
    "clips_total": ("counter", "Clips that were scored"),
    "detections_total": ("counter", "Detections that began, by class"),
    "segments_total": ("counter", "Segments: gaps and reconnections make new ones"),
    "events_total": ("counter", "What happened to the source, by kind"),
    "lag_seconds": ("gauge", "How far the sound lies behind the clock"),
    "buffer_share": ("gauge", "How full the buffer between source and model is"),
    "level_dbfs": ("gauge", "Level of the last second"),
    "disk_free_bytes": ("gauge", "Room on the station's disk"),
    "alerts_waiting": ("gauge", "Alerts that are not sent yet"),
    "heartbeat_seconds": ("gauge", "Last sign of life, s since 1970"),
}
_PLAIN = {
    "heard_seconds_total": "heard_s",
    "clips_total": "n_clips",
    "segments_total": "n_segments",
    "lag_seconds": "lag_s",
    "buffer_share": "buffer",
    "level_dbfs": "level_db",
}
"""Metrics that are one value of a source."""


def station_status(
    folder: Path,
    sources: Mapping[str, Mapping[str, Any]],
    *,
    model: str,
    alerts_waiting: int,
) -> dict[str, Any]:
    """Return how a station is, as plain values.

    Parameters
    ----------
    sources
        What `seacall.live.station.about` says of each, by name.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "pid": os.getpid(),
        "model": model,
        "healthy": all(
            one["alive"] and not one["states"] and not one["failure"]
            for one in sources.values()
        ),
        "disk_free_bytes": shutil.disk_usage(folder).free,
        "alerts_waiting": alerts_waiting,
        "sources": {name: dict(one) for name, one in sources.items()},
    }


def write_status(folder: Path, status: Mapping[str, Any]) -> None:
    """Write heartbeat, JSON and metrics; readers never see half a file."""
    texts = {
        HEARTBEAT_NAME: f"{status['time']}\n",
        STATUS_NAME: json.dumps(status, indent=2) + "\n",
        METRICS_NAME: metrics_text(status),
    }
    for name, text in texts.items():
        with written_whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def metrics_text(status: Mapping[str, Any]) -> str:
    """Return a station's state in Prometheus' text format.

    Source: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    return _text([_samples(status)])


def metrics_of(stations: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the state of several stations, each sample with its station's name."""
    return _text([_samples(one, station=name) for name, one in stations.items()])


def _samples(status: Mapping[str, Any], **more: str) -> dict[str, list[str]]:
    """Return lines by metric; ``more`` are labels of all of them."""
    samples: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, value: float, **labels: str) -> None:
        all_of_them = {**more, **labels}
        inner = ",".join(f'{k}="{_escaped(v)}"' for k, v in all_of_them.items())
        where = f"{{{inner}}}" if inner else ""
        samples[name].append(f"seacall_{name}{where} {float(value):.17g}")

    for source, one in status["sources"].items():
        add("source_up", one["alive"], source=source)
        for state in STATES:
            add("source_state", state in one["states"], source=source, state=state)
        for name, key in _PLAIN.items():
            if one[key] is not None:
                add(name, one[key], source=source)
        for label, n in one["detections"].items():
            add("detections_total", n, source=source, label=label)
        for kind, n in one["events"].items():
            add("events_total", n, source=source, kind=kind)
    add("disk_free_bytes", status["disk_free_bytes"])
    add("alerts_waiting", status["alerts_waiting"])
    add("heartbeat_seconds", datetime.fromisoformat(status["time"]).timestamp())
    return samples


def _text(found: Sequence[Mapping[str, Sequence[str]]]) -> str:
    return "".join(
        f"# HELP seacall_{name} {text}\n# TYPE seacall_{name} {kind}\n"
        + "".join(f"{line}\n" for samples in found for line in samples[name])
        for name, (kind, text) in _HELP.items()
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
