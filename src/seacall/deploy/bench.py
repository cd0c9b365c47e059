"""Measure what a model costs on this machine: time by stage, memory, size."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from seacall.audio import io
from seacall.audio.fast import kernels
from seacall.audio.features import features
from seacall.audio.frontend import clip_inputs, condition_array, first_clip
from seacall.audio.logmel import log_mel
from seacall.config import FrontEndSettings
from seacall.detect.classify import score_inputs
from seacall.errors import SeacallError
from seacall.models.backend import Classifier, load_classifier, scores_from_logits
from seacall.models.calibrated import Float32
from seacall.models.describe import describe
from seacall.models.shipped import shipped_folder

WHOLE = "whole chain"


@dataclass(frozen=True)
class Bench:
    """What a model costs."""

    model: str
    sample_rate: int
    """Of the recording that it was given, Hz."""
    duration_s: float
    """Of one clip."""
    stages_ms: dict[str, float]
    """Median time for one clip, by stage; the last is all of them in a row."""
    memory_mb: float
    """Peak of a process that scores one clip, above that of a bare interpreter."""
    file_bytes: dict[str, int]
    """Of the weights, by file."""
    n_parameters: int
    n_multiply_adds: int
    compiled: bool
    """Whether the front end ran in compiled code (numba)."""

    @property
    def times_real_time(self) -> float:
        """How many seconds of sound are heard in one."""
        return 1e3 * self.duration_s / self.stages_ms[WHOLE]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.model,
            "sample_rate": self.sample_rate,
            "duration_s": self.duration_s,
            "stages_ms": self.stages_ms,
            "times_real_time": self.times_real_time,
            "memory_mb": self.memory_mb,
            "file_bytes": self.file_bytes,
            "n_parameters": self.n_parameters,
            "n_multiply_adds": self.n_multiply_adds,
            "compiled": self.compiled,
        }

    def lines(self) -> list[str]:
        """Say it in words."""
        how = "compiled (numba)" if self.compiled else "NumPy alone"
        stages = [f"  {k:<22}{ms:8.2f} ms" for k, ms in self.stages_ms.items()]
        files = [f"  {k:<22}{n / 1e3:8.0f} kB" for k, n in self.file_bytes.items()]
        return [
            f"{self.model}: clips of {self.duration_s:g} s, WAV at "
            f"{self.sample_rate} Hz, one core, front end {how}",
            *stages,
            f"  {'times real time':<22}{self.times_real_time:8.0f}",
            f"  {'memory':<22}{self.memory_mb:8.0f} MB above the interpreter",
            *files,
            f"  {'parameters':<22}{self.n_parameters:8,}",
            f"  {'multiply-adds':<22}{self.n_multiply_adds / 1e6:8.1f} million a clip",
        ]


def bench(
    model: Path | None = None, *, rounds: int = 30, sample_rate: int = 48_000
) -> Bench:
    """Measure a model folder on one core, from a WAV file to scores.

    Parameters
    ----------
    model
        Model folder; None: the model that comes with the package.
    rounds
        Times that each stage runs; the median counts, so that others on the machine
        disturb little.
    sample_rate
        Of the recording, Hz.

    Raises
    ------
    CheckpointError
        If the model cannot be loaded.
    SeacallError
        If the process whose memory is looked at fails.
    """
    folder = model or shipped_folder()
    classifier = load_classifier(folder)
    card = classifier.card
    with tempfile.TemporaryDirectory() as place:
        path = write_clip(Path(place, "clip.wav"), card.front_end, sample_rate)
        steps = _stages(path, classifier, sample_rate)
        stages_ms = _timed(steps, rounds)
        memory_mb = _memory_mb(path, folder)
    return Bench(
        model=str(folder),
        sample_rate=sample_rate,
        duration_s=card.front_end.clip.duration_s,
        stages_ms=stages_ms,
        memory_mb=memory_mb,
        file_bytes=describe(folder).files,
        n_parameters=card.n_parameters,
        n_multiply_adds=card.n_multiply_adds,
        compiled=kernels() is not None,
    )


def write_clip(path: Path, front_end: FrontEndSettings, sample_rate: int) -> Path:
    """Write a recording of one clip: a sweep in noise, 16 bit."""
    t = np.arange(round(front_end.clip.duration_s * sample_rate)) / sample_rate
    noise = np.random.default_rng(0).standard_normal(len(t))
    sweep = np.sin(2 * np.pi * (1_000 + 0.02 * sample_rate * t) * t)
    soundfile.write(path, 0.02 * noise + 0.3 * sweep, sample_rate, subtype="PCM_16")
    return path


def _stages(
    path: Path, classifier: Classifier, sample_rate: int
) -> dict[str, Callable[[], Any]]:
    """Return what is measured; each stage is given what the one before made."""
    card, front_end = classifier.card, classifier.card.front_end
    profile = front_end.profile
    raw = _read(path)
    y = condition_array(raw, sample_rate=sample_rate, settings=front_end)
    inputs = clip_inputs(y, front_end)
    x = y[None] if card.takes == "waveform" else inputs.log_mel[None]
    logits = classifier.logits(x, inputs.features[None])

    def whole() -> Any:
        clip = first_clip(path, front_end)
        found = clip_inputs(clip, front_end)
        if card.takes == "waveform":
            return scores_from_logits(
                classifier.logits(clip[None], found.features[None]), card
            )
        return score_inputs(classifier, [found])

    return {
        "read": lambda: _read(path),
        "filter and resample": lambda: condition_array(
            raw, sample_rate=sample_rate, settings=front_end
        ),
        "features": lambda: features(y, sample_rate=profile.sample_rate),
        "log-mel": lambda: log_mel(y, profile),
        "network": lambda: classifier.logits(x, inputs.features[None]),
        "calibration": lambda: scores_from_logits(logits, card),
        WHOLE: whole,
    }


def _read(path: Path) -> Float32:
    return np.concatenate(list(io.read_blocks(path)))


def _timed(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median processor time of each step, ms; they take turns."""
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            # Processor time: another program that runs at the same time adds none.
            started = time.process_time()
            step()
            took[name].append(1e3 * (time.process_time() - started))
    return {name: statistics.median(values[1:]) for name, values in took.items()}


def _memory_mb(path: Path, model: Path) -> float:
    """Return the peak of a process that scores a clip, above a bare one's, MB."""
    bare, full = (_peak_kb(*arguments) for arguments in ((), (path, model)))
    return (full - bare) / 1024


def _peak_kb(*arguments: Path) -> int:
    """Run a fresh interpreter, and return what it says of itself.

    Raises
    ------
    SeacallError
        If it fails.
    """
    program = _PROGRAM_OF_A_CLIP if arguments else _PROGRAM_OF_NOTHING
    command = [sys.executable, "-c", program, *(str(one) for one in arguments)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **one_thread}
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise SeacallError(
            f"{sys.executable}: a process to measure memory failed ({last}); "
            "check the installation with: seacall info"
        )
    return int(json.loads(done.stdout))


# The peak is asked for in the process itself, by a system call that Linux and macOS
# have; a child's peak begins at its parent's where the process is copied.
_PEAK = (
    "import re, pathlib\n"
    "status = pathlib.Path('/proc/self/status').read_text()\n"
    "print(re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
)
_PROGRAM_OF_NOTHING = _PEAK
_PROGRAM_OF_A_CLIP = (
    "import sys, pathlib\n"
    "from seacall.audio.frontend import clip_inputs, first_clip\n"
    "from seacall.detect.classify import score_inputs\n"
    "from seacall.models.backend import load_classifier\n"
    "classifier = load_classifier(pathlib.Path(sys.argv[2]))\n"
    "front_end = classifier.card.front_end\n"
    "for _ in range(3):\n"
    "    y = first_clip(pathlib.Path(sys.argv[1]), front_end)\n"
    "    score_inputs(classifier, [clip_inputs(y, front_end)])\n"
) + _PEAK
