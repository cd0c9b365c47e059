"""Views of training clips: each clip's waveform changed at random, kept on disk.

A view is decided by the seed, the clip's bytes and the view's number, and by nothing
else: not by the number of processes, the order of the clips or the front end's rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.features import FEATURE_NAMES
from seacall.audio.framing import fit_clip
from seacall.audio.frontend import (
    ClipInputs,
    clip_inputs,
    condition,
    condition_array,
    first_clip,
)
from seacall.audio.vary import (
    SEA_RATE,
    Change,
    apply_change,
    choose_change,
    simulated_background,
)
from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.cache import FrontEndCache, recording_sha256
from seacall.data.fixed import to_fixed
from seacall.data.manifest import LabelledClip
from seacall.data.pool import Progress, map_files

Float32 = NDArray[np.float32]

VIEWS_VERSION = 1
"""Raise it whenever a change of the code changes what a view is."""


@dataclass(frozen=True)
class Views:
    """Changed views of clips; the first axis is the view, the second the clip."""

    log_mel: NDArray[np.int16]
    """Fixed point, see :mod:`seacall.data.fixed`; ``(views, n, n_patches, 96, 64)``."""
    features: Float32
    """Raw features, shape ``(views, n, 18)``."""


def load_views(
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    augment: AugmentSettings,
    *,
    cache: FrontEndCache,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> Views:
    """Compute, or take from the cache, all views of clips but the first.

    Parameters
    ----------
    clips
        Clips that can be read.
    augment
        ``n_views - 1`` views are made of each clip.
    n_workers
        Processes; the views are the same with any number.

    Raises
    ------
    AudioError
        If a recording cannot be read, the folder of backgrounds holds none, or a worker
        process was killed.
    """
    key = views_key(augment)
    jobs = [_Job(clip.path, front_end, augment, cache, key) for clip in clips]
    results = map_files(_call, jobs, n_workers=n_workers, progress=progress)
    p = front_end.profile
    n_views = augment.n_views - 1
    shape = (n_views, len(clips), front_end.n_patches, p.n_frames, p.n_mels)
    log_mel = np.empty(shape, np.int16)
    features = np.empty((n_views, len(clips), len(FEATURE_NAMES)), np.float32)
    # From the end, and each dropped at once: the views are not in memory twice.
    for k in reversed(range(len(clips))):
        log_mel[:, k], features[:, k] = results.pop()
    return Views(log_mel=log_mel, features=features)


def views_key(augment: AugmentSettings) -> str:
    """Return 16 hex digits that change with anything that decides what a view is.

    The number of views does not: to ask for more of them keeps the first ones. Of the
    backgrounds names, sizes and times of change count.
    """
    shown = augment.model_dump(
        mode="json", exclude={"n_views", "mask", "mixstyle", "mixup"}
    )
    found = hashlib.sha256(repr((VIEWS_VERSION, shown)).encode())
    if augment.background.folder is not None:
        for path in _background_files(augment.background.folder):
            stat = path.stat()
            found.update(repr((path.name, stat.st_size, stat.st_mtime_ns)).encode())
    return found.hexdigest()[:16]


def view_rng(augment: AugmentSettings, sha256: str, view: int) -> np.random.Generator:
    """Return the generator that decides one view of one clip."""
    return np.random.default_rng([augment.seed, view, int(sha256[:32], 16)])


def view_waveform(
    clip: Float32,
    path: Path,
    view: int,
    augment: AugmentSettings,
    front_end: FrontEndSettings,
) -> Float32:
    """Return a changed view of a clip as a waveform.

    Parameters
    ----------
    clip
        Conditioned samples of ``path``, shape ``(clip_length,)``.
    view
        From 1; 0 would be the clip itself.

    Raises
    ------
    AudioError
        If the recording cannot be read, or the folder of backgrounds holds none.
    """
    return _changed(clip, recording_sha256(path), view, augment, front_end)


def background(
    change: Change, augment: AugmentSettings, front_end: FrontEndSettings
) -> Float32 | None:
    """Return the background of a change at the profile's rate; None: it has none."""
    if change.snr_db is None:
        return None
    rng = np.random.default_rng(change.background_seed)
    duration_s = front_end.clip.duration_s
    if augment.background.folder is None:
        y = simulated_background(rng, duration_s=duration_s)
        return condition_array(y, sample_rate=SEA_RATE, settings=front_end)
    files = _background_files(augment.background.folder)
    return _stretch(files[rng.integers(len(files))], rng.uniform(), front_end)


@dataclass(frozen=True)
class _Job:
    path: Path
    front_end: FrontEndSettings
    augment: AugmentSettings
    cache: FrontEndCache
    key: str

    def __call__(self) -> tuple[NDArray[np.int16], Float32]:
        sha256 = recording_sha256(self.path)
        views: list[ClipInputs] = []
        clip: Float32 | None = None
        for view in range(1, self.augment.n_views):
            place = f"views-{self.key}/{view}"
            inputs = self.cache.load(sha256, self.front_end, view=place)
            if inputs is None:
                clip = first_clip(self.path, self.front_end) if clip is None else clip
                inputs = self._view(clip, sha256, view)
                self.cache.save(inputs, sha256, self.front_end, view=place)
            views.append(inputs)
        return (
            np.stack([to_fixed(inputs.log_mel) for inputs in views]),
            np.stack([inputs.features for inputs in views]),
        )

    def _view(self, clip: Float32, sha256: str, view: int) -> ClipInputs:
        y = _changed(clip, sha256, view, self.augment, self.front_end)
        return clip_inputs(y, self.front_end)


def _changed(
    clip: Float32,
    sha256: str,
    view: int,
    augment: AugmentSettings,
    front_end: FrontEndSettings,
) -> Float32:
    change = choose_change(view_rng(augment, sha256, view), augment)
    return apply_change(
        clip,
        change,
        sample_rate=front_end.profile.sample_rate,
        background=background(change, augment, front_end),
        fit=front_end.clip.fit,
    )


def _call(job: _Job) -> tuple[NDArray[np.int16], Float32]:
    return job()


@lru_cache(maxsize=8)
def _background_files(folder: str) -> tuple[Path, ...]:
    return tuple(io.find_recordings(Path(folder)))


def _stretch(path: Path, where: float, front_end: FrontEndSettings) -> Float32:
    """Read a clip of a background from a place between its start (0) and end (1)."""
    recording = io.probe(path)
    rate = recording.sample_rate
    spare = recording.n_samples - round(front_end.clip.duration_s * rate)
    start = round(where * max(spare, 0))
    blocks = io.read_blocks(path, channel=front_end.clip.channel, start=start)
    parts: list[Float32] = []
    length = 0
    for y in condition(blocks, sample_rate=rate, settings=front_end):
        parts.append(y)
        length += len(y)
        if length >= front_end.clip_length:
            break
    return fit_clip(np.concatenate(parts), length=front_end.clip_length, fit="tile")
