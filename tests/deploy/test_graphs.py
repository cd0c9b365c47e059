"""Exported files: what they compute, carry, and that they are the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import machine
import numpy as np
import onnx
import onnxruntime
import programs
import pytest
import tiny
import torch
from sounds import noise

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.exported import ExportSettings
from seacall.deploy.graphs import OUTPUTS
from seacall.deploy.kinds import export
from seacall.deploy.report import keep_report, read_reports
from seacall.deploy.scores_graph import Scores
from seacall.deploy.verify import verify
from seacall.errors import CheckpointError, SettingsError
from seacall.files import file_sha256
from seacall.models.backend import load_classifier, scores_from_logits
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import VERIFY_NAME, Calibration, read_card
from seacall.models.file_card import read_metadata


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def clips(rate: int = tiny.RATE, n: int = 3) -> np.ndarray:
    made = [noise(sample_rate=rate, duration_s=1.0, seed=k) for k in range(n)]
    return np.stack(made).astype(np.float32)


def expected(model: Path, y: np.ndarray, rate: int = tiny.RATE):
    classifier = load_classifier(model)
    front_end = classifier.card.front_end
    if rate != tiny.RATE:
        y = [condition_array(c, sample_rate=rate, settings=front_end) for c in y]
    inputs = [clip_inputs(c, front_end) for c in y]
    logits = classifier.logits(
        np.stack([i.log_mel for i in inputs]), np.stack([i.features for i in inputs])
    )
    return logits, scores_from_logits(logits, classifier.card)


def test_a_waveform_file_answers_as_the_model_folder_does(model, waveform_file):
    y = clips()
    logits, scores = session(waveform_file).run(["logits", "scores"], {"waveform": y})
    wanted_logits, wanted_scores = expected(model, y)
    np.testing.assert_allclose(logits, wanted_logits, atol=1e-4)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_a_native_file_filters_and_resamples_for_itself(model, native_file):
    y = clips(24_000)
    logits, scores = session(native_file).run(["logits", "scores"], {"waveform": y})
    wanted_logits, wanted_scores = expected(model, y, rate=24_000)
    np.testing.assert_allclose(logits, wanted_logits, atol=1e-4)
    np.testing.assert_allclose(scores, wanted_scores, atol=1e-5)


def test_the_batch_is_open_and_the_length_is_fixed(waveform_file):
    file = session(waveform_file)
    assert [output.name for output in file.get_outputs()] == list(OUTPUTS)
    for n in (1, 2, 5):
        assert len(file.run(["scores"], {"waveform": clips(n=n)})[0]) == n
    with pytest.raises(Exception, match="Expected: 16000"):
        file.run(["scores"], {"waveform": clips()[:, :-1]})


def test_a_file_says_what_it_is(model, waveform_file, native_file):
    metadata = session(waveform_file).get_modelmeta().custom_metadata_map
    card, file = read_metadata(metadata, path=waveform_file)
    own = read_card(model)
    assert card == own.model_copy(update={"files": own.weights})
    assert (file.takes, file.rate, file.length) == ("waveform", 16_000, 16_000)
    assert file.conditioned
    assert json.loads(metadata["labels"]) == list(tiny.LABELS)
    assert json.loads(metadata["thresholds"])["Fin Whale"] == 0.35
    assert json.loads(metadata["calibration"])["method"] == "platt"
    assert metadata["weights_sha256"] == own.files["model.safetensors"]
    assert metadata["profile"] == "original-16k"
    metadata = session(native_file).get_modelmeta().custom_metadata_map
    _, file = read_metadata(metadata, path=native_file)
    assert (file.rate, file.length, file.conditioned) == (24_000, 24_000, False)
    assert onnx.load(native_file).opset_import[0].version == 18


def test_the_same_model_gives_the_same_bytes_in_another_process(
    model, waveform_file, tmp_path
):
    program = (
        "from pathlib import Path\n"
        "from seacall.deploy.exported import ExportSettings\n"
        "from seacall.deploy.graphs import export_waveform\n"
        f"export_waveform(Path({str(model)!r}), Path({str(tmp_path / 'b.onnx')!r}), "
        "ExportSettings())"
    )
    done = programs.run("-c", program)
    assert done.code == 0, done.err
    assert file_sha256(tmp_path / "b.onnx") == file_sha256(waveform_file)


def test_no_name_or_path_of_the_exporting_machine_is_in_a_file(waveform_file):
    content = waveform_file.read_bytes()
    for words in machine.traces():
        assert words not in content


def test_torchscript_answers_as_the_model_folder_does(model, torchscript_file):
    y = clips()
    with pytest.warns(DeprecationWarning, match="torch.jit.load"):
        module = torch.jit.load(str(torchscript_file))
    logits, scores, features, log_mel = module(torch.from_numpy(y))
    wanted_logits, wanted_scores = expected(model, y)
    np.testing.assert_allclose(logits.detach(), wanted_logits, atol=1e-4)
    np.testing.assert_allclose(scores.detach(), wanted_scores, atol=1e-5)
    assert features.shape == (3, 18)
    assert log_mel.shape == (3, 1, 96, 64)


def test_a_folder_with_onnx_alone_becomes_torchscript_too(model, tmp_path):
    from seacall.models.checkpoint import ONNX_NAME, write_card

    folder = tmp_path / "onnx alone"
    folder.mkdir()
    (folder / ONNX_NAME).write_bytes((model / ONNX_NAME).read_bytes())
    write_card(folder, read_card(model))
    result = export(
        folder, tmp_path / "a.pt", to="torchscript", settings=ExportSettings()
    )
    assert result.report["proved"]


def test_the_network_alone_is_a_file_too(model, tmp_path):
    out = tmp_path / "network.onnx"
    result = export(model, out, to="onnx-network", settings=ExportSettings())
    assert result.report["differences"]["logits"]["max"] < 1e-6
    inputs = {i.name for i in session(out).get_inputs()}
    assert inputs == {"log_mel", "features"}


def test_the_report_lies_beside_the_file_and_in_the_model_folder(model, waveform_file):
    beside = waveform_file.with_name(f"{waveform_file.name}.{VERIFY_NAME}")
    report = json.loads(beside.read_text())
    assert report["proved"]
    assert report["sha256"] == file_sha256(waveform_file)
    kept = json.loads((model / VERIFY_NAME).read_text())
    assert kept["onnx: model.onnx"]["n_synthetic"] == report["n_synthetic"] > 20
    card = read_card(model)
    assert card.files[VERIFY_NAME] == file_sha256(model / VERIFY_NAME)
    # What makes it this model is what answers.
    assert VERIFY_NAME not in card.weights
    load_classifier(model)


@pytest.mark.parametrize("damaged", ["{", "[1]", "\udcff"])
def test_a_damaged_report_is_written_anew(model, tmp_path, damaged):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / VERIFY_NAME).write_text(damaged, errors="surrogateescape")
    proof = verify(model, model)
    (tmp_path / "a.onnx").write_bytes(b"a file")
    keep_report(folder, tmp_path / "a.onnx", "onnx", proof)
    assert list(read_reports(folder)) == ["onnx: a.onnx"]
    card = read_card(folder)
    assert card.files[VERIFY_NAME] == file_sha256(folder / VERIFY_NAME)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration(method="temperature", temperature=2.5),
        Calibration(method="vector", temperature=0.7, offsets=(0.1, -0.5, 0.0, 1.0)),
        Calibration(
            method="platt",
            slopes=(0.5, 1.0, 2.0, 1.5),
            offsets=(-1.0, 0.0, 1.0, 2.0),
        ),
    ],
    ids=lambda c: c.method,
)
def test_scores_in_a_graph_are_the_calibrated_ones(calibration, rng):
    logits = rng.normal(0, 6, (200, 4)).astype(np.float32)
    network = Scores(calibration, 4)
    found = network(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(found, calibrated(logits, calibration), atol=2e-6)


def test_an_export_that_does_not_answer_alike_leaves_nothing(
    model, tmp_path, monkeypatch
):
    from seacall.deploy import torchscript

    class Wrong(torch.nn.Module):
        def __init__(self, *_):
            super().__init__()

        def forward(self, logits):
            return torch.softmax(2 * logits, dim=1)

    monkeypatch.setattr(torchscript, "Scores", Wrong)
    before = (model / VERIFY_NAME).read_bytes() if (model / VERIFY_NAME).exists() else 0
    with pytest.raises(CheckpointError, match="scores differ"):
        export(
            model, tmp_path / "x" / "a.pt", to="torchscript", settings=ExportSettings()
        )
    assert list((tmp_path / "x").iterdir()) == []
    after = (model / VERIFY_NAME).read_bytes() if (model / VERIFY_NAME).exists() else 0
    assert after == before


def test_what_cannot_be_exported_is_refused_in_one_line(model, tmp_path):
    settings = ExportSettings()
    with pytest.raises(SettingsError, match="--to wav: is no kind"):
        export(model, tmp_path / "a", to="wav", settings=settings)
    with pytest.raises(SettingsError, match="is a folder"):
        export(model, tmp_path, to="onnx", settings=settings)
    with pytest.raises(CheckpointError, match="is no model folder"):
        export(tmp_path, tmp_path / "a.onnx", to="onnx", settings=settings)
    with pytest.raises(CheckpointError, match=r"ends in \.pt"):
        export(model, tmp_path / "a.bin", to="torchscript", settings=settings)
    with pytest.raises(SettingsError, match="takes no waveform"):
        export(
            model,
            tmp_path / "a.onnx",
            to="onnx-network",
            settings=ExportSettings(rate=48_000),
        )


@pytest.mark.real
def test_the_shipped_model_exported_answers_alike_on_real_recordings(
    real_data, tmp_path
):
    from seacall.models.shipped import shipped_folder

    export(
        shipped_folder(), tmp_path / "a.pt", to="torchscript", settings=ExportSettings()
    )
    folder = real_data / "watkins" / "Northern_Right_Whale"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    # Old recordings: their bands above 5 kHz hold nothing, the hardest case.
    proof = verify(shipped_folder(), tmp_path / "a.pt", audio=folder)
    assert proof.n_recorded > 10
    assert proof.beyond == []
    assert proof.changed == []
