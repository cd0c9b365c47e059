"""Turn labelled clips into arrays for training, with what failed on the side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.audio.features import FEATURE_FACTORS, FEATURE_NAMES
from seacall.audio.frontend import ClipInputs
from seacall.config import FrontEndSettings
from seacall.data.cache import FrontEndCache, recording_sha256
from seacall.data.manifest import SPLIT_FOLDERS, Failure, LabelledClip
from seacall.data.pool import Progress, map_files
from seacall.errors import AudioError

logger = logging.getLogger(__name__)

_SAME = 1e-3
"""Relative difference up to which two features are the same: that of two correct
programs in float32."""


@dataclass(frozen=True)
class ClipArrays:
    """What a network is trained on; the first axis is the clip."""

    log_mel: NDArray[np.float32]
    """Shape ``(n, n_patches, 96, 64)``."""
    features: NDArray[np.float32]
    """Raw features, shape ``(n, 18)``."""
    targets: NDArray[np.int64]
    """Index of each clip's class, shape ``(n,)``."""
    clips: tuple[LabelledClip, ...]
    """Those that could be read, in the order given."""
    failures: tuple[Failure, ...]
    """Those that could not."""


def load_arrays(
    clips: Sequence[LabelledClip],
    settings: FrontEndSettings,
    *,
    labels: tuple[str, ...],
    cache: FrontEndCache,
    features_fingerprint: str | None = None,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> ClipArrays:
    """Compute, or take from the cache, what a network sees of labelled clips.

    Parameters
    ----------
    clips
        Of a manifest.
    settings
        The front end.
    labels
        Class names; a clip of any other label counts as the last class, ``unknown``.
    cache
        Where results of the front end are kept.
    features_fingerprint
        The manifest's ``front_end_fingerprint``. The clips' own features are used if it
        is that of ``settings`` and the file has not changed since; otherwise they are
        computed anew, and a warning says how far off they were.
    n_workers
        Processes; 1 computes in this one. The result is the same.

    Raises
    ------
    AudioError
        Only if a worker process was killed. A recording that cannot be used becomes a
        failure.
    """
    trusted = features_fingerprint == settings.fingerprint()
    jobs = [_Job(clip, settings, cache, trusted) for clip in clips]
    results = map_files(_call, jobs, n_workers=n_workers, progress=progress)
    pairs = list(zip(clips, results, strict=True))
    good = [(clip, r) for clip, r in pairs if not isinstance(r, str)]
    failures = tuple(Failure(clip.path, r) for clip, r in pairs if isinstance(r, str))
    if not trusted:
        _warn_of_other_features([(clip, r.features) for clip, r in good])
    return _stacked(good, failures, settings=settings, labels=labels)


def subset(arrays: ClipArrays, rows: NDArray[np.int64]) -> ClipArrays:
    """Return some of the clips, by their indices."""
    return ClipArrays(
        log_mel=arrays.log_mel[rows],
        features=arrays.features[rows],
        targets=arrays.targets[rows],
        clips=tuple(arrays.clips[k] for k in rows),
        failures=(),
    )


@dataclass(frozen=True)
class _Job:
    clip: LabelledClip
    settings: FrontEndSettings
    cache: FrontEndCache
    trusted: bool
    """Whether the clip's features were made with the settings."""

    def __call__(self) -> ClipInputs | str:
        """Return the clip's inputs, or the reason why there are none."""
        try:
            inputs = self.cache.get_or_compute(self.clip.path, self.settings)
            if not self.trusted or self.clip.features is None or self._changed():
                return inputs
        except AudioError as error:
            return str(error)
        features = np.asarray(self.clip.features, np.float32)
        return ClipInputs(log_mel=inputs.log_mel, features=features)

    def _changed(self) -> bool:
        known = self.clip.sha256
        return bool(known) and recording_sha256(self.clip.path) != known


def _call(job: _Job) -> ClipInputs | str:
    return job()


def _stacked(
    good: Sequence[tuple[LabelledClip, ClipInputs]],
    failures: tuple[Failure, ...],
    *,
    settings: FrontEndSettings,
    labels: tuple[str, ...],
) -> ClipArrays:
    p = settings.profile
    index = {label: k for k, label in enumerate(labels)}
    shape = (len(good), settings.n_patches, p.n_frames, p.n_mels)
    log_mel = np.empty(shape, np.float32)
    features = np.empty((len(good), len(FEATURE_NAMES)), np.float32)
    for k, (_, inputs) in enumerate(good):
        log_mel[k], features[k] = inputs.log_mel, inputs.features
    targets = [index.get(clip.label, len(labels) - 1) for clip, _ in good]
    return ClipArrays(
        log_mel=log_mel,
        features=features,
        targets=np.asarray(targets, np.int64),
        clips=tuple(clip for clip, _ in good),
        failures=failures,
    )


def _warn_of_other_features(
    pairs: Sequence[tuple[LabelledClip, NDArray[np.float32]]],
) -> None:
    with_table = [(c, own) for c, own in pairs if c.features is not None]
    if not with_table:
        return
    table = np.array([c.features for c, _ in with_table], np.float64)
    own = np.array([values for _, values in with_table], np.float64)
    # Near zero a relative difference means nothing: compare with the usual size too.
    size = np.maximum(np.abs(own), 0.01 * FEATURE_FACTORS)
    off = np.median(np.abs(table - own) / size, axis=0)
    if off.max() <= _SAME:
        return
    worst = [k for k in np.argsort(-off)[:3] if off[k] > _SAME]
    names = {f"{SPLIT_FOLDERS[c.split]}_metadata" for c, _ in with_table}
    logger.warning(
        "features in %s were made with other settings: %s (median); computed anew",
        ", ".join(sorted(names)),
        ", ".join(f"{FEATURE_NAMES[k]} off by {100 * off[k]:.3g} %" for k in worst),
    )
