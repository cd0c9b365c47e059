"""How long exported files take for a clip: ``python -m bench.graphs``.

One thread, the model in the package, its 5 s clips. Processor time, so that what else
runs on the machine counts little; the median of many runs. Beside them the package's
own chain from conditioned clip to scores.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.exported import ExportSettings
from seacall.deploy.graphs import export_network, export_waveform
from seacall.models.backend import Classifier, load_classifier, scores_from_logits
from seacall.models.onnx_file import open_session
from seacall.models.shipped import shipped_folder

RATES = (None, 44_100, 96_000, 192_000)
N_RUNS = 60


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return median and least processor time of a call."""
    taken = []
    for _ in range(3 + N_RUNS):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1e3 * float(np.median(taken[3:])), 1e3 * min(taken)


def report(name: str, call: Callable[[], object], size: str = "") -> None:
    median, least = milliseconds(call)
    print(f"{name:<34}{size:>9}{median:>8.1f} ms{least:>8.1f} ms")


def main() -> None:
    rng = np.random.default_rng(0)
    classifier = load_classifier()
    front_end = classifier.card.front_end
    print(f"{'':<34}{'size':>9}{'median':>11}{'least':>11}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "a.onnx")
        export_network(shipped_folder(), out, ExportSettings())
        y = rng.normal(0, 0.1, front_end.clip_length).astype(np.float32)
        seen = clip_inputs(y, front_end)
        given = {"log_mel": seen.log_mel[None], "features": seen.features[None]}
        run_file("network alone", out, given)
        for rate in RATES:
            export_waveform(shipped_folder(), out, ExportSettings(rate=rate))
            n = round(
                front_end.clip.duration_s * (rate or front_end.profile.sample_rate)
            )
            y = rng.normal(0, 0.1, (1, n)).astype(np.float32)
            name = f"waveform, {rate} Hz" if rate else "waveform, the profile's rate"
            run_file(name, out, {"waveform": y})
            if rate:
                own = partial(chain, classifier, y[0], rate)
                report(f"  the package, {rate} Hz", own)
    y = rng.normal(0, 0.1, front_end.clip_length).astype(np.float32)
    report("the package, the profile's rate", partial(chain, classifier, y, None))


def run_file(name: str, path: Path, given: dict[str, np.ndarray]) -> None:
    session = open_session(path)
    size = f"{path.stat().st_size / 1e3:.0f} kB"
    report(name, lambda: session.run(["scores"], given), size)


def chain(classifier: Classifier, y: np.ndarray, rate: int | None) -> np.ndarray:
    front_end = classifier.card.front_end
    if rate:
        y = condition_array(y, sample_rate=rate, settings=front_end)
    seen = clip_inputs(y, front_end)
    logits = classifier.logits(seen.log_mel[None], seen.features[None])
    return scores_from_logits(logits, classifier.card)


if __name__ == "__main__":
    main()
