"""Measuring a model: what is measured is what ships, and leaks are not overlooked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny

from seacall.detect.classify import classify_recording
from seacall.errors import AnnotationError
from seacall.learn.dataset import load_dataset
from seacall.learn.measure import measure, predict, summary
from seacall.learn.observe import Silent
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import read_card


def opened(root: Path, **changes: object):
    return load_dataset(
        root,
        tiny.FRONT_END.front_end(),
        observer=Silent(),
        labels=tiny.LABELS,
        **changes,
    )


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return opened(tiny_dataset)


@pytest.fixture
def copy(tiny_dataset, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_dataset, tmp_path / "copy"))


def edit(root: Path, folder: str, change) -> None:
    path = root / f"{folder}_metadata.xlsx"
    table = pd.read_excel(path)
    change(table)
    table.to_excel(path, index=False)


def test_predictions_are_what_detection_says_of_each_file(dataset, tiny_student):
    classifier = load_classifier(tiny_student)
    root = dataset.manifest.root
    found = predict(
        classifier, dataset.test, root=root, split="test", observer=Silent()
    )
    assert len(found.file_names) == 6
    for name, scores in zip(found.file_names, found.scores, strict=True):
        first = next(classify_recording(root / name, classifier))
        np.testing.assert_allclose(scores, first.scores, atol=1e-5)


def test_a_model_measured_on_its_own_dataset_is_known_to_be_clean(
    dataset, tiny_student, tmp_path
):
    evaluation = measure(tiny_student, dataset, out=tmp_path, observer=Silent())
    assert evaluation.shared_deployments == ()
    assert evaluation.leaky is False
    assert summary(evaluation) == read_card(tiny_student).metrics
    stored = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert stored["figures"]["model"] == evaluation.as_dict()["figures"]["model"]


def test_the_training_split_is_leaky(dataset, tiny_student, tmp_path):
    evaluation = measure(
        tiny_student, dataset, out=tmp_path, observer=Silent(), split="train"
    )
    assert evaluation.leaky is True


def test_of_another_dataset_nobody_knows_whether_it_leaks(copy, tiny_student, tmp_path):
    """Its training split is not what the model was trained on."""

    def relabel(table: pd.DataFrame) -> None:
        table.loc[0, "species_name"] = "Minke Whale"

    edit(copy, "train", relabel)
    evaluation = measure(
        tiny_student, opened(copy), out=tmp_path / "o", observer=Silent()
    )
    assert evaluation.shared_deployments is None
    assert evaluation.leaky is None


def test_one_training_clip_of_unknown_deployment_leaves_the_matter_open(
    copy, tiny_student, tmp_path
):
    def forget(table: pd.DataFrame) -> None:
        table.loc[0, "deployment"] = None

    edit(copy, "train", forget)
    dataset = opened(copy)
    folder = Path(shutil.copytree(tiny_student, tmp_path / "model"))
    assert read_card(folder).manifest_sha256 == dataset.manifest.fingerprint()
    evaluation = measure(folder, dataset, out=tmp_path / "o", observer=Silent())
    assert evaluation.leaky is None


def test_a_dataset_of_test_recordings_alone_can_be_measured(
    copy, tiny_student, tmp_path
):
    for folder in ("train", "validate"):
        shutil.rmtree(copy / folder)
        (copy / f"{folder}_metadata.xlsx").unlink()
    evaluation = measure(
        tiny_student, opened(copy), out=tmp_path / "o", observer=Silent()
    )
    assert evaluation.n_recordings == 6
    assert evaluation.leaky is None
    assert (tmp_path / "o" / "report.html").is_file()


def test_a_split_without_recordings_is_an_error(copy, tiny_student, tmp_path):
    shutil.rmtree(copy / "test")
    (copy / "test_metadata.xlsx").unlink()
    with pytest.raises(AnnotationError, match="its test split holds no recording"):
        measure(tiny_student, opened(copy), out=tmp_path / "o", observer=Silent())


def test_species_that_the_model_does_not_know_count_as_unknown(
    copy, tiny_student, tmp_path
):
    def rename(table: pd.DataFrame) -> None:
        table["species_name"] = "Narwhal"

    edit(copy, "test", rename)
    evaluation = measure(
        tiny_student, opened(copy), out=tmp_path / "o", observer=Silent()
    )
    assert evaluation.confusion[-1].sum() == 6


def test_a_threshold_can_be_chosen(dataset, tiny_student, tmp_path):
    all_answered = measure(
        tiny_student, dataset, out=tmp_path, observer=Silent(), threshold=0.0
    )
    none_answered = measure(
        tiny_student, dataset, out=tmp_path, observer=Silent(), threshold=1.0
    )
    share = [
        e.as_dict()["figures"]["model"]["share_answered"]["value"]
        for e in (all_answered, none_answered)
    ]
    assert share == [1.0, 0.0]
