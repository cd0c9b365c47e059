"""Draw a map of embeddings that one can look into: a page that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seacall.data.arrays import ClipArrays, subset
from seacall.data.manifest import LabelledClip
from seacall.detect.classify import BATCH_SIZE
from seacall.files import written_whole
from seacall.learn.embedding_probe import Probe, directions, lines, probe
from seacall.learn.inputs import inputs_of
from seacall.learn.observe import Observer
from seacall.learn.report import page_environment
from seacall.models.embedding import Embedder

MAP_NAME = "embedding_map.html"
FIGURES_NAME = "embedding_map.json"
MOST_CLIPS = 3_000
"""Clips on a map; of more, some are drawn at random."""
_LEAST_CLIPS = 300
_MOST_MULTIPLY_ADDS = 1e12
"""For a whole map: half a minute of one core. A student stays far below."""
_N_AXES = 4
"""Principal components that can be looked at."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings of clips, and what is known of these."""

    embeddings: FloatArray
    """Shape ``(n, length)``."""
    files: tuple[str, ...]
    species: tuple[str, ...]
    deployments: tuple[str, ...]
    """An empty name: not known."""
    sample_rates: tuple[int, ...]
    """Of the recorders, Hz."""
    splits: tuple[str, ...]


def embed_clips(
    embedder: Embedder,
    parts: Sequence[ClipArrays],
    *,
    root: Path,
    observer: Observer,
    rng: np.random.Generator,
) -> Embedded:
    """Ask a model for the embeddings of a dataset's clips, some of very many.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    total = sum(len(part.targets) for part in parts)
    if not total:
        raise ValueError("no clips: a map needs at least one")
    cost = max(embedder.card.n_multiply_adds, 1)
    most = int(np.clip(_MOST_MULTIPLY_ADDS / cost, _LEAST_CLIPS, MOST_CLIPS))
    chosen = np.sort(rng.permutation(total)[:most])
    starts = np.cumsum([0, *(len(part.targets) for part in parts)])
    found: list[npt.NDArray[np.float32]] = []
    clips: list[LabelledClip] = []
    for part, start, end in zip(parts, starts[:-1], starts[1:], strict=True):
        own = chosen[(chosen >= start) & (chosen < end)] - start
        for k in range(0, len(own), BATCH_SIZE):
            batch = subset(part, own[k : k + BATCH_SIZE])
            found.append(_embedded(embedder, batch))
            clips += batch.clips
            observer.progress("embedding map", len(clips), len(chosen))
    return Embedded(
        embeddings=np.concatenate(found).astype(np.float64),
        files=tuple(clip.path.relative_to(root).as_posix() for clip in clips),
        species=tuple(clip.label for clip in clips),
        deployments=tuple(clip.deployment for clip in clips),
        sample_rates=tuple(clip.sample_rate for clip in clips),
        splits=tuple(clip.split for clip in clips),
    )


def _embedded(embedder: Embedder, batch: ClipArrays) -> npt.NDArray[np.float32]:
    card = embedder.card
    x: Any = batch.log_mel
    if card.takes == "waveform":
        inputs = inputs_of(batch, range(len(batch.clips)), card)
        x = np.stack([one.waveform() for one in inputs if one.waveform is not None])
    return embedder.embed(x, batch.features)


def principal_axes(embeddings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lay embeddings out along the directions in which they differ most.

    Principal components of what `seacall.learn.embedding_probe.directions` gives: they
    know neither species nor deployment, so that a map cannot flatter.

    Returns
    -------
    places, shares
        Shape ``(n, 4)``, and the share of the variance along each axis, ``(4,)``.
    """
    unit = directions(embeddings)
    centred = unit - unit.mean(axis=0)
    u, s, v = np.linalg.svd(centred, full_matrices=False)
    n = min(_N_AXES, len(s))
    # A singular vector's sign is any: its largest part points up.
    sign = np.sign(v[np.arange(n), np.abs(v[:n]).argmax(axis=1)])
    places, shares = np.zeros((len(u), _N_AXES)), np.zeros(_N_AXES)
    places[:, :n] = u[:, :n] * s[:n] * np.where(sign == 0, 1, sign)
    shares[:n] = s[:n] ** 2 / max(float((s**2).sum()), 1e-12)
    return places, shares


def write_map(found: Embedded, out: Path, *, title: str) -> Probe:
    """Write ``embedding_map.html``, and its figures as ``embedding_map.json``.

    Parameters
    ----------
    out
        Folder to write into.
    title
        Heading: the model.
    """
    measured = probe(
        found.embeddings,
        found.species,
        found.deployments,
        rng=np.random.default_rng(0),
    )
    places, shares = principal_axes(found.embeddings)
    values = measured.as_dict() | {"n_clips": len(found.files)}
    with written_whole(out / FIGURES_NAME) as part:
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    page = _page(found, places, shares, title=title, said=lines(measured))
    with written_whole(out / MAP_NAME) as part:
        # "replace": a file name that is not UTF-8 must not stop the map.
        part.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return measured


def _page(
    found: Embedded,
    places: FloatArray,
    shares: FloatArray,
    *,
    title: str,
    said: Sequence[str],
) -> str:
    script = resources.files("seacall.learn").joinpath("templates/embedding_map.js")
    code = script.read_text(encoding="utf-8")
    scale = max(float(np.abs(places).max()), 1e-9)
    data = {
        "places": np.round(places / scale, 4).tolist(),
        "shares": np.round(shares, 4).tolist(),
        "files": found.files,
        "colours": {
            "species": found.species,
            "deployment": [name or "not known" for name in found.deployments],
            "recorder": [f"{rate / 1000:g} kHz" for rate in found.sample_rates],
            "split": found.splits,
        },
    }
    # No name can end the block that it stands in.
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    digest = hashlib.sha256(code.encode()).digest()
    return (
        page_environment()
        .get_template("embedding_map.html")
        .render(
            title=title,
            said=said,
            n_clips=len(found.files),
            data=text,
            code=code,
            code_hash=base64.b64encode(digest).decode(),
        )
    )
