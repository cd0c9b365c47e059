"""The EfficientAT teacher from training to detection, and as a teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from sounds import noise, write_wav

from seacall.augmentation import AugmentSettings
from seacall.config import DistillRun, TeacherSettings, TrainRun, checked
from seacall.data.arrays import subset
from seacall.data.manifest import read_manifest
from seacall.detect.classify import classify_recording, judge_inputs
from seacall.errors import SettingsError
from seacall.learn import runs
from seacall.learn.dataset import load_dataset
from seacall.learn.ensemble import ask_teachers, load_teachers
from seacall.learn.heard import heard_in, open_efficientat, waveforms
from seacall.learn.measure import inputs_of, measure
from seacall.learn.observe import Silent
from seacall.learn.recipes import make_recipe
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.mn04 import EfficientATTeacher, efficientat_teacher
from seacall.models.network import load_model

FRONT_END = tiny.FRONT_END.front_end()


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny.write_efficientat(tmp_path_factory.mktemp("efficientat"))


def run_of(weights: Path, **train: object) -> TrainRun:
    return TrainRun(
        network="efficientat",
        front_end=tiny.FRONT_END,
        teacher=TeacherSettings(weights=str(weights)),
        train=tiny.TWO_EPOCHS.model_copy(update=train),
    )


@pytest.fixture(scope="module")
def teacher_folder(weights, tiny_dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("efficientat") / "out"
    runs.train(run_of(weights), tiny.context(tiny_dataset, out))
    return out


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return load_dataset(tiny_dataset, FRONT_END, observer=Silent(), labels=tiny.LABELS)


def test_it_is_a_whole_model_folder_that_needs_torch(teacher_folder, weights):
    card = read_card(teacher_folder)
    assert (card.architecture, card.takes) == ("EfficientATTeacher", "waveform")
    assert card.pretrained == str(weights)
    assert card.metrics["n_recordings"] == 6
    assert card.n_multiply_adds > 1e6
    assert ONNX_NAME not in card.files
    assert (teacher_folder / "final_teacher_model.pth").is_file()


@pytest.mark.parametrize("name", ["", "final_teacher_model.pth"])
def test_it_loads_back_whole(teacher_folder, name):
    network, card = load_model(teacher_folder / name)
    assert card.takes == "waveform"
    assert int(network.sample_rate) == FRONT_END.profile.sample_rate
    assert network.classifier.weight.abs().sum().item() > 0


def test_detection_hears_what_evaluation_heard(teacher_folder, dataset):
    classifier = load_classifier(teacher_folder)
    clip = dataset.test.clips[0]
    (found,) = list(classify_recording(clip.path, classifier))[:1]
    inputs = inputs_of(dataset.test, [0], classifier.card)
    expected = judge_inputs(classifier, inputs)
    np.testing.assert_allclose(found.scores, expected.scores[0], atol=1e-5)


def test_it_is_evaluated_as_any_model(teacher_folder, dataset, tmp_path):
    evaluation = measure(teacher_folder, dataset, out=tmp_path, observer=Silent())
    kept = read_card(teacher_folder).metrics["figures"]["model"]["accuracy"]["value"]
    assert evaluation.as_dict()["figures"]["model"]["accuracy"]["value"] == kept


def test_as_a_teacher_it_answers_to_every_view(teacher_folder, tiny_dataset, tmp_path):
    augment = AugmentSettings(n_views=3)
    own = load_dataset(
        tiny_dataset,
        FRONT_END,
        observer=Silent(),
        labels=tiny.LABELS,
        augment=augment,
    )
    context = tiny.context(tiny_dataset, tmp_path)
    teachers = load_teachers([teacher_folder])
    train, val = ask_teachers(teachers, own, FRONT_END, augment, context)
    assert train.shape == (3 * 12, 4)
    assert val.shape == (6, 4)
    clip = own.train.clips[5]
    views = list(waveforms([clip], FRONT_END, augment))
    with torch.no_grad():
        alone = teachers[0].network(torch.from_numpy(np.stack(views)))
    torch.testing.assert_close(train[5::12], alone, atol=1e-4, rtol=1e-4)
    assert not torch.equal(alone[0], alone[1])


def test_what_it_heard_is_kept_and_it_does_not_listen_again(
    teacher_folder, weights, tiny_dataset, tmp_path, monkeypatch
):
    run = DistillRun(
        train=tiny.TWO_EPOCHS.model_copy(update={"augment": AugmentSettings(n_views=3)})
    )
    first = tmp_path / "first"
    runs.distill(teacher_folder, run, tiny.context(tiny_dataset, first))

    def refuse(*_args):
        raise AssertionError("it listened again")

    monkeypatch.setattr(EfficientATTeacher, "embed", refuse)
    again = tmp_path / "again"
    runs.distill(teacher_folder, run, tiny.context(tiny_dataset, again))
    state = (load_model(folder)[0].state_dict() for folder in (first, again))
    one, two = (s["classifier.1.weight"] for s in state)
    assert torch.equal(one, two)
    # Its last layer is not part of it: a teacher of other classes hears the same.
    other = efficientat_teacher(open_efficientat(str(weights))[0], 7, sample_rate=1)
    clips = read_manifest(tiny_dataset).clips[:2]
    context = tiny.context(tiny_dataset, tmp_path)
    assert heard_in(other, clips, FRONT_END, context, stage="x").shape == (2, 1792)


def test_a_student_is_distilled_from_it(teacher_folder, tiny_dataset, tmp_path):
    run = DistillRun(train=tiny.TWO_EPOCHS)
    out = tmp_path / "out"
    card = runs.distill(teacher_folder, run, tiny.context(tiny_dataset, out)).card
    assert card.teacher == read_card(teacher_folder).name
    assert card.takes == "patches"
    assert set(card.deployments) == set(read_card(teacher_folder).deployments)


def test_views_are_heard_when_prototypes_are_made(weights, tiny_dataset, tmp_path):
    found = []
    for n_views in (1, 2):
        run = run_of(weights, augment=AugmentSettings(n_views=n_views))
        out = tmp_path / f"{n_views}"
        runs.train(run, tiny.context(tiny_dataset, out))
        found.append(load_model(out)[0].classifier.weight)
    assert not torch.equal(*found)


def test_the_recipe_answers_as_the_trained_teacher(
    teacher_folder, weights, dataset, tiny_dataset, tmp_path
):
    values = {"teacher": {"weights": str(weights)}, "front_end": tiny.FRONT_END}
    found = make_recipe("efficientat", values).fit_predict(
        dataset.train,
        subset(dataset.test, np.arange(3)),
        labels=tiny.LABELS,
        seed=0,
        context=tiny.context(tiny_dataset, tmp_path),
    )
    classifier = load_classifier(teacher_folder)
    expected = judge_inputs(
        classifier, inputs_of(dataset.test, range(3), classifier.card)
    )
    np.testing.assert_allclose(found, expected.logits, atol=1e-3)


def test_without_its_weights_it_is_refused():
    with pytest.raises(SettingsError, match="give its weights"):
        checked(TrainRun, {"network": "efficientat"})
    with pytest.raises(SettingsError, match="needs published weights"):
        make_recipe("efficientat", {})


def test_clips_whose_waveform_was_not_kept_are_refused(teacher_folder, dataset):
    classifier = load_classifier(teacher_folder)
    (inputs,) = inputs_of(dataset.test, [0], classifier.card)
    without = type(inputs)(inputs.log_mel, inputs.features)
    with pytest.raises(SettingsError, match="takes waveforms"):
        judge_inputs(classifier, [without])


def test_a_long_recording_is_heard_clip_by_clip(teacher_folder, tmp_path):
    y = noise(sample_rate=tiny.RATE, duration_s=3.2, seed=3)
    path = write_wav(tmp_path / "long.wav", y, tiny.RATE)
    found = list(classify_recording(path, load_classifier(teacher_folder)))
    assert len(found) == 4
    assert all(np.isfinite(clip.scores).all() for clip in found)
