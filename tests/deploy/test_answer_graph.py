"""The answer that an exported graph gives is the one that the model gives."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from pamguard_models import LABELS, PROFILE, RULE, small_card

from seacall.deploy.answer_graph import ScoresAndAnswer
from seacall.deploy.exported import ExportSettings
from seacall.deploy.kinds import export
from seacall.deploy.verify import verify
from seacall.models.backend import load_classifier, scores_from_logits
from seacall.models.checkpoint import Calibration, UnknownRule
from seacall.models.decide import answers_at
from seacall.models.unknown import refusals, refuse

RULES = {
    "none": UnknownRule(method="none"),
    "energy": UnknownRule(method="energy", lowest=1.0),
    "not_unknown": UnknownRule(method="not_unknown", lowest=0.3),
    "combined": RULE,
}
CALIBRATIONS = {
    "none": Calibration(),
    "temperature": Calibration(method="temperature", temperature=0.5),
    "platt": small_card().calibration,
}


def clips(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and log-mel of silence, steady noise, and events of any strength."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (n, len(LABELS))).astype(np.float32)
    n_patches = small_card().front_end.n_patches
    shape = (n, n_patches, PROFILE.n_frames, PROFILE.n_mels)
    log_mel = rng.normal(-6, 0.4, shape).astype(np.float32)
    log_mel[::5] = -9.0
    for k in range(1, n, 3):
        log_mel[k, 0, 20:50, 10:14] += 0.2 * k
    return logits, log_mel


def model_answers(logits, log_mel, card) -> list[str]:
    scores = refuse(scores_from_logits(logits, card), refusals(logits, log_mel, card))
    found = answers_at(scores, card.lowest_scores)
    return [(*card.labels, "unknown")[k] for k in found]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_every_rule_and_calibration_gives_the_models_answers(rule, calibration):
    card = small_card(unknown=RULES[rule], calibration=CALIBRATIONS[calibration])
    logits, log_mel = clips(60)
    with torch.inference_mode():
        network = ScoresAndAnswer(card).eval()
        scores, answer = network(torch.from_numpy(logits), torch.from_numpy(log_mel))
    expected = model_answers(logits, log_mel, card)
    assert [card.labels[k] for k in answer.tolist()] == expected
    assert len(set(expected)) > 1
    np.testing.assert_allclose(
        scores.numpy(), scores_from_logits(logits, card), atol=1e-6
    )


def test_a_class_that_is_never_answered_is_not():
    card = small_card(unknown=RULES["none"], calibration=CALIBRATIONS["none"])
    never = LABELS.index("Béluga")
    assert card.lowest_scores[never] == 1.0
    logits = np.full((1, len(LABELS)), -200, np.float32)
    logits[0, never] = 200
    log_mel = clips(2)[1][1:]
    _, answer = ScoresAndAnswer(card)(
        torch.from_numpy(logits), torch.from_numpy(log_mel)
    )
    assert answer.tolist() == [len(LABELS) - 1]


def test_a_file_says_the_answer_itself(model, waveform_file):
    session = onnxruntime.InferenceSession(
        str(waveform_file), providers=["CPUExecutionProvider"]
    )
    card = load_classifier(model).card
    y = np.zeros((3, card.front_end.clip_length), np.float32)
    y[1:] = np.random.default_rng(0).normal(0, 0.1, y[1:].shape)
    answer, logits, log_mel = session.run(
        ["answer", "logits", "log_mel"], {"waveform": y}
    )
    assert answer.dtype == np.int64
    assert answer[0] == len(card.labels) - 1  # silence
    assert [card.labels[k] for k in answer] == model_answers(logits, log_mel, card)


def test_a_file_that_answers_otherwise_is_found(model, waveform_file, tmp_path):
    graph = onnx.load(waveform_file)
    expected = load_classifier(model).card.lowest_scores
    (lowest,) = [
        i
        for i in graph.graph.initializer
        if i.name.startswith("answer/")
        and list(i.dims) == [len(expected)]
        and np.allclose(onnx.numpy_helper.to_array(i).astype(float), expected)
    ]
    values = onnx.numpy_helper.to_array(lowest) * 0 + np.float32(0.999)
    lowest.CopyFrom(onnx.numpy_helper.from_array(values, lowest.name))
    wrong = tmp_path / "wrong.onnx"
    onnx.save(graph, wrong)
    proof = verify(model, wrong)
    assert any("decisions changed" in sentence for sentence in proof.beyond)


def test_the_answer_adds_little(waveform_file):
    graph = onnx.load(waveform_file).graph
    own = [i for i in graph.initializer if i.name.startswith("answer/")]
    assert sum(len(i.raw_data) for i in own) < 2_000


def test_a_rule_that_looks_for_events_adds_little_too(tmp_path):
    from pamguard_models import write_model

    model = write_model(tmp_path / "model")
    out = tmp_path / "a.onnx"
    result = export(model, out, to="onnx", settings=ExportSettings())
    assert result.report["proved"]
    own = [i for i in onnx.load(out).graph.initializer if i.name.startswith("answer/")]
    assert sum(len(i.raw_data) for i in own) < 5_000
