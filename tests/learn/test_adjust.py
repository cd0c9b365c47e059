"""A model folder with new calibration, thresholds and limits, its weights untouched."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from scipy.special import softmax

from seacall.detect.classify import classify
from seacall.errors import SettingsError
from seacall.learn.adjust import adjust, known_only, unknown_lines, write_adjusted
from seacall.learn.adjust_report import FIGURES_NAME, REPORT_NAME, write_adjust_report
from seacall.learn.held_out import HeldOut
from seacall.learn.unknown import Heard
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.decide import answers_at

LABELS = tiny.LABELS


def held_out(n: int = 2_000, sharpness: float = 3.0) -> HeldOut:
    """Clips whose logits are ``sharpness`` times too far apart."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, len(LABELS)))
    draws = rng.random((n, 1))
    targets = (softmax(logits, axis=1).cumsum(axis=1) < draws).sum(axis=1).clip(0, 3)
    deployments = tuple(f"d{k % 9}" for k in range(n))
    return HeldOut(LABELS, sharpness * logits, targets, deployments)


def strange(n: int = 100) -> Heard:
    return Heard(np.zeros((n, 4)), event_strength=np.ones(n), silent=np.zeros(n, bool))


def test_scores_become_honest_and_thresholds_keep_their_promise():
    table = held_out()
    found = adjust(tiny.card(), table, precision=0.8)
    card = found.card
    assert card.calibration.error_after < 0.03 < card.calibration.error_before
    assert card.target_precision == 0.8
    assert set(card.thresholds) == set(LABELS[:-1])
    answers = answers_at(found.fitted.scores, card.lowest_scores)
    for k in range(3):
        mine = answers == k
        assert (table.targets[mine] == k).mean() >= 0.8
        assert mine.sum() > 50


def test_without_an_aim_thresholds_stay_as_they_are():
    card = adjust(tiny.card(threshold=0.55), held_out(300)).card
    assert card.threshold == 0.55
    assert card.thresholds == {}
    assert card.target_precision is None


def test_a_kind_of_calibration_can_be_asked_for():
    assert adjust(tiny.card(), held_out(300), method="platt").card.calibration.slopes


def test_one_deployment_is_said_plainly():
    table = held_out(300)
    alone = HeldOut(LABELS, table.logits, table.targets, ("d",) * 300)
    found = adjust(tiny.card(), alone)
    assert any("one deployment" in remark for remark in found.remarks)
    assert "not measured" in " ".join(found.lines())


def test_limits_for_the_unknown_are_set_measured_and_kept_in_the_card():
    table = held_out(400)
    n = len(table.targets)
    heard = Heard(table.logits, np.full(n, 8.0), np.zeros(n, bool))
    found = adjust(tiny.card(), table, heard=heard, unknown_by_kind={"rain": strange()})
    rule = found.card.unknown
    assert rule.lowest_event_db == 8.0
    assert rule.measured["kinds"]["rain"]["share_unknown"] == 1.0
    assert rule.measured["kinds"]["rain"]["auroc"] > 0.5
    assert found.kinds["rain"]["event_strength"]["auroc"] == 1.0
    text = "\n".join(found.lines())
    assert "AUROC against" in text
    assert "rain" in text
    assert unknown_lines({}) == []


def test_logits_from_a_file_set_no_spectral_gate():
    found = adjust(tiny.card(), held_out(300), unknown_by_kind={"rain": strange()})
    assert found.card.unknown.lowest_event_db is None
    assert "event_strength" not in found.kinds["rain"]


def test_clips_of_unknown_are_no_known_ones():
    table = held_out(300)
    known, right = known_only(table, None)
    n = int((table.targets < 3).sum())
    assert len(known.logits) == len(right) == n
    best = table.logits[table.targets < 3][:, :3].argmax(axis=1)
    np.testing.assert_array_equal(right, best == table.targets[table.targets < 3])


def test_the_new_folder_runs_with_the_new_card_and_the_same_weights(
    tiny_model, tmp_path
):
    from sounds import noise, write_wav

    found = adjust(load_classifier(tiny_model).card, held_out(), precision=0.8)
    write_adjusted(tiny_model, found.card, tmp_path / "new")
    write_adjust_report(found, tmp_path / "new", title="Calibration of <model>")
    assert read_card(tmp_path / "new") == found.card
    old, new = (Path(f) / ONNX_NAME for f in (tiny_model, tmp_path / "new"))
    assert old.read_bytes() == new.read_bytes()
    path = write_wav(tmp_path / "a.wav", noise(sample_rate=16_000), 16_000)
    first, second = classify(path, tiny_model), classify(path, tmp_path / "new")
    assert first[0]["scores"] != second[0]["scores"]
    page = (tmp_path / "new" / REPORT_NAME).read_text("utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert "Calibration of &lt;model&gt;" in page
    for label in LABELS[:-1]:
        assert label in page
    assert (tmp_path / "new" / FIGURES_NAME).is_file()


def test_neither_the_model_itself_nor_another_is_written_over(tiny_model, tmp_path):
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    card = read_card(model)
    with pytest.raises(SettingsError, match="is the model itself"):
        write_adjusted(model, card, tmp_path / "." / "model")
    from seacall.models.network import save_model

    save_model(tiny.network(), tmp_path / "other", tiny.card())
    with pytest.raises(SettingsError, match="holds another model"):
        write_adjusted(model, card, tmp_path / "other")
    write_adjusted(model, card, tmp_path / "new")
    write_adjusted(model, card, tmp_path / "new")
