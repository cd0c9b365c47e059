"""What a fold trains takes all that a run can: views, balance, mean weights."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny
import torch

from seacall.config import StudentSettings, TrainRun
from seacall.data.cache import CACHE_FOLDER
from seacall.data.manifest import read_manifest
from seacall.errors import SettingsError
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.learn.protocol import ProtocolRun, run_protocol
from seacall.learn.protocol_words import lines
from seacall.learn.recipes import make_recipe
from seacall.learn.runs import train
from seacall.learn.state import CHECKPOINT_NAME, last_weights
from seacall.learn.student import Trunk
from seacall.models.backend import load_classifier
from seacall.models.network import build_network, save_model
from seacall.models.weights import read_pth

VARIED = {
    "epochs": 1,
    "batch_size": 4,
    "balance": "deployment",
    "ema_decay": 0.9,
    "augment": {"n_views": 2, "mixup": {"probability": 0.5}},
}


def answers(name: str, data, out, train: dict, **sections) -> np.ndarray:
    out.mkdir()
    front_end = tiny.FRONT_END.model_dump()
    recipe = make_recipe(name, {"front_end": front_end, "train": train, **sections})
    dataset = load_dataset(
        data, tiny.FRONT_END.front_end(), observer=Silent(), labels=tiny.LABELS
    )
    return recipe.fit_predict(
        dataset.train,
        dataset.test,
        labels=tiny.LABELS,
        seed=0,
        context=tiny.context(data, out),
    )


@pytest.mark.parametrize("name", ["student", "teacher", "distilled"])
def test_every_recipe_trains_on_views_and_answers_with_the_mean_weights(
    tiny_dataset, tmp_path, name
):
    plain = {"epochs": 1, "batch_size": 4}
    found = [
        answers(name, tiny_dataset, tmp_path / f"{k}", train)
        for k, train in enumerate((VARIED, VARIED, plain))
    ]
    assert found[0].shape == (6, 4)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    kept = list((tiny_dataset / CACHE_FOLDER).rglob("views-*/1/*/*.npz"))
    assert len(kept) >= 12
    state = read_pth(tmp_path / "0" / CHECKPOINT_NAME)
    for key, value in last_weights(tmp_path / "0").items():
        assert value.equal(state["average"][key])


def test_a_student_recipe_can_use_any_distance_to_its_teacher(tiny_dataset, tmp_path):
    plain = {"epochs": 1, "batch_size": 4}
    a, b = (
        answers(
            "distilled",
            tiny_dataset,
            tmp_path / method,
            plain,
            distill={"method": method},
        )
        for method in ("kl", "decoupled")
    )
    assert not np.array_equal(a, b)


# -------------------------------------------------------- prototypes on a trunk


def prototypes_on(trunk, **changes):
    values = {"student": {"start": str(trunk)}, "front_end": tiny.FRONT_END, **changes}
    return make_recipe("student-prototypes", values)


def test_prototypes_answer_as_a_student_made_of_the_same_clips(
    tiny_dataset, tiny_model, tmp_path
):
    front_end = tiny.FRONT_END.front_end()
    dataset = load_dataset(tiny_dataset, front_end, observer=Silent())
    found = prototypes_on(tiny_model).fit_predict(
        dataset.train,
        dataset.test,
        labels=tiny.LABELS,
        seed=0,
        context=tiny.context(tiny_dataset, tmp_path),
    )
    run = TrainRun(
        network="student",
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(tiny_model), head="prototypes"),
    )
    train(run, tiny.context(tiny_dataset, tmp_path / "out"))
    student = load_classifier(tmp_path / "out")
    expected = student.logits(dataset.test.log_mel, dataset.test.features)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_clip_is_embedded_once_in_all_folds(
    tiny_dataset, tiny_model, tmp_path, monkeypatch
):
    asked = []
    own = Trunk.embeddings

    def counted(self, tensors, context, *, stage):
        asked.append(len(tensors[0]))
        return own(self, tensors, context, stage=stage)

    monkeypatch.setattr(Trunk, "embeddings", counted)
    settings = ProtocolRun(
        recipes=("student-prototypes",),
        protocols=("deployments", "folds"),
        n_folds=2,
        n_seeds=2,
        n_resamples=100,
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(tiny_model)),
    )
    run_protocol(settings, tiny.context(tiny_dataset, tmp_path))
    assert sum(asked) == 24


@pytest.mark.parametrize(
    ("deployments", "flagged", "said"),
    [
        (("north", "elsewhere"), True, "was trained on some of these"),
        (("elsewhere",), False, ""),
        ((), False, "does not say which deployments"),
    ],
)
def test_a_trunk_that_heard_the_deployments_is_called_leaky(
    tiny_dataset, tmp_path, deployments, flagged, said
):
    trunk = tiny.write_model(tmp_path / "trunk", deployments=deployments)
    settings = ProtocolRun(
        recipes=("student-prototypes",),
        protocols=("deployments",),
        n_seeds=1,
        n_resamples=100,
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(trunk)),
    )
    report = run_protocol(settings, tiny.context(tiny_dataset, tmp_path / "out"))
    text = "\n".join(lines(report))
    assert ("student-prototypes [leaky]" in text) is flagged
    assert "majority class [leaky]" not in text
    assert said in text


def test_a_trunk_that_learnt_from_the_same_table_is_leaky_by_any_name(
    tiny_dataset, tmp_path
):
    trunk = tiny.write_model(
        tmp_path / "trunk", manifest_sha256=read_manifest(tiny_dataset).fingerprint()
    )
    settings = ProtocolRun(
        recipes=("student-prototypes",),
        protocols=("folds",),
        n_folds=2,
        n_seeds=1,
        n_resamples=100,
        front_end=tiny.FRONT_END,
        student=StudentSettings(start=str(trunk)),
    )
    report = run_protocol(settings, tiny.context(tiny_dataset, tmp_path / "out"))
    assert report.results[0].heard == ("student-prototypes",)


def test_other_weights_in_the_same_folder_are_other_folds(tiny_model, tmp_path):
    moved = shutil.copytree(tiny_model, tmp_path / "moved")
    first = prototypes_on(tiny_model).fingerprint()
    assert prototypes_on(moved).fingerprint() == first
    torch.manual_seed(1)
    network = build_network("AudioTransformerStudent", len(tiny.LABELS))
    save_model(network, moved, tiny.card())
    assert prototypes_on(moved).fingerprint() != first


def test_prototypes_without_a_trunk_are_refused():
    with pytest.raises(SettingsError, match="needs a trained student"):
        make_recipe("student-prototypes", {})
