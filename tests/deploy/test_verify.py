"""Verify finds what was changed in a file, and lets through what was not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny
from onnx import numpy_helper
from sounds import noise, tone, write_wav

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.proof import Tolerance
from seacall.deploy.proof_sounds import synthetic_sounds
from seacall.deploy.rounding import exact_inputs
from seacall.deploy.sides import open_side
from seacall.deploy.verify import compare, verify
from seacall.errors import AudioError, CheckpointError, SettingsError
from seacall.models.checkpoint import read_card, write_card
from seacall.models.file_card import CARD_KEY


def tampered(
    source: Path, out: Path, change: Callable[[onnx.ModelProto], None]
) -> Path:
    graph = onnx.load(source)
    change(graph)
    onnx.save(graph, out)
    return out


def scaled(name: str, factor: float) -> Callable[[onnx.ModelProto], None]:
    """Change one constant, by the end of its name."""

    def change(model: onnx.ModelProto) -> None:
        (found,) = [i for i in model.graph.initializer if i.name.endswith(name)]
        values = numpy_helper.to_array(found) * np.array(factor)
        values = values.astype(numpy_helper.to_array(found).dtype)
        found.CopyFrom(numpy_helper.from_array(values, found.name))

    return change


def with_card(**changes: object) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        (entry,) = [p for p in model.metadata_props if p.key == CARD_KEY]
        entry.value = json.dumps(json.loads(entry.value) | changes)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (scaled("classifier.1.weight", 1.001), "logits differ"),
        (scaled("log_mel.bands.gains", 1.01), "logits differ"),
        (scaled("log_mel.spectra.window", 0.99), "logits differ"),
        (scaled("features.bands.gains", 1.05), "logits differ"),
        (scaled("calibrated.slopes", 1.1), "scores differ"),
        (with_card(thresholds={}), "thresholds differ"),
        (with_card(unknown={"method": "none", "lowest_event_db": 9}), "rules for unkn"),
    ],
    ids=["weights", "mel", "window", "features", "calibration", "thresholds", "rule"],
)
def test_what_was_changed_in_a_file_is_found(
    model, waveform_file, tmp_path, change, said
):
    wrong = tampered(waveform_file, tmp_path / "wrong.onnx", change)
    proof = verify(model, wrong)
    assert any(said in sentence for sentence in proof.beyond), proof.summary
    assert "does not answer as" in proof.summary


def test_a_file_that_is_not_changed_is_proved(model, waveform_file, native_file):
    for file in (waveform_file, native_file):
        proof = verify(model, file)
        assert proof.beyond == []
        assert proof.changed == []
        assert set(proof.differences) == {
            "features",
            "log_mel",
            "logits",
            "scores",
            "rounding",
        }
        assert proof.n_clips == proof.n_synthetic > 20


def test_a_model_is_no_further_from_itself_than_nothing(model):
    proof = verify(model, model)
    assert proof.differences["logits"].largest == 0.0


def test_two_files_are_compared_without_a_folder(waveform_file, torchscript_file):
    assert verify(waveform_file, torchscript_file).beyond == []


def test_files_of_different_rates_cannot_be_compared(native_file, tmp_path):
    from seacall.models.file_card import FILE_KEY

    def change(model: onnx.ModelProto) -> None:
        (entry,) = [p for p in model.metadata_props if p.key == FILE_KEY]
        entry.value = json.dumps(json.loads(entry.value) | {"rate": 48_000})

    other = tampered(native_file, tmp_path / "other.onnx", change)
    with pytest.raises(SettingsError, match="takes 24000 Hz and"):
        verify(native_file, other)


def test_models_with_other_classes_cannot_be_compared(model, tmp_path):
    other = tiny.write_model(tmp_path / "other", labels=("A", "B", "C", "unknown"))
    with pytest.raises(CheckpointError, match="different classes"):
        verify(model, other)


def test_recordings_in_folders_named_like_classes_count_for_macro_f1(
    model, torchscript_file, tmp_path
):
    for label in tiny.LABELS[:2]:
        y = tone(tiny.PITCH_HZ[label], sample_rate=tiny.RATE, duration_s=0.8)
        y = y + noise(sample_rate=tiny.RATE, duration_s=0.8, sigma=0.01)
        write_wav(tmp_path / label / "a.wav", y, tiny.RATE)
    write_wav(tmp_path / "elsewhere" / "b.wav", y, tiny.RATE)
    proof = verify(model, torchscript_file, audio=tmp_path)
    assert (proof.n_recorded, proof.n_labelled) == (3, 2)
    assert proof.f1 is not None
    assert proof.f1[0] == proof.f1[1]
    assert proof.as_dict()["macro_f1"] == proof.f1


def test_a_folder_without_recordings_is_refused(model, tmp_path):
    with pytest.raises(AudioError):
        verify(model, model, audio=tmp_path)


class Coarser:
    """A side whose network is quantised: some logits are another's."""

    def __init__(self, side, n_wrong: int) -> None:
        self._side, self._left = side, n_wrong
        self.name, self.card = "int8", side.card
        self.file = side.file.model_copy(update={"precision": "int8"})

    def answers(self, clips):
        from dataclasses import replace

        found = self._side.answers(clips)
        if self._left <= 0:
            return replace(found, logits=found.logits + 0.01)
        self._left -= 1
        k = len(self.card.labels)
        turned = np.roll(np.eye(k, dtype=np.float32)[:1] * 9, self._left % (k - 1))
        scores = np.abs(np.sign(turned))
        return replace(found, logits=turned, scores=scores)

    def network(self, log_mel, features):
        return None


def test_int8_may_differ_in_logits_but_not_in_decisions(model):
    side = open_side(model)
    assert compare(side, Coarser(side, 0)).beyond == []
    proof = compare(side, Coarser(side, 20))
    assert proof.precision == "int8"
    assert any("decisions changed" in sentence for sentence in proof.beyond)


def test_a_tolerance_of_ones_own_is_kept_to(model):
    side = open_side(model)
    strict = Tolerance(logits=1e-3, roundings=0)
    proof = compare(side, Coarser(side, 0), tolerance=strict)
    assert any("logits differ by 1.0e-02" in sentence for sentence in proof.beyond)


def test_nan_is_no_answer(model):
    from dataclasses import replace

    class Broken(Coarser):
        def answers(self, clips):
            found = self._side.answers(clips)
            return replace(found, logits=found.logits * np.nan)

    side = open_side(model)
    broken = Broken(side, 0)
    broken.file = side.file
    proof = compare(side, broken)
    assert proof.differences["logits"].largest == np.inf
    assert any("logits differ by inf" in sentence for sentence in proof.beyond)


def test_synthetic_sounds_are_the_same_each_time_and_fit():
    first = list(synthetic_sounds(rate=16_000, duration_s=1.0))
    again = list(synthetic_sounds(rate=16_000, duration_s=1.0))
    assert len({sound.name for sound in first}) == len(first)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.y, other.y)
        assert one.y.shape == (16_000,)
        assert np.abs(one.y).max() <= 1.0
    by_name = {sound.name: sound.y for sound in first}
    assert not by_name["silence"].any()
    assert (np.abs(by_name["clipped"]) > 0.999).mean() > 0.3


@pytest.mark.parametrize("rate", [None, 24_000])
def test_exact_inputs_are_those_of_the_front_end_to_rounding(rate):
    front_end = tiny.FRONT_END.front_end()
    y = noise(sample_rate=rate or 16_000, duration_s=1.0).astype(np.float32)
    clip = y
    if rate:
        clip = condition_array(y, sample_rate=rate, settings=front_end)
    expected = clip_inputs(clip, front_end)
    log_mel, features = exact_inputs(y, rate=rate, settings=front_end)
    np.testing.assert_allclose(log_mel, expected.log_mel, atol=2e-3)
    np.testing.assert_allclose(features, expected.features, rtol=1e-3, atol=1e-2)


def test_what_is_no_model_is_refused_in_one_line(model, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    (tmp_path / "a.pt").write_bytes(b"no module")
    (tmp_path / "a.txt").write_text("no model")
    for name, said in {
        "a.onnx": "cannot load it",
        "a.pt": "cannot load it",
        "a.txt": "cannot be run",
        "none.onnx": "does not exist",
    }.items():
        with pytest.raises(CheckpointError, match=said) as caught:
            verify(model, tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_card_that_was_calibrated_anew_is_another_model(model, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(model, other)
    card = read_card(other)
    write_card(other, card.model_copy(update={"threshold": 0.9}))
    assert "their thresholds differ" in verify(model, other).beyond
