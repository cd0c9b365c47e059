"""The model in the package is whole, small, and says what it is."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

import seacall
from seacall.errors import SeacallError
from seacall.models.checkpoint import CARD_NAME, ONNX_NAME, read_card
from seacall.models.describe import describe
from seacall.models.page import model_page
from seacall.models.shipped import shipped_folder
from seacall.models.unknown import NO_EVENT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    path = ROOT / "runs" / "ship_model.py"
    spec = importlib.util.spec_from_file_location("ship_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise_of(name: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw noise by NumPy alone; colours by the spectrum's slope."""
    hz = np.fft.rfftfreq(n, 1 / 48_000)
    hz[0] = hz[1]
    parts = np.fft.rfft(rng.standard_normal(n))
    t = np.arange(n) / 48_000
    mains = sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in range(1, 12))
    white = rng.standard_normal(n)
    return {
        "white": white,
        "pink": np.fft.irfft(parts / np.sqrt(hz), n),
        "brown": np.fft.irfft(parts / hz, n),
        "hum": mains + 0.01 * white,
        "tone": np.sin(2 * np.pi * 9_600 * t) + 0.03 * white,
        "clipped": np.clip(white, -0.5, 0.5),
        "silence": np.zeros(n),
    }[name]


@pytest.mark.parametrize(
    "name", ["white", "pink", "brown", "hum", "tone", "clipped", "silence"]
)
@pytest.mark.parametrize("peak", [1e-3, 0.9])
def test_steady_noise_and_silence_are_answered_unknown(name, peak, tmp_path):
    y = noise_of(name, np.random.default_rng(3), 10 * 48_000)
    y = peak * y / (np.abs(y).max() or 1.0)
    soundfile.write(tmp_path / "noise.wav", y, 48_000, subtype="PCM_24")
    answers = [clip["answer"] for clip in seacall.classify(tmp_path / "noise.wav")]
    assert answers == ["unknown"] * 2


def test_a_call_in_white_noise_is_not_refused_as_steady(tmp_path):
    rng = np.random.default_rng(4)
    t = np.arange(5 * 48_000) / 48_000
    sweep = np.sin(2 * np.pi * (4_000 * t + 800 * t**2)) * (np.abs(t - 2.5) < 0.4)
    y = 0.1 * rng.standard_normal(len(t)) + 0.3 * sweep
    soundfile.write(tmp_path / "call.wav", 0.5 * y / np.abs(y).max(), 48_000)
    (clip,) = seacall.classify(tmp_path / "call.wav")
    assert clip["reason"] != NO_EVENT


def about(folder: Path, text: str = 'limits = ["Small."]\n') -> Path:
    path = folder / "about.toml"
    data = '[[data]]\nname = "Sea | tape"\nterms = "MIT"\ncredit = "A. Nobody"\n'
    path.write_text(text + data, encoding="utf-8")
    return path


def test_the_model_in_the_package_is_whole_and_small(script):
    files = {p.name: p.stat().st_size for p in shipped_folder().iterdir()}
    files = {k: n for k, n in files.items() if not k.startswith("__")}
    assert set(files) == {ONNX_NAME, CARD_NAME, script.PAGE_NAME}
    assert sum(files.values()) <= script.MOST_BYTES
    assert describe().files[ONNX_NAME] == files[ONNX_NAME]


def test_the_page_is_that_of_the_card(script):
    card = read_card(shipped_folder())
    assert card.data
    assert card.limits
    sizes = {ONNX_NAME: (shipped_folder() / ONNX_NAME).stat().st_size}
    expected = model_page(card, name=script.NAME, file_bytes=sizes)
    assert (shipped_folder() / script.PAGE_NAME).read_text("utf-8") == expected


def test_shipping_takes_the_graph_and_writes_card_and_page(
    script, tiny_model, tmp_path
):
    n_bytes = script.ship(tiny_model, about(tmp_path), tmp_path / "out")
    out = {p.name: p.stat().st_size for p in (tmp_path / "out").iterdir()}
    assert sum(out.values()) == n_bytes
    assert set(out) == {ONNX_NAME, CARD_NAME, script.PAGE_NAME}
    card = read_card(tmp_path / "out")
    assert list(card.files) == [ONNX_NAME]
    assert card.data[0].credit == "A. Nobody"
    page = (tmp_path / "out" / script.PAGE_NAME).read_text("utf-8")
    assert "| Sea / tape | 0 | MIT | A. Nobody |" in page


def test_a_model_that_does_not_say_what_it_was_made_of_is_refused(
    script, tiny_model, tmp_path
):
    with pytest.raises(SeacallError, match="must say what the model was trained on"):
        script.ship(tiny_model, about(tmp_path, ""), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_too_big_is_refused(script, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "MOST_BYTES", 100_000)
    with pytest.raises(SeacallError, match="at most 100,000 go into the package"):
        script.ship(tiny_model, about(tmp_path), tmp_path / "out")


def test_a_changed_graph_is_refused(script, tiny_model, tmp_path):
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (model / ONNX_NAME).write_bytes(b"other")
    with pytest.raises(SeacallError, match="sha256"):
        script.ship(model, about(tmp_path), tmp_path / "out")


def test_a_page_holds_the_figures_the_thresholds_and_the_unknown():
    estimate = {"value": 0.5, "interval": [0.25, 0.75]}
    metrics = {
        "split": "test",
        "n_recordings": 12,
        "n_deployments": 3,
        "leaky": True,
        "interval_note": "Rough.",
        "figures": {"model": {"macro_f1": estimate}, "sample rate alone": {}},
    }
    kinds = {"rain": {"n_clips": 9, "auroc": 0.9, "fpr95": 0.2, "share_unknown": 0.8}}
    card = tiny.card(
        metrics=metrics,
        thresholds={"Fin Whale": 0.81, "Minke Whale": 1.0},
        target_precision=0.9,
        unknown={"lowest_event_db": 2.5, "measured": {"kinds": kinds}},
    )
    page = model_page(card, name="Test", file_bytes={})
    assert "| macro-F1 | 0.500 (0.25-0.75) | - |" in page
    assert "these figures are too high" in page
    assert "| Fin Whale | 0.810 |\n| Minke Whale | never answered |" in page
    assert "stands out from its own background by 2.5 dB" in page
    assert "| rain | 9 | 0.900 | 0.200 | 0.800 |" in page
    assert "| macro-F1 |" in page.split("|---|---|---|\n")[1]
