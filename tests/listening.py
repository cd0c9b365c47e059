"""Makes small archives and reads what a run kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sounds import noise, tone, write_wav

from seacall.audio.clips import ClipGrid
from seacall.detect.archive import Plan, listen
from seacall.detect.classify import classify_recording
from seacall.detect.store import Store
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import read_card

RATE = 16_000


def record(path: Path, *, duration_s: float = 3.5, seed: int = 0) -> Path:
    """Noise with a tone that comes and goes."""
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    call = tone(4_000 + 300 * seed, sample_rate=RATE, duration_s=duration_s)
    t = np.arange(len(y)) / RATE
    return write_wav(path, y + call * (np.sin(t) > 0.5), RATE)


def archive(folder: Path, n: int = 3) -> list[Path]:
    return [
        record(folder / f"r{k}.wav", duration_s=2.0 + 1.7 * k, seed=k) for k in range(n)
    ]


def plan_for(model: Path, **changes: Any) -> Plan:
    return Plan(model, read_card(model), **changes)


def run(paths: list[Path], out: Path, plan: Plan, **options: Any) -> dict[str, Any]:
    """Listen, and return all scores by recording, channel and segment."""
    with Store(out) as store:
        listen(paths, store, plan, **options)
        return kept(store, plan)


def kept(store: Store, plan: Plan) -> dict[str, Any]:
    grid = ClipGrid.of(plan.card.front_end, hop_s=plan.hop_s)
    return {
        (entry.path.name, channel, segment.first_sample): np.column_stack(
            [table.start_s, table.scores(plan.card)]
        )
        for entry, _ in store.searched(grid)
        for channel, segment, table in store.tables(
            entry, grid, n_classes=len(plan.card.labels)
        )
    }


def plainly(paths: list[Path], plan: Plan) -> dict[str, Any]:
    """The scores of each recording heard on its own, from its start to its end."""
    classifier = load_classifier(plan.model)
    return {
        (path.name, 0, 0): np.stack(
            [
                np.concatenate([[found.clip.start_s], found.scores])
                for found in classify_recording(path, classifier, hop_s=plan.hop_s)
            ]
        )
        for path in paths
    }


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for name, rows in expected.items():
        np.testing.assert_allclose(found[name], rows, atol=1e-5, err_msg=str(name))
