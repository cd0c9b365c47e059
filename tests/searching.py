"""Makes runs with embeddings that a test chooses, without listening to anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tiny
from heard import clip_table

from seacall.audio.clips import ClipGrid
from seacall.detect.archive import Plan
from seacall.detect.rows import Entry
from seacall.detect.store import Store
from seacall.detect.units import UnitResult, plan_units
from seacall.events import Recording, Segment

RATE = 16_000
LENGTH = 8
CARD = tiny.card(files={"model.safetensors": "a" * 64})


def table(embeddings: np.ndarray, scores: np.ndarray | None = None):
    """Clips with these embeddings; the first class has the score 0.6."""
    from dataclasses import replace

    n = len(embeddings)
    made = clip_table(np.full((n, 1), 0.6) if scores is None else scores)
    return replace(made, embeddings=np.asarray(embeddings, np.float16))


def write_run(
    folder: Path,
    embeddings: dict[str, np.ndarray],
    *,
    scores: dict[str, np.ndarray] | None = None,
    card=CARD,
) -> Path:
    """A run whose recordings have a clip of 1 s for each row; may be called again."""
    plan = Plan(None, card, embeddings=True)
    grid = ClipGrid.of(card.front_end)
    paths = [Path("/sea", name) for name in embeddings]
    with Store(folder) as store:
        store.run_of(plan.key, {"card": card.model_dump(mode="json"), "run": plan.run})
        known = store.stamps()
        for path, (name, x) in zip(paths, embeddings.items(), strict=True):
            stamp = (len(x), round(float(np.nansum(x)) * 1_000))
            if known.get(path) == stamp:
                continue
            recording = Recording(path, RATE, 1, len(x) * RATE, "PCM_16")
            segment = Segment(0, len(x) * RATE)
            units = plan_units(
                recording, [segment], sample_rate=RATE, channels=[None], grid=grid
            )
            store.add([(Entry(path, *stamp, recording, RATE, (segment,)), units)])
            some = None if scores is None else scores[name]
            store.put([UnitResult(units[0], table(x, some))])
        store.name_recordings([*dict.fromkeys([*known, *paths])])
    return folder


def kinds(n_each: int, n_kinds: int, *, seed: int = 0, spread: float = 0.1):
    """Embeddings of so many clips of each kind of sound, kind by kind."""
    rng = np.random.default_rng(seed)
    centres = np.eye(LENGTH)[:n_kinds] + 0.2
    kind = np.repeat(np.arange(n_kinds), n_each)
    return centres[kind] + spread * rng.normal(size=(len(kind), LENGTH)), kind
