"""The one inference path against the same steps by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from sounds import chirp, noise, silence, tone, write_wav

from seacall.audio.clips import recording_clips
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.config import ClipSettings
from seacall.detect.classify import (
    ClipScores,
    classify,
    classify_recording,
    judge_inputs,
    score_inputs,
)
from seacall.errors import AudioError
from seacall.events import Clip
from seacall.models.backend import OnnxClassifier, TorchClassifier, load_classifier
from seacall.models.checkpoint import UnknownRule
from seacall.models.network import load_network
from seacall.models.tensors import process_audio_file
from seacall.models.unknown import knownness

RATE = 16_000


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return load_classifier(tiny_model)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """7.3 s of changing sound: seven whole clips of 1 s and a rest."""
    y = noise(sample_rate=RATE, duration_s=7.3, sigma=0.02)
    y += chirp(500, 7_000, sample_rate=RATE, duration_s=7.3, amplitude=0.4)
    return write_wav(tmp_path_factory.mktemp("r") / "r.wav", y, RATE)


def scores(found: list[ClipScores]) -> np.ndarray:
    return np.stack([one.scores for one in found])


def test_clips_lie_end_to_end_and_the_rest_is_a_clip_too(recording, classifier):
    found = list(classify_recording(recording, classifier))
    assert [one.clip.start_s for one in found] == list(range(8))
    assert all(one.clip.end_s == one.clip.start_s + 1 for one in found)
    assert all(one.clip.path == recording for one in found)


def test_scores_sum_to_1(recording, classifier):
    found = scores(list(classify_recording(recording, classifier)))
    assert found.shape == (8, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 8, 100])
def test_the_batch_size_changes_no_score(recording, classifier, batch_size):
    found = classify_recording(recording, classifier, batch_size=batch_size)
    usual = classify_recording(recording, classifier)
    np.testing.assert_allclose(scores(list(found)), scores(list(usual)), atol=1e-5)


def test_both_engines_give_the_same_scores(recording, tiny_model):
    found = [
        scores(list(classify_recording(recording, engine(tiny_model))))
        for engine in (OnnxClassifier, TorchClassifier)
    ]
    np.testing.assert_allclose(*found, atol=1e-5)


def test_the_first_clip_is_process_audio_file_and_the_network_by_hand(
    recording, classifier, tiny_model
):
    card = classifier.card
    mel_spec, features = process_audio_file(recording, card.front_end)
    with torch.inference_mode():
        logits = load_network(tiny_model).eval()(mel_spec, features)
    expected = torch.softmax(logits / card.calibration.temperature, dim=1)[0]
    found = next(classify_recording(recording, classifier)).scores
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_whole_short_recording_is_its_samples_by_hand(tmp_path, classifier):
    y = tone(4_000, sample_rate=RATE, duration_s=0.4)
    path = write_wav(tmp_path / "short.wav", y, RATE, subtype="FLOAT")
    front_end = classifier.card.front_end
    clip = condition_array(y.astype(np.float32), sample_rate=RATE, settings=front_end)
    expected = score_inputs(classifier, [clip_inputs(clip, front_end)])
    found = scores(list(classify_recording(path, classifier)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_overlapping_clips_start_at_multiples_of_the_hop(recording, classifier):
    found = list(classify_recording(recording, classifier, hop_s=0.5))
    starts = [one.clip.start_s for one in found]
    assert starts == pytest.approx(np.arange(len(starts)) * 0.5)
    assert starts[-1] + 1 >= 7.3
    whole = scores(list(classify_recording(recording, classifier)))[:7]
    np.testing.assert_allclose(scores(found)[0:14:2], whole, atol=1e-5)


@pytest.mark.parametrize("hop_s", [1.5, 2.0, 3.0, 6.9])
def test_clips_with_gaps_are_those_of_the_recording_at_their_starts(
    recording, classifier, hop_s
):
    found = list(classify_recording(recording, classifier, hop_s=hop_s))
    starts = [one.clip.start_s for one in found]
    assert starts == pytest.approx(np.arange(0, 7.3, hop_s))
    dense = list(classify_recording(recording, classifier, hop_s=0.1))
    at = {round(one.clip.start_s, 3): one.scores for one in dense}
    for one in found:
        if one.clip.end_s <= 7.3:
            expected = at[round(one.clip.start_s, 3)]
            np.testing.assert_allclose(one.scores, expected, atol=1e-5)


def test_a_hop_beyond_the_end_gives_the_first_clip_alone(recording, classifier):
    assert len(list(classify_recording(recording, classifier, hop_s=100.0))) == 1


@pytest.mark.parametrize("n", [1, 2, 100, RATE - 1, RATE, RATE + 1, RATE + 1_700])
def test_any_length_gives_finite_scores(tmp_path, classifier, n):
    path = write_wav(tmp_path / "n.wav", noise(duration_s=1.2)[:n], RATE)
    found = list(classify_recording(path, classifier))
    assert len(found) == (2 if n >= 1.1 * RATE else 1)  # a new tail needs 0.1 s
    assert np.isfinite(scores(found)).all()


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_is_scored_like_any_sound(tmp_path, classifier, level):
    y = silence(sample_rate=RATE, duration_s=2.5) + level
    found = list(classify_recording(write_wav(tmp_path / "s.wav", y, RATE), classifier))
    assert len(found) == 3
    assert np.isfinite(scores(found)).all()


def test_clips_before_damage_are_given_and_then_the_error(tmp_path, classifier):
    y = noise(sample_rate=RATE, duration_s=10.0)
    y[int(8.5 * RATE)] = np.nan
    path = write_wav(tmp_path / "nan.wav", y, RATE, subtype="FLOAT")
    found: list[ClipScores] = []

    def collect() -> None:
        for one in classify_recording(path, classifier, batch_size=1):
            found.append(one)

    with pytest.raises(AudioError, match=f"sample {int(8.5 * RATE)} is not a finite"):
        collect()
    assert [one.clip.start_s for one in found] == list(range(len(found)))
    assert len(found) >= 4


def test_no_more_is_read_than_is_asked_for(tmp_path, classifier, monkeypatch):
    path = write_wav(tmp_path / "long.wav", noise(duration_s=60.0), 48_000)
    from seacall.audio import io

    read, blocks = io.read_blocks, []

    def counting(*args, **kwargs):
        for block in read(*args, **kwargs):
            blocks.append(len(block))
            yield block

    monkeypatch.setattr(io, "read_blocks", counting)
    next(classify_recording(path, classifier, batch_size=2))
    assert sum(blocks) < 5 * 48_000


@pytest.mark.parametrize(
    ("best", "answer"),
    [(0.71, "Béluga blanc"), (0.7, "Béluga blanc"), (0.69, "unknown")],
)
def test_below_the_threshold_the_answer_is_unknown(best, answer):
    rest = (1 - best) / 3
    found = ClipScores(
        clip=Clip(path=None, start_s=0.0, end_s=1.0),
        scores=np.array([best, rest, rest, rest]),
    )
    assert found.answer(tiny.card()) == (answer, pytest.approx(best))


def test_the_card_says_how_clips_are_cut(recording, tmp_path):
    front_end = tiny.FRONT_END.front_end()
    longer = front_end.model_copy(update={"clip": ClipSettings(duration_s=3.0)})
    folder = tmp_path / "model"
    from seacall.models.network import save_model

    save_model(tiny.network(), folder, tiny.card(front_end=longer))
    found = list(classify_recording(recording, load_classifier(folder)))
    assert [one.clip.start_s for one in found] == [0, 3, 6]


# ------------------------------------------------------------------ what is unknown


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_is_unknown_with_a_reason_and_never_a_species(
    tmp_path, classifier, level
):
    y = silence(sample_rate=RATE, duration_s=2.0) + level
    path = write_wav(tmp_path / "s.wav", y, RATE)
    for found in classify_recording(path, classifier):
        assert found.answer(classifier.card) == ("unknown", 1.0)
        assert found.fallback(classifier.card) == "unknown"
        assert found.reason(classifier.card) == "silence"


def test_a_refused_clip_in_a_batch_leaves_the_others_as_they_are(recording, tiny_model):
    classifier = load_classifier(tiny_model)
    usual = scores(list(classify_recording(recording, classifier)))
    logits = knownness(logits_of(recording, classifier), "max_logit")
    lowest = float(np.median(logits))
    rule = UnknownRule(method="max_logit", lowest=lowest)
    classifier.card = classifier.card.model_copy(update={"unknown": rule})
    found = scores(list(classify_recording(recording, classifier)))
    refused = logits < lowest
    assert 0 < refused.sum() < len(refused)
    np.testing.assert_array_equal(found[~refused], usual[~refused])
    np.testing.assert_array_equal(found[refused], [[0, 0, 0, 1]] * refused.sum())


def logits_of(recording, classifier):
    front_end = classifier.card.front_end
    clips = [
        clip_inputs(y, front_end) for _, y in recording_clips(recording, front_end)
    ]
    return judge_inputs(classifier, clips).logits


DOLPHINS = ("Common Dolphin", "Striped Dolphin", "Sperm Whale", "unknown")


@pytest.mark.parametrize(
    ("row", "answer", "fallback", "reason"),
    [
        ((0.8, 0.1, 0.1, 0.0), "Common Dolphin", "Common Dolphin", ""),
        ((0.5, 0.4, 0.0, 0.1), "unknown", "dolphin, species uncertain", "0.70"),
        ((0.3, 0.3, 0.3, 0.1), "unknown", "toothed whale, family uncertain", "0.70"),
        ((0.1, 0.1, 0.2, 0.6), "unknown", "unknown", "sounds most like unknown"),
    ],
)
def test_a_clip_without_an_answer_falls_back_to_what_is_sure(
    row, answer, fallback, reason
):
    card = tiny.card(labels=DOLPHINS)
    found = ClipScores(Clip(path=None, start_s=0.0, end_s=1.0), np.array(row))
    values = found.as_dict(card)
    assert values["answer"] == answer
    assert values["fallback"] == fallback
    assert reason in values["reason"]
    assert bool(values["reason"]) is (answer == "unknown")


def test_a_species_with_a_threshold_of_its_own_is_answered_by_that():
    card = tiny.card(labels=DOLPHINS, thresholds={"Common Dolphin": 0.95})
    found = ClipScores(
        Clip(path=None, start_s=0.0, end_s=1.0), np.array([0.9, 0.1, 0.0, 0.0])
    )
    assert found.answer(card)[0] == "unknown"
    assert found.fallback(card) == "dolphin, species uncertain"
    assert found.reason(card) == "Common Dolphin needs a score of 0.95"


def test_classify_gives_what_the_table_holds(recording, tiny_model, classifier):
    found = classify(recording, tiny_model)
    expected = classify_recording(recording, classifier)
    assert found == [one.as_dict(classifier.card) for one in expected]
    assert len(classify(str(recording), str(tiny_model), hop_s=0.5)) > len(found)


def test_without_a_model_that_of_the_package_is_taken(tmp_path):
    path = write_wav(tmp_path / "n.wav", noise(duration_s=6.0))
    found = classify(path)
    assert len(found) == 2
    assert list(found[0]["scores"]) == list(load_classifier().card.labels)
