"""Read a folder of labelled clips as a model hears them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.clips import ClipGrid, Stretch, stretch_clips
from seacall.audio.frontend import clip_inputs
from seacall.config import FrontEndSettings
from seacall.data.duplicates import (
    AudioPrint,
    audio_print,
    find_duplicates,
    join_groups,
)
from seacall.data.manifest import DATASET_FILE, Failure, read_manifest
from seacall.data.sources import LabelledStretch, read_source
from seacall.data.split import choose_groups
from seacall.errors import AnnotationError, AudioError
from seacall.events import Segment
from seacall.models.embedding import Embedder

Float64 = NDArray[np.float64]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Heard:
    """Labelled clips, as a model hears them."""

    embeddings: Float64
    """Shape ``(n, n_embedding)``."""
    logits: Float64
    """Of the model as it is, shape ``(n, n_classes)``."""
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    """What came together: deployment, or recording, or the clip alone."""
    rates: tuple[int, ...]
    """Of the recordings, Hz."""
    paths: tuple[Path, ...]
    n_longer: int
    """Recordings of which the model heard the first clip only."""
    rule: str
    """What the groups are, in words."""
    prints: tuple[AudioPrint, ...]
    known_deployments: tuple[str, ...]
    """Of each clip; empty where not known."""
    failures: tuple[Failure, ...]
    """What was left out, and why."""
    origin: str
    """What the labels were taken from."""

    def counts(self) -> Counter[str]:
        """Return how many clips there are of each label."""
        return Counter(self.labels)

    def deployments(self) -> set[str]:
        """Return the names of the deployments that are known."""
        return set(self.known_deployments) - {""}

    def n_groups(self, label: str) -> int:
        """Return in how many groups a label's clips lie."""
        pairs = zip(self.labels, self.groups, strict=True)
        return len({group for one, group in pairs if one == label})


def read_clips(
    folder: Path,
    embedder: Embedder,
    *,
    table: Path | None = None,
    label_column: str | None = None,
    min_duration_s: float = 0.05,
    without: Sequence[AudioPrint] = (),
    tell: Tell = lambda done, n: None,
) -> Heard:
    """Read labelled clips, one embedding for each.

    As in training a label stands for a recording's, or a stretch's, first clip.
    Copies of the same audio are left out but one, and clips that share audio are one
    group.

    Parameters
    ----------
    folder, table, label_column
        As :func:`seacall.data.sources.read_source` takes them; or a prepared dataset.
    min_duration_s
        Shorter clips are left out, s.
    without
        Clips that share audio with these are left out: what is tested on is not to be
        learned from.

    Raises
    ------
    AnnotationError
        If nothing usable is labelled there.
    AudioError
        If the folder is missing or holds no recordings.
    """
    stretches, failures, origin = _stretches(folder, table, label_column)
    front_end = embedder.card.front_end
    taken: list[_Taken] = []
    for k, stretch in enumerate(stretches):
        try:
            taken.append(_take(stretch, front_end, min_duration_s))
        except AudioError as error:
            failures.append(Failure(stretch.path, str(error)))
        tell(k + 1, len(stretches))
    taken, again = _without_copies(taken, without)
    failures += again
    if not taken:
        reason = failures[0].reason if failures else "there is none"
        raise AnnotationError(f"{folder}: no labelled clip can be used: {reason}")
    groups, rule = _groups(taken)
    found = [_heard(one, embedder) for one in taken]
    return Heard(
        embeddings=np.concatenate([e for _, e in found]).astype(np.float64),
        logits=np.concatenate([z for z, _ in found]).astype(np.float64),
        labels=tuple(one.stretch.label for one in taken),
        groups=tuple(groups),
        rates=tuple(one.rate for one in taken),
        paths=tuple(one.stretch.path for one in taken),
        n_longer=sum(one.longer for one in taken),
        rule=rule,
        prints=tuple(one.audio_print for one in taken),
        known_deployments=tuple(one.stretch.deployment for one in taken),
        failures=tuple(failures),
        origin=origin,
    )


@dataclass(frozen=True, eq=False)
class _Taken:
    stretch: LabelledStretch
    y: NDArray[np.float32]
    """Conditioned, shape ``(clip_length,)``."""
    rate: int
    longer: bool
    audio_print: AudioPrint


def _stretches(
    folder: Path, table: Path | None, label_column: str | None
) -> tuple[list[LabelledStretch], list[Failure], str]:
    if table is None and (folder / DATASET_FILE).is_file():
        dataset = read_manifest(folder)
        stretches = [
            LabelledStretch(
                c.path, c.label, deployment=c.deployment, recording=c.recording
            )
            for c in dataset.clips
        ]
        return stretches, list(dataset.failures), f"the dataset {folder}"
    found = read_source(folder, table=table, label_column=label_column)
    return list(found.stretches), list(found.failures), found.origin


def _take(
    stretch: LabelledStretch, front_end: FrontEndSettings, min_duration_s: float
) -> _Taken:
    path = stretch.path
    recording = io.probe(path)
    rate = recording.sample_rate
    first = round((stretch.start_s or 0.0) * rate)
    last = recording.n_samples
    if stretch.end_s is not None:
        last = min(last, round(stretch.end_s * rate))
    duration_s = (last - first) / rate
    if duration_s < min_duration_s:
        raise AudioError(
            f"{path}: lasts {max(duration_s, 0.0):.4g} s, and {min_duration_s:g} s is "
            "the least that a frame can be made of; give a longer stretch"
        )
    if stretch.channel is not None and recording.n_channels > 1:
        front_end = front_end.with_channel(stretch.channel)
    part = Stretch(path, rate, Segment(first, last - first))
    clips = stretch_clips(part, front_end, grid=ClipGrid.of(front_end))
    _, y = next(clips)
    where = {"start_s": stretch.start_s, "end_s": stretch.end_s}
    return _Taken(
        stretch,
        y,
        rate,
        duration_s > 2 * front_end.clip.duration_s,
        audio_print(path, channel=stretch.channel, **where),
    )


def _heard(
    one: _Taken, embedder: Embedder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    inputs = clip_inputs(one.y, embedder.card.front_end)
    x = one.y if embedder.card.takes == "waveform" else inputs.log_mel
    return embedder.both(x[None], inputs.features[None])


def _without_copies(
    taken: Sequence[_Taken], without: Sequence[AudioPrint]
) -> tuple[list[_Taken], list[Failure]]:
    """Leave out what shares audio with test clips, and exact copies but the first."""
    kept: list[_Taken] = []
    failures: list[Failure] = []
    prints = [*without, *(one.audio_print for one in taken)]
    sides = ["test"] * len(without) + ["train"] * len(taken)
    tested = {pair.second for pair in find_duplicates(prints, sides)} if without else ()
    seen: dict[str, _Taken] = {}
    for k, one in enumerate(taken):
        path, sha256 = one.stretch.path, one.audio_print.sha256
        if k + len(without) in tested:
            failures.append(Failure(path, f"{path}: shares audio with a test clip"))
        elif sha256 in seen:
            first = seen[sha256].stretch
            same = first.label == one.stretch.label
            also = "" if same else f", which is labelled {first.label!r}"
            failures.append(
                Failure(path, f"{path}: is the same audio as {first.path.name}{also}")
            )
        else:
            seen[sha256] = one
            kept.append(one)
    return kept, failures


def _groups(taken: Sequence[_Taken]) -> tuple[list[str], str]:
    groups, rule = choose_groups(
        [one.stretch.deployment for one in taken],
        [one.stretch.recording for one in taken],
    )
    pairs = find_duplicates([one.audio_print for one in taken], groups)
    words = rule.replace("random split: leaky (", "clip by clip (leaky: ")
    return join_groups(groups, pairs), words
