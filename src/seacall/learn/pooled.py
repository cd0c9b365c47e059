"""A dataset folder as one set of clips, with what must be held out together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seacall.audio.band_edge import file_edge_bin
from seacall.config import FrontEndSettings
from seacall.data.arrays import ClipArrays, load_arrays
from seacall.data.cache import FrontEndCache
from seacall.data.duplicates import (
    AudioPrint,
    audio_print,
    find_duplicates,
    join_groups,
)
from seacall.data.manifest import Failure, LabelledClip, read_manifest
from seacall.data.pool import map_files
from seacall.data.split import choose_groups
from seacall.errors import AnnotationError, AudioError
from seacall.labels import UNKNOWN, class_labels
from seacall.learn.baselines import Rows
from seacall.learn.folds import IntArray, scored_clips
from seacall.learn.observe import Observer


@dataclass(frozen=True, eq=False)
class PooledClips:
    """All clips of a dataset folder, whatever split its tables have them in."""

    root: Path
    fingerprint: str
    """Of the folder's tables."""
    labels: tuple[str, ...]
    arrays: ClipArrays
    deployments: tuple[str, ...]
    """What each clip is held out with; deployments that share audio are one."""
    recordings: tuple[str, ...]
    """What each clip was cut from; its own name where that is not known."""
    band_edges: IntArray
    """`seacall.audio.band_edge.edge_bin` of each clip's file."""
    rule: str
    """How clips were told apart, in words."""
    n_shared: int
    """Pairs of recordings in different deployments that share audio."""
    failures: tuple[Failure, ...]
    """Everything that was left out, with reasons."""

    @property
    def leaky(self) -> bool:
        """Whether some clips have nothing by which they could be kept together."""
        return "leaky" in self.rule

    @property
    def is_unknown(self) -> npt.NDArray[np.bool_]:
        """Whether each clip is of no species."""
        return np.array([clip.label == UNKNOWN for clip in self.arrays.clips])

    def rows(self, chosen: IntArray) -> Rows:
        """Return what is known of some clips besides their sound."""
        clips = self.arrays.clips
        return Rows(
            targets=self.arrays.targets[chosen].tolist(),
            deployments=[self.deployments[k] for k in chosen],
            sample_rates=[clips[k].sample_rate for k in chosen],
            band_edges=self.band_edges[chosen].tolist(),
        )


def load_pooled(
    root: Path,
    front_end: FrontEndSettings,
    *,
    observer: Observer,
    only_scored: bool = False,
    n_workers: int = 1,
) -> PooledClips:
    """Read a dataset folder and run all its clips through the front end.

    Parameters
    ----------
    only_scored
        Leave out species with a single deployment instead of training on them.

    Raises
    ------
    AnnotationError
        If the tables are wrong, or nothing is known that clips could be held out by.
    """
    manifest = read_manifest(root)
    clips = list(manifest.clips)
    if only_scored:
        groups, _ = _groups(clips)
        keep = scored_clips([c.label for c in clips], groups)
        clips = [
            clip
            for clip, kept in zip(clips, keep, strict=True)
            if kept or clip.label == UNKNOWN
        ]
    labels = class_labels(clip.label for clip in clips)
    arrays = load_arrays(
        clips,
        front_end,
        labels=labels,
        cache=FrontEndCache.beside(root),
        features_fingerprint=manifest.front_end_fingerprint,
        n_workers=n_workers,
        progress=partial(observer.progress, "front end"),
    )
    deployments, rule, n_shared = _held_together(arrays.clips, observer, n_workers)
    duration_s, channel = front_end.clip.duration_s, front_end.clip.channel
    edges = map_files(
        partial(_edge, duration_s=duration_s, channel=channel),
        arrays.clips,
        n_workers=n_workers,
        progress=partial(observer.progress, "band edges"),
    )
    return PooledClips(
        root=root,
        fingerprint=manifest.fingerprint(),
        labels=labels,
        arrays=arrays,
        deployments=deployments,
        recordings=tuple(c.recording or c.path.name for c in arrays.clips),
        band_edges=np.asarray(edges, np.int64),
        rule=rule,
        n_shared=n_shared,
        failures=manifest.failures + arrays.failures,
    )


def _groups(clips: Sequence[LabelledClip]) -> tuple[list[str], str]:
    """Return what each clip is held out with: its deployment, else its recording."""
    found = choose_groups([c.deployment for c in clips], [c.recording for c in clips])
    if len(clips) and found.rule.startswith("random"):
        raise AnnotationError(
            f"none of {len(clips)} clips has a deployment or a recording, so nothing "
            "can be held out whole; fill the column 'deployment' of the tables"
        )
    # A name of its own for each kind, unless all are deployments.
    by_deployment = found.rule == "by deployment"
    groups = [g.removeprefix("deployment ") for g in found.groups]
    return (groups if by_deployment else found.groups), found.rule


def _held_together(
    clips: Sequence[LabelledClip], observer: Observer, n_workers: int
) -> tuple[tuple[str, ...], str, int]:
    groups, rule = _groups(clips)
    prints = map_files(
        _print,
        clips,
        n_workers=n_workers,
        progress=partial(observer.progress, "comparing recordings"),
    )
    known = [k for k, one in enumerate(prints) if one is not None]
    duplicates = find_duplicates(
        [one for one in prints if one is not None], [groups[k] for k in known]
    )
    joined = join_groups([groups[k] for k in known], duplicates)
    for k, group in zip(known, joined, strict=True):
        groups[k] = group
    return tuple(groups), rule, len(duplicates)


def _print(clip: LabelledClip) -> AudioPrint | None:
    try:
        return audio_print(clip.path)
    except AudioError:  # its start could be read, and that is all that is used
        return None


def _edge(clip: LabelledClip, *, duration_s: float, channel: int | None) -> int:
    return file_edge_bin(clip.path, duration_s=duration_s, channel=channel)
