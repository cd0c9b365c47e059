"""The package for PAMGuard: read by its rules, run, and compared with the model."""

from __future__ import annotations

import json
import zipfile

import graph_numpy
import numpy as np
import pytest
from pamguard_models import (
    LABELS,
    RATE,
    needs_tensorflow,
    small_card,
    write_model,
)
from pamguard_reader import model_input, read_package

from seacall.audio.framing import fit_clip
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.config import ClipSettings, original_front_end
from seacall.deploy import pamguard_proof
from seacall.deploy.exported import ExportSettings
from seacall.deploy.pamguard import export_pamguard
from seacall.deploy.pamguard_graph import fitted, pamguard_graph, scores_graph
from seacall.deploy.pamguard_onnx import OnnxGraph
from seacall.deploy.pamguard_operators import converted
from seacall.deploy.pamguard_package import (
    package_name,
    package_settings,
    threshold,
    to_untick,
    write_package,
)
from seacall.deploy.pamguard_saved_model import Nodes, messages
from seacall.deploy.pamguard_transforms import load_audio_scipy, segment_length
from seacall.detect.classify import judge_inputs
from seacall.errors import CheckpointError, SettingsError
from seacall.models.backend import load_classifier
from seacall.models.decide import answers_at


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("pamguard") / "model")


@pytest.fixture(scope="module")
def saved_model(model):
    return pamguard_graph(model)


@pytest.fixture
def in_numpy(monkeypatch):
    """Run graphs in NumPy where TensorFlow would."""

    def run(folder, batches):
        graph = (folder / "saved_model.pb").read_bytes()
        return [graph_numpy.run(graph, y) for y in batches]

    monkeypatch.setattr(pamguard_proof, "run_saved_model", run)
    monkeypatch.setattr("seacall.deploy.pamguard.require_tensorflow", lambda: None)


def recordings(rate, rng):
    """Calls, noise, an offset, silence: what a hydrophone at that rate brings."""
    t = np.arange(segment_length(size_ms=1_200, sample_rate=rate)) / rate
    noise = 0.02 * rng.standard_normal(len(t))
    sweep = np.sin(2 * np.pi * (600 * t + 700 * t**2))
    clicks = np.where(np.arange(len(t)) % (rate // 12) < 3, 0.8, 0.0)
    pulses = np.sin(2 * np.pi * 1_300 * t) * (np.sin(2 * np.pi * 5 * t) > 0)
    yield from (noise, 0.3 * sweep + noise, clicks + noise, 0.25 + 0.1 * noise)
    yield from (pulses * 0.5 + noise, 0.7 * sweep * pulses + noise, np.zeros(len(t)))


def ours(model, y, rate):
    """What ``seacall detect`` says of a clip."""
    classifier = load_classifier(model)
    front_end = classifier.card.front_end
    clip = condition_array(y.astype(np.float32), sample_rate=rate, settings=front_end)
    return judge_inputs(classifier, [clip_inputs(clip, front_end)]).scores[0]


def test_the_package_is_what_pamguard_s_reader_takes(model, saved_model, tmp_path):
    card = small_card()
    path = package_name(tmp_path / "whales.zip", card, saved_model)
    write_package(path, card, saved_model, proof={})
    package = read_package(path)
    assert package.class_names == list(LABELS)
    assert package.segment_ms == 1_200
    assert package.transforms == [{"name": "load_audio_scipy", "params": {"sr": RATE}}]
    assert package.input_shape == [-1, -1]  # as the signature has it
    assert package.saved_model == saved_model


@pytest.mark.parametrize("rate", [RATE, 22_050, 5_000])
def test_a_package_run_by_pamguard_s_rules_answers_as_the_model(
    model, saved_model, tmp_path, rng, rate
):
    card = load_classifier(model).card
    path = package_name(tmp_path / "whales.zip", card, saved_model)
    write_package(path, card, saved_model, proof={})
    package = read_package(path)
    (transform,) = package.transforms
    sounds = list(recordings(rate, rng))
    segments = [
        load_audio_scipy(y, rate_in=rate, rate_out=transform["params"]["sr"])
        for y in sounds
    ]
    x = model_input(segments, package.input_shape)
    found = graph_numpy.run(package.saved_model, x)
    assert found.shape == (len(sounds), len(package.class_names))
    heard = np.stack([ours(model, y, RATE) for y in segments])
    np.testing.assert_allclose(found, heard, atol=1e-4)
    # Against the recordings themselves: what the resampling and 16 bits change.
    expected = np.stack([ours(model, y, rate) for y in sounds])
    lowest = card.lowest_scores
    same = answers_at(found, lowest) == answers_at(expected, lowest)
    assert same.mean() >= 6 / 7
    assert len(set(answers_at(found, lowest))) > 1


@pytest.mark.parametrize("n_samples", [1, 3_200, 9_599, 9_601, 30_000])
def test_segments_of_any_length_are_fitted_as_clips_are(
    model, saved_model, rng, n_samples
):
    y = (0.1 * rng.standard_normal((2, n_samples))).astype(np.float32)
    found = graph_numpy.run(saved_model, y)
    settings = load_classifier(model).card.front_end
    clips = [fit_clip(x, length=settings.clip_length, fit="tile") for x in y]
    expected = np.stack([ours(model, clip, RATE) for clip in clips])
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("fit", ["pad", "tile"])
@pytest.mark.parametrize("n_samples", [1, 7, 19_200, 50_000])
def test_short_segments_are_padded_or_repeated(fit, n_samples):
    front_end = original_front_end().model_copy(
        update={"clip": ClipSettings(duration_s=1.2, fit=fit)}
    )
    nodes = Nodes()
    segments = nodes.placeholder("waveform", (-1, -1))
    nodes.output("scores", fitted(nodes, segments, small_card(front_end=front_end)))
    graph = nodes.saved_model(
        takes={"w": "waveform"}, gives={"s": "scores"}, version="2.7.0"
    )
    y = np.arange(1, 1 + n_samples, dtype=np.float32)
    expected = fit_clip(y, length=19_200, fit=fit)
    np.testing.assert_array_equal(graph_numpy.run(graph, y[None])[0], expected)


def test_the_scores_of_a_segment_do_not_depend_on_the_others(saved_model, rng):
    y = (0.1 * rng.standard_normal((3, 9_600))).astype(np.float32)
    alone = np.concatenate([graph_numpy.run(saved_model, row[None]) for row in y])
    np.testing.assert_allclose(graph_numpy.run(saved_model, y), alone, atol=1e-6)


def test_the_same_model_makes_the_same_bytes(saved_model, tmp_path):
    card = small_card()
    first, second = (converted_scores(card) for _ in range(2))
    assert first == second
    for name in ("a.zip", "b.zip"):
        write_package(tmp_path / name, card, saved_model, proof={})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_another_model_or_setting_makes_another_name(tmp_path):
    card = small_card()
    out = tmp_path / "north.sea v1.3.zip"
    first = package_name(out, card, b"graph")
    assert first.name.startswith("north_sea v1_3_")
    assert package_name(first, card, b"graph") == first
    assert package_name(out, card, b"another") != first
    other = small_card(labels=("Orca", "Minke", "Béluga", "unknown"))
    assert package_name(out, other, b"graph") != first


def test_a_package_must_be_a_zip(model, tmp_path):
    with pytest.raises(SettingsError, match=r"give a name that ends in \.zip"):
        export_pamguard(model, tmp_path / "whales.kgu", ExportSettings())


def test_what_to_set_in_pamguard_follows_from_the_card(tmp_path):
    card = small_card()  # Béluga is never answered, Orca from 0.25, Fin Whale from 0.3
    assert to_untick(card) == ["Béluga", "unknown"]
    assert threshold(card) == 0.25
    write_package(tmp_path / "a.zip", card, b"graph", proof={"max": 1e-6})
    with zipfile.ZipFile(tmp_path / "a.zip") as package:
        kept = json.loads(package.read("seacall.json"))
    assert kept["thresholds"] == {
        "Orca": 0.25,
        "Fin Whale": 0.3,
        "Béluga": 1.0,
        "unknown": 0.3,
    }
    assert (kept["threshold"], kept["untick"]) == (0.25, ["Béluga", "unknown"])
    assert kept["proof"] == {"max": 1e-6}
    assert "untick Béluga, unknown" in package_settings(card)["description"]


def test_an_export_is_proved_and_says_what_to_set(
    model, saved_model, tmp_path, in_numpy, monkeypatch
):
    monkeypatch.setattr(pamguard_proof, "synthetic_sounds", few_sounds)
    monkeypatch.setattr("seacall.deploy.pamguard.pamguard_graph", lambda _: saved_model)
    result = export_pamguard(model, tmp_path / "whales.zip", ExportSettings())
    assert result.path.is_file()
    assert read_package(result.path).class_names == list(LABELS)
    assert result.report["graph"]["n"] == 8
    assert result.report["graph"]["max"] < 1e-4
    said = " ".join(result.lines())
    assert "set the threshold to 0.25, untick Béluga, unknown" in said
    assert "default segment length (1200 ms)" in said


def test_a_graph_that_answers_differently_is_refused(
    model, saved_model, in_numpy, monkeypatch
):
    monkeypatch.setattr(pamguard_proof, "synthetic_sounds", few_sounds)
    with pytest.raises(CheckpointError, match="its scores differ by"):
        pamguard_proof.prove(louder(saved_model), model, audio=None)


def test_recordings_show_what_the_transforms_cost(
    model, saved_model, in_numpy, monkeypatch, tmp_path, rng
):
    from sounds import write_wav

    monkeypatch.setattr(pamguard_proof, "synthetic_sounds", few_sounds)
    for k, y in enumerate(recordings(22_050, rng)):
        write_wav(tmp_path / f"{k}.wav", y, sample_rate=22_050)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    proof = pamguard_proof.prove(saved_model, model, audio=tmp_path)
    assert proof["transforms"]["n"] == 7
    assert 0 < proof["transforms"]["max"] < 0.2
    assert proof["transforms"]["n_changed"] <= 1


def test_a_rate_is_pamguard_s_business(model, tmp_path):
    settings = ExportSettings(rate=96_000)
    with pytest.raises(SettingsError, match="PAMGuard resamples by itself"):
        export_pamguard(model, tmp_path / "a.zip", settings)


@needs_tensorflow
def test_tensorflow_runs_the_package_as_numpy_does(model, saved_model, tmp_path, rng):
    from seacall.deploy.pamguard_engine import run_saved_model

    (tmp_path / "saved_model.pb").write_bytes(saved_model)
    y = np.stack([x.astype(np.float32) for x in recordings(RATE, rng)])
    (found,) = run_saved_model(tmp_path, [y])
    np.testing.assert_allclose(found, graph_numpy.run(saved_model, y), atol=1e-5)


def converted_scores(card) -> bytes:
    """The last part of a graph, traced and converted."""
    nodes = Nodes()
    logits = nodes.placeholder("logits", (-1, -1))
    inputs = {"logits": logits, "log_mel": nodes.placeholder("log_mel", (-1,) * 4)}
    scores = converted(OnnxGraph(scores_graph(card)), nodes, inputs)
    return nodes.saved_model(takes={"x": logits}, gives=scores, version="2.7.0")


def few_sounds(*, rate, duration_s):
    from seacall.deploy.proof_sounds import ProofSound

    rng = np.random.default_rng(1)
    for k, y in enumerate(list(recordings(rate, rng))[:5]):
        yield ProofSound(f"sound {k}", y.astype(np.float32))


def louder(saved_model: bytes) -> bytes:
    """The same graph with one weight changed: an entry of the last constant matrix."""
    saved = messages()["SavedModel"].FromString(saved_model)
    for node in saved.meta_graphs[0].graph_def.node:
        used = {entry.key: entry.value for entry in node.attr}
        tensor = used["value"].tensor if node.op == "Const" else None
        if tensor is None or tensor.dtype != 1:
            continue
        shape = tuple(size.size for size in tensor.tensor_shape.dim)
        if shape == (len(LABELS), 96):
            values = np.frombuffer(tensor.tensor_content, np.float32).copy()
            values[:96] *= 1.5
            tensor.tensor_content = values.tobytes()
            return saved.SerializeToString()
    raise AssertionError("no last layer found")


def test_a_model_that_takes_waveforms_is_refused(model, tmp_path):
    from seacall.models.checkpoint import read_card, write_card

    card = read_card(model)
    takes = card.model_copy(update={"takes": "waveform"})
    for name in card.files:
        (tmp_path / name).write_bytes((model / name).read_bytes())
    write_card(tmp_path, takes)
    with pytest.raises(CheckpointError, match="export a student"):
        pamguard_graph(tmp_path)
