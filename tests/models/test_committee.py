"""A committee is the mean of its members' log scores, and tells how far they differ."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax
from scipy.stats import entropy
from sounds import noise, tone, write_wav

from seacall.config import FrontEndChoice
from seacall.detect.classify import classify, classify_recording
from seacall.errors import CheckpointError, SettingsError
from seacall.models.backend import load_classifier
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import UnknownRule, read_card, write_card
from seacall.models.committee import pooled
from seacall.models.committee_folder import plan_committee, write_committee
from seacall.models.describe import describe
from seacall.models.embedding import load_embedder
from seacall.models.network import build_network, load_network, save_model
from seacall.models.unknown import DISAGREED, disagreement, reasons_to_refuse

CALIBRATIONS = (
    {"method": "temperature", "temperature": 0.7},
    {"method": "vector", "offsets": (0.1, -0.2, 0.3, 0.0)},
    {"method": "platt", "slopes": (1, 0.9, 1.1, 1), "offsets": (0.2, 0, -0.1, 0)},
)


def write_member(folder, seed, **changes):
    """A student with random weights, without the ONNX file that takes seconds."""
    torch.manual_seed(seed)
    save_model(
        build_network("AudioTransformerStudent", 4).eval(), folder, tiny.card(**changes)
    )
    return folder


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    root = tmp_path_factory.mktemp("members")
    return [
        write_member(root / str(k), k, calibration=calibration, deployments=(f"d{k}",))
        for k, calibration in enumerate(CALIBRATIONS)
    ]


@pytest.fixture(scope="module")
def committee(members, tmp_path_factory):
    out = tmp_path_factory.mktemp("committee") / "model"
    write_committee(plan_committee(members), out)
    return out


@pytest.fixture
def changed(committee, tmp_path):
    return shutil.copytree(committee, tmp_path / "changed")


def inputs(n_clips, seed=0):
    rng = np.random.default_rng(seed)
    log_mel = rng.normal(-5, 3, (n_clips, 1, 96, 64)).astype(np.float32)
    return log_mel, rng.normal(0, 1, (n_clips, 18)).astype(np.float32)


def test_it_answers_with_the_geometric_mean_of_its_members_scores(members, committee):
    x = inputs(5)
    said = []
    for folder in members:
        one = load_classifier(folder)
        said.append(calibrated(one.logits(*x), one.card.calibration))
    expected = np.exp(np.mean(np.log(said), axis=0))
    expected /= expected.sum(axis=1, keepdims=True)
    logits = load_classifier(committee).logits(*x)
    np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=1e-6)


def test_the_batch_does_not_change_its_logits_and_none_give_none(committee):
    classifier, (x, features) = load_classifier(committee), inputs(4)
    whole = classifier.logits(x, features)
    alone = classifier.logits(x[2:3], features[2:3])
    np.testing.assert_allclose(alone, whole[2:3], atol=1e-5)
    assert classifier.logits(x[:0], features[:0]).shape == (0, 4)


logits_of_members = arrays(
    np.float32, (3, 6, 5), elements=st.floats(-8, 8, width=32, allow_nan=False)
)


@given(logits_of_members)
def test_what_the_sum_falls_short_of_is_the_mean_divergence(z):
    scores = softmax(z.astype(np.float64), axis=2)
    mean = softmax(np.log(scores).mean(axis=0), axis=1)
    expected = np.mean([entropy(mean, p, axis=1) for p in scores], axis=0)
    logits = pooled(log_softmax(z.astype(np.float64), axis=2).astype(np.float32))
    np.testing.assert_allclose(disagreement(logits), expected, atol=2e-5)


@given(logits_of_members)
def test_who_says_the_same_does_not_disagree(z):
    same = log_softmax(z[0].astype(np.float64), axis=1).astype(np.float32)
    np.testing.assert_allclose(disagreement(pooled([same] * 3)), 0, atol=1e-5)


def test_it_refuses_only_what_its_members_disagree_about():
    agree = np.log([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]])
    differ = np.log([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]])
    logits = np.stack([agree.mean(axis=0), differ.mean(axis=0)])
    rule = UnknownRule(most_disagreement=0.2)
    reasons = reasons_to_refuse(
        logits, silent=np.zeros(2, bool), event_strength=None, rule=rule
    )
    assert reasons == ["", DISAGREED]


def test_its_card_adds_up_its_members_and_pins_their_files(members, committee):
    card, cards = read_card(committee), [read_card(folder) for folder in members]
    assert card.n_parameters == sum(one.n_parameters for one in cards)
    assert card.deployments == ("d0", "d1", "d2")
    assert [member.name for member in card.members] == [one.name for one in cards]
    for k, one in enumerate(cards, start=1):
        assert (
            card.files[f"member-{k}/model.safetensors"]
            == one.files["model.safetensors"]
        )
    lines = "\n".join(describe(committee).lines())
    assert "member-3: AudioTransformerStudent" in lines


def test_a_member_that_does_not_say_what_it_heard_leaves_it_unknown(members, tmp_path):
    silent = write_member(tmp_path / "silent", 9)
    assert plan_committee([*members, silent]).card.deployments == ()


def test_members_are_models_of_their_own_inside_it(members, committee, tmp_path):
    x = inputs(2)
    own = load_classifier(committee / "member-2").logits(*x)
    np.testing.assert_array_equal(own, load_classifier(members[1]).logits(*x))


@pytest.mark.parametrize("name", ["model.safetensors", "card.json"])
def test_a_changed_member_is_noticed(changed, name):
    path = changed / "member-1" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="sha256"):
        load_classifier(changed)


def test_a_lost_member_is_noticed(changed):
    shutil.rmtree(changed / "member-2")
    with pytest.raises(CheckpointError, match="member-2"):
        load_classifier(changed)


@pytest.mark.parametrize(
    "folder", ["../member-1", "/etc", "a/b", "", "..", ".hidden", "a\n"]
)
def test_no_member_lies_outside_of_its_folder(changed, folder):
    values = json.loads((changed / "card.json").read_text(encoding="utf-8"))
    values["members"][0]["folder"] = folder
    (changed / "card.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match="folder"):
        load_classifier(changed)


def test_a_card_must_pin_its_members_cards(changed):
    values = json.loads((changed / "card.json").read_text(encoding="utf-8"))
    del values["files"]["member-1/card.json"]
    (changed / "card.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"lists no member-1/card\.json"):
        load_classifier(changed)


def test_a_committee_sits_on_no_committee(committee, members):
    with pytest.raises(CheckpointError, match="name its members instead"):
        plan_committee([committee, members[0]])


def test_a_committee_that_was_put_into_another_by_hand_is_refused(changed, committee):
    shutil.rmtree(changed / "member-1")
    shutil.copytree(committee, changed / "member-1")
    write_card(changed, read_card(changed))
    with pytest.raises(CheckpointError, match="is a committee itself"):
        load_classifier(changed)


def test_one_alone_is_no_committee_and_neither_is_one_twice(members):
    with pytest.raises(SettingsError, match="2 to 32"):
        plan_committee(members[:1])
    with pytest.raises(SettingsError, match="is the same network as"):
        plan_committee([members[0], members[0]])


def test_members_know_the_same_classes(members, tmp_path):
    labels = ("Other", *tiny.LABELS[1:])
    other = write_member(tmp_path / "other", 5, labels=labels)
    with pytest.raises(SettingsError, match="Other"):
        plan_committee([members[0], other])
    turned = (*tiny.LABELS[2::-1], tiny.LABELS[3])
    other = write_member(tmp_path / "turned", 5, labels=turned)
    with pytest.raises(SettingsError, match="their order"):
        plan_committee([members[0], other])


def test_members_hear_clips_of_one_length(members, tmp_path):
    front_end = FrontEndChoice(profile="original-16k", duration_s=2.0).front_end()
    other = write_member(tmp_path / "other", 5, front_end=front_end)
    with pytest.raises(SettingsError, match="clips of 2 s"):
        plan_committee([members[0], other])


def test_it_is_not_written_over_anything(members, tmp_path):
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="holds something"):
        write_committee(plan_committee(members), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_limit_of_disagreement_needs_members():
    with pytest.raises(ValueError, match="for a committee's members"):
        tiny.card(unknown={"most_disagreement": 0.2})


def test_it_is_no_single_network(committee):
    with pytest.raises(CheckpointError, match="committee of 3 networks"):
        load_network(committee)


@pytest.fixture(scope="module")
def mixed(members, tmp_path_factory):
    """One behind 16 kHz and 3-19 kHz, one behind the whole band of 48 kHz."""
    root = tmp_path_factory.mktemp("mixed")
    wide = FrontEndChoice(profile="wide-48k", fit="tile", duration_s=1.0).front_end()
    other = write_member(root / "wide", 7, front_end=wide)
    write_committee(plan_committee([members[0], other]), root / "model")
    return [members[0], other], root / "model"


@pytest.mark.parametrize("rate", [16_000, 48_000, 96_000])
def test_members_of_different_profiles_each_hear_through_their_own(
    mixed, rate, tmp_path
):
    y = noise(sample_rate=rate, duration_s=3.0, sigma=0.05, seed=1)
    y += tone(4_000.0, sample_rate=rate, duration_s=3.0)
    path = write_wav(tmp_path / "a.wav", y, rate)
    folders, committee = mixed
    assert read_card(committee).takes == "waveform"
    assert read_card(committee).front_end.profile.name == "wide-48k"

    def scores(folder):
        found = list(classify_recording(path, load_classifier(folder)))
        assert len(found) == 3
        return np.array([one.scores for one in found], np.float64)

    expected = np.exp(np.mean([np.log(scores(f)) for f in folders], axis=0))
    expected /= expected.sum(axis=1, keepdims=True)
    # Not to the last digit: the narrow one's filter starts anew with each clip.
    np.testing.assert_allclose(scores(committee), expected, atol=0.01)


def test_its_embeddings_are_its_members_one_behind_the_other(members, committee):
    x, embedder = inputs(3), load_embedder(committee)
    own = [load_embedder(folder).embed(*x) for folder in members]
    logits, found = embedder.both(*x)
    np.testing.assert_allclose(found, np.concatenate(own, axis=1), atol=1e-5)
    assert embedder.length == found.shape[1]
    np.testing.assert_array_equal(logits, load_classifier(committee).logits(*x))
    assert embedder.embed(x[0][:0], x[1][:0]).shape == (0, embedder.length)


def test_a_recording_is_classified_by_it(committee, tmp_path):
    y = tone(5_000.0, sample_rate=16_000, duration_s=2.0)
    path = write_wav(tmp_path / "a.wav", y, 16_000)
    found = classify(path, committee)
    assert len(found) == 2
    assert sum(found[0]["scores"].values()) == pytest.approx(1, abs=1e-5)
