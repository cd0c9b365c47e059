"""The recipe student-distilled: what lies behind a frozen trunk, fold by fold."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from scipy.special import log_softmax, softmax

from seacall.augmentation import AugmentSettings, MaskSettings
from seacall.config import (
    DistillRun,
    DistillSettings,
    HeadDistillation,
    HeadTraining,
    StudentSettings,
    TeacherSettings,
    TrainRun,
    TrainSettings,
)
from seacall.data.arrays import subset
from seacall.errors import SettingsError
from seacall.learn import runs
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.learn.protocol import ProtocolRun, run_protocol
from seacall.learn.recipes import make_recipe
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import read_card
from seacall.models.mn04 import EfficientATTeacher
from seacall.models.network import build_network, save_model
from seacall.models.student import AudioTransformerStudent

FRONT_END = tiny.FRONT_END.front_end()
SHORT = {"epochs": 3, "min_steps": 0, "augment": {"n_views": 2}}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return tiny.write_efficientat(tmp_path_factory.mktemp("efficientat"))


@pytest.fixture(scope="module")
def trunk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trunk") / "model"
    return tiny.write_model(folder, deployments=("ice", "floe"))


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return load_dataset(tiny_dataset, FRONT_END, observer=Silent(), labels=tiny.LABELS)


def recipe(trunk, weights, **head):
    sections = {
        "student": {"start": str(trunk)},
        "teacher": {"weights": str(weights)},
        "front_end": tiny.FRONT_END.model_dump(),
        "train": {"epochs": 1, "batch_size": 4},
        "head": SHORT | head,
    }
    return make_recipe("student-distilled", sections)


def answers(recipe, dataset, out, *, seed=0, test=None) -> np.ndarray:
    out.mkdir(exist_ok=True)
    return recipe.fit_predict(
        dataset.train,
        dataset.test if test is None else test,
        labels=tiny.LABELS,
        seed=seed,
        context=tiny.context(dataset.manifest.root, out),
    )


def test_the_same_seed_gives_the_same_answers_and_another_gives_others(
    trunk, weights, dataset, tmp_path
):
    found = [
        answers(recipe(trunk, weights), dataset, tmp_path, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert found[0].shape == (6, 4)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("hears", ["views", "clip"])
def test_it_answers_as_the_commands_would_one_after_the_other(
    hears, trunk, weights, dataset, tiny_dataset, tmp_path
):
    """One epoch, so that the best is the last; what else differs is rounding."""
    once = {"epochs": 1, "mixed_precision": False, "batch_size": 4}
    teacher = TrainRun(
        network="efficientat",
        front_end=tiny.FRONT_END,
        teacher=TeacherSettings(weights=str(weights)),
    )
    runs.train(teacher, tiny.context(tiny_dataset, tmp_path / "teacher"))
    head = HeadTraining.model_validate(SHORT | once)
    run = DistillRun(
        student=StudentSettings(start=str(trunk), trunk="frozen"),
        distill=DistillSettings(alpha=1.0, distill_temperature=1.0),
        hears=hears,
        train=TrainSettings.model_validate(head.model_dump()),
    )
    context = tiny.context(tiny_dataset, tmp_path / "student")
    runs.distill(tmp_path / "teacher", run, context)
    student = load_classifier(tmp_path / "student")
    expected = student.logits(dataset.test.log_mel, dataset.test.features)
    own = recipe(trunk, weights, **once)
    own = own.model_copy(update={"head_distill": HeadDistillation(hears=hears)})
    found = answers(own, dataset, tmp_path / "fold")
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_teacher_that_hears_the_clip_alone_is_asked_once_a_clip(
    trunk, weights, dataset, tmp_path, monkeypatch
):
    heard = []
    embed = EfficientATTeacher.embed

    def counted(self, waveform):
        heard.append(len(waveform))
        return embed(self, waveform)

    monkeypatch.setattr(EfficientATTeacher, "embed", counted)
    data = shutil.copytree(dataset.manifest.root, tmp_path / "data")
    shutil.rmtree(data / ".seacall-cache" / "heard", ignore_errors=True)
    own = recipe(trunk, weights)
    own = own.model_copy(update={"head_distill": HeadDistillation(hears="clip")})
    context = tiny.context(data, tmp_path)
    apart = {"labels": tiny.LABELS, "seed": 0, "context": context}
    found = own.fit_predict(dataset.train, dataset.test, **apart)
    assert sum(heard) == len(dataset.train.clips) + len(dataset.test.clips)
    assert not np.allclose(found, answers(recipe(trunk, weights), dataset, tmp_path))


def test_given_time_it_answers_what_its_teacher_does(trunk, weights, dataset, tmp_path):
    teacher = make_recipe(
        "efficientat",
        {"teacher": {"weights": str(weights)}, "front_end": tiny.FRONT_END},
    )
    quiet = {"augment": {"n_views": 1}, "learning_rate": 0.01, "weight_decay": 0.0}

    def apart(epochs: int) -> float:
        """Divergence of the student from its teacher on what it was trained on."""
        named = recipe(trunk, weights, **quiet, epochs=epochs)
        mine = answers(named, dataset, tmp_path, test=dataset.train)
        theirs = answers(teacher, dataset, tmp_path, test=dataset.train)
        p = softmax(theirs, axis=1)
        log_p, log_q = log_softmax(theirs, axis=1), log_softmax(mine, axis=1)
        return float((p * (log_p - log_q)).sum(axis=1).mean())

    assert apart(60) < 0.3 * apart(1)


def test_clips_held_out_teach_nothing(trunk, weights, dataset, tmp_path):
    rows = np.arange(2)
    alone = answers(
        recipe(trunk, weights), dataset, tmp_path, test=subset(dataset.test, rows)
    )
    together = answers(recipe(trunk, weights), dataset, tmp_path)
    np.testing.assert_allclose(alone, together[:2], atol=1e-5)


def test_trunk_and_teacher_are_asked_once_in_all_folds_and_seeds(
    tiny_dataset, trunk, weights, tmp_path, monkeypatch
):
    pooled, heard = [], []
    pool, embed = AudioTransformerStudent.pool, EfficientATTeacher.embed

    def counted_pool(self, log_mel):
        pooled.append(len(log_mel))
        return pool(self, log_mel)

    def counted_embed(self, waveform):
        heard.append(len(waveform))
        return embed(self, waveform)

    monkeypatch.setattr(AudioTransformerStudent, "pool", counted_pool)
    monkeypatch.setattr(EfficientATTeacher, "embed", counted_embed)
    data = shutil.copytree(tiny_dataset, tmp_path / "data")
    shutil.rmtree(data / ".seacall-cache" / "heard", ignore_errors=True)
    settings = ProtocolRun(
        recipes=("student-distilled", "efficientat"),
        protocols=("deployments", "folds"),
        n_folds=2,
        n_seeds=2,
        n_resamples=100,
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(trunk)),
        teacher=TeacherSettings(weights=str(weights)),
        head=HeadTraining(**SHORT),
    )
    report = run_protocol(settings, tiny.context(data, tmp_path / "out"))
    assert sum(pooled) == 2 * 24
    assert sum(heard) == 2 * 24
    assert {"student-distilled", "efficientat"} < set(report.results[0].systems)
    assert report.results[0].heard == ()


def test_another_trunk_or_teacher_makes_other_folds(trunk, weights, tmp_path):
    first = recipe(trunk, weights).fingerprint()
    moved = shutil.copytree(trunk, tmp_path / "moved")
    copied = shutil.copyfile(weights, tmp_path / "weights.safetensors")
    assert recipe(moved, copied).fingerprint() == first
    assert recipe(trunk, weights, epochs=4).fingerprint() != first
    torch.manual_seed(1)
    network = build_network("AudioTransformerStudent", len(tiny.LABELS))
    save_model(network, moved, tiny.card())
    assert recipe(moved, weights).fingerprint() != first
    copied.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert recipe(trunk, copied).fingerprint() != first


def test_it_names_what_it_started_from(trunk, weights):
    assert recipe(trunk, weights).started_from() == (read_card(trunk),)


@pytest.mark.parametrize("missing", ["student", "teacher"])
def test_without_a_trunk_or_a_teacher_it_is_refused(missing):
    given = {"student": {"start": "trunk"}, "teacher": {"weights": "w"}}
    del given[missing]
    with pytest.raises(SettingsError, match="needs a trunk and a teacher"):
        make_recipe("student-distilled", given)


def test_patches_that_change_in_each_batch_are_refused(trunk, weights):
    augment = AugmentSettings(mask=MaskSettings(probability=0.5))
    with pytest.raises(SettingsError, match=r"head\.augment\.mask\.probability"):
        recipe(trunk, weights, augment=augment)
