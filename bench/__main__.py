"""Run all comparisons on one thread and print one table.

    OMP_NUM_THREADS=1 python -m bench [--rounds 15] [--json FILE]

Both sides of a row take turns within the run, and processor time is counted, so that
a busy machine disturbs little; the figure is the ratio of the medians. Absolute times
are of this machine and this hour.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from bench import plain
from bench.processes import two_processes
from seacall.audio.clips import recording_clips
from seacall.audio.fast import kernels
from seacall.audio.features import features
from seacall.audio.frontend import clip_inputs, first_clip
from seacall.audio.logmel import log_mel
from seacall.config import FrontEndSettings, original_front_end
from seacall.detect.classify import classify_recording, score_inputs
from seacall.learn.export import export_onnx
from seacall.models.backend import OnnxClassifier
from seacall.models.checkpoint import ONNX_NAME, WEIGHTS_NAME, Card
from seacall.models.network import build_network, save_model
from seacall.models.size import model_size

RATE = 48_000
LABELS = (*(f"species {k}" for k in range(19)), "unknown")
NATIVE_ROW = "chain from WAV, plain features at 48 kHz"
TWO_ROW = "two processes against one, by the clock"
TEACHER_ROW = "student against teacher, torch"
LONG_S = 300
"""Length of the long recording, s."""
IN_A_ROW = 10
"""Clips that each side does before it is the other's turn, as in a long recording:
otherwise each finds its memory taken and its caches cold."""
Pair = tuple[str, Callable[[], Any], Callable[[], Any]]
LongPair = tuple[str, Callable[[], Any], Callable[[], Any], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    how = "compiled kernels" if kernels() else "NumPy alone"
    print(
        f"{platform.processor() or platform.machine()}, one thread, 5 s clips, {how}\n"
    )
    print(f"{'profile':<14}{'what':<40}{'seacall ms':>11}{'plain ms':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), rounds=options.rounds)
        sizes = model_sizes(Path(folder))
    show(sizes)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "sizes": sizes}, indent=2))


def measure(folder: Path, *, rounds: int) -> list[dict[str, Any]]:
    recordings = make_recordings(folder)
    rows = []
    long_ones = make_recordings(folder, "long", duration_s=LONG_S)
    for front_end in (original_front_end(), FrontEndSettings()):
        profile = front_end.profile
        model = student_folder(folder / profile.name, front_end)
        for what, seacall, plainly in pairs(model, front_end, *recordings):
            figures = paired(seacall, plainly, rounds)
            rows.append({"profile": profile.name, "what": what, **figures})
            say(rows[-1])
        for what, seacall, other, n in long_pairs(model, front_end, *long_ones):
            figures = paired(seacall, other, rounds, n_clips=(LONG_S // 5, n))
            rows.append({"profile": profile.name, "what": what, **figures})
            say(rows[-1])
        figures = two_processes(model, long_ones[0], rounds=rounds)
        rows.append({"profile": profile.name, "what": TWO_ROW, **figures})
        say(rows[-1])
    rows.append({"profile": "any", "what": TEACHER_ROW, **teacher(rounds)})
    say(rows[-1])
    return rows


def pairs(
    model: Path, front_end: FrontEndSettings, wav: Path, flac: Path
) -> list[Pair]:
    """Return what is compared: its name, seacall's way, the plain way."""
    profile = front_end.profile
    classifier = OnnxClassifier(model)
    network = build_network("AudioTransformerStudent", len(LABELS)).eval()
    y = first_clip(wav, front_end)
    inputs = clip_inputs(y, front_end)
    tensors = (
        torch.from_numpy(inputs.log_mel)[None],
        torch.from_numpy(inputs.features)[None],
    )
    rate = profile.sample_rate
    # Both sides do the same work, or the comparison means nothing.
    same = {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(inputs.features, plain.features(y, rate), **same)
    np.testing.assert_allclose(inputs.log_mel, plain.log_mel(y, profile), **same)

    def ours(path: Path) -> Any:
        return [found.scores for found in classify_recording(path, classifier)]

    def plainly(path: Path, *, at_native_rate: bool = False) -> Any:
        return plain.chain(path, network, profile, at_native_rate=at_native_rate)

    found: list[Pair] = [
        (
            "18 features",
            lambda: features(y, sample_rate=rate),
            lambda: plain.features(y, rate),
        ),
        ("log-mel", lambda: log_mel(y, profile), lambda: plain.log_mel(y, profile)),
        (
            "student",
            lambda: score_inputs(classifier, [inputs]),
            lambda: in_torch(network, tensors),
        ),
        ("chain from WAV", lambda: ours(wav), lambda: plainly(wav)),
        ("chain from FLAC", lambda: ours(flac), lambda: plainly(flac)),
    ]
    if rate < RATE:
        as_described = lambda: plainly(wav, at_native_rate=True)  # noqa: E731
        found.append((NATIVE_ROW, lambda: ours(wav), as_described))
    front = lambda: clip_inputs(first_clip(wav, front_end), front_end)  # noqa: E731
    found.append(("front end within the chain (WAV)", front, lambda: ours(wav)))
    return found


def long_pairs(
    model: Path, front_end: FrontEndSettings, wav: Path, flac: Path
) -> list[LongPair]:
    """Return the same for a long recording; the plain way is given one of its clips.

    The last number is how many clips the second way does.
    """
    profile = front_end.profile
    classifier = OnnxClassifier(model)
    network = build_network("AudioTransformerStudent", len(LABELS)).eval()

    def ours(path: Path) -> Any:
        return [found.scores for found in classify_recording(path, classifier)]

    def plainly(path: Path, *, at_native_rate: bool = False) -> Any:
        clip = path.with_stem("clip")
        return plain.chain(clip, network, profile, at_native_rate=at_native_rate)

    def native(path: Path) -> Any:
        return plainly(path, at_native_rate=True)

    found: list[LongPair] = []
    for path in (wav, flac):
        kind = path.suffix[1:].upper()
        found.append((f"long {kind}", partial(ours, path), partial(plainly, path), 1))
        if profile.sample_rate < RATE:
            name = f"long {kind}, plain features at 48 kHz"
            found.append((name, partial(ours, path), partial(native, path), 1))
    name = "front end within a long recording (WAV)"
    front = partial(fronts, wav, front_end)
    return [*found, (name, front, partial(ours, wav), LONG_S // 5)]


def fronts(path: Path, front_end: FrontEndSettings) -> Any:
    return [clip_inputs(y, front_end) for _, y in recording_clips(path, front_end)]


def paired(
    fast: Callable[[], Any],
    slow: Callable[[], Any],
    rounds: int,
    *,
    n_clips: tuple[int, int] = (1, 1),
) -> dict[str, float]:
    """Time both in turn; return medians of ms a clip and their ratio.

    ``n_clips`` says how many clips one call of each does.
    """
    fast()
    slow()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, call, n in zip(times, (fast, slow), n_clips, strict=True):
            n_calls = max(1, IN_A_ROW // n)
            started = time.process_time()
            for _ in range(n_calls):
                call()
            side.append(1e3 * (time.process_time() - started) / (n_calls * n))
    ours, theirs = (statistics.median(side) for side in times)
    return {"seacall_ms": ours, "plain_ms": theirs, "ratio": theirs / ours}


def teacher(rounds: int) -> dict[str, float]:
    network = build_network("VGGishTeacher", len(LABELS)).eval()
    student = build_network("AudioTransformerStudent", len(LABELS)).eval()
    inputs = (torch.zeros(1, 5, 96, 64), torch.zeros(1, 18))
    return paired(
        lambda: in_torch(student, inputs),
        lambda: in_torch(network, inputs),
        max(3, rounds // 3),
    )


def in_torch(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    with torch.inference_mode():
        return torch.softmax(network(*inputs), dim=1)


def make_recordings(
    folder: Path, name: str = "clip", *, duration_s: int = 5
) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(duration_s * RATE) * 0.05
    paths = folder / f"{name}.wav", folder / f"{name}.flac"
    for path in paths:
        soundfile.write(path, y, RATE, subtype="PCM_16")
    return paths


def student_folder(folder: Path, front_end: FrontEndSettings) -> Path:
    network = build_network("AudioTransformerStudent", len(LABELS)).eval()
    card = Card(
        seacall_version="bench",
        architecture="AudioTransformerStudent",
        labels=LABELS,
        front_end=front_end,
    )
    save_model(network, folder, card)
    export_onnx(folder)
    return folder


def model_sizes(folder: Path) -> dict[str, Any]:
    found = {}
    for name in ("VGGishTeacher", "AudioTransformerStudent"):
        size = model_size(build_network(name, len(LABELS)))
        found[name] = {
            "parameters": size.n_parameters,
            "bytes": size.n_bytes,
            "multiply_adds": size.n_multiply_adds,
        }
    model = folder / "original-16k"
    for file in (WEIGHTS_NAME, ONNX_NAME):
        found["AudioTransformerStudent"][file] = (model / file).stat().st_size
    return found


def say(row: dict[str, Any]) -> None:
    print(
        f"{row['profile']:<14}{row['what']:<40}{row['seacall_ms']:>11.2f}"
        f"{row['plain_ms']:>10.2f}{row['ratio']:>8.2f}",
        flush=True,
    )


def show(sizes: dict[str, Any]) -> None:
    teacher_size, student_size = sizes.values()
    fewer = 1 - student_size["parameters"] / teacher_size["parameters"]
    print()
    for name, size in sizes.items():
        print(f"{name:<26}" + ", ".join(f"{k} {v:,}" for k, v in size.items()))
    print(f"the student has {100 * fewer:.2f} % fewer parameters than the teacher")


if __name__ == "__main__":
    main()
