"""Several teachers, other front ends, more clips, several views: whole small runs."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from scipy.special import log_softmax
from sounds import noise, tone, write_wav

from seacall.augmentation import AugmentSettings
from seacall.config import DistillRun, FrontEndChoice, TrainRun
from seacall.data.fixed import to_fixed
from seacall.data.prepare import PrepareSettings, prepare_dataset
from seacall.errors import AnnotationError, CheckpointError, SettingsError
from seacall.learn import runs
from seacall.learn.dataset import load_dataset
from seacall.learn.ensemble import ask_teachers, load_teachers
from seacall.learn.observe import Silent
from seacall.models.checkpoint import WEIGHTS_NAME, Calibration, read_card
from seacall.models.network import save_model

FRONT_END = tiny.FRONT_END.front_end()
WIDE = FrontEndChoice(profile="wide-48k", duration_s=1.0).front_end()
PLAIN = AugmentSettings()
TWO_VIEWS = AugmentSettings(n_views=2)
WARM = Calibration(method="temperature", temperature=2.5)


def a_teacher(folder: Path, seed: int, **changes: object) -> Path:
    """Random weights are as good as any to be asked."""
    network = tiny.network()
    torch.manual_seed(seed)
    torch.nn.init.normal_(network.classifier[-1].weight, std=0.3)
    save_model(network, folder, tiny.card(**changes))
    return folder


@pytest.fixture(scope="module")
def teachers(tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("teachers")
    return [
        a_teacher(root / "a", 1),
        a_teacher(root / "b", 2, front_end=WIDE, calibration=WARM),
    ]


def opened(data: Path, augment: AugmentSettings = PLAIN, front_end=FRONT_END, **more):
    return load_dataset(
        data, front_end, observer=Silent(), labels=tiny.LABELS, augment=augment, **more
    )


def ask(paths: list[Path], data: Path, out: Path, augment: AugmentSettings = PLAIN):
    return ask_teachers(
        load_teachers(paths),
        opened(data, augment),
        FRONT_END,
        augment,
        tiny.context(data, out),
    )


def answers(path: Path, tensors: tuple[torch.Tensor, ...]) -> np.ndarray:
    (teacher,) = load_teachers([path])
    with torch.no_grad():
        return teacher.network.eval()(*tensors[:2]).numpy()


# ------------------------------------------------------------------ asking


def test_one_teacher_answers_with_its_plain_logits(tiny_dataset, teachers, tmp_path):
    train, val = ask(teachers[:1], tiny_dataset, tmp_path)
    dataset = opened(tiny_dataset)
    for split, found in (("train", train), ("val", val)):
        expected = answers(teachers[0], dataset.tensors(split))
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)  # bfloat16


def test_several_teachers_answer_with_their_mean_calibrated_log_scores(
    tiny_dataset, teachers, tmp_path
):
    """The second one has another front end, and a calibration."""
    train, _ = ask(teachers, tiny_dataset, tmp_path)
    first = answers(teachers[0], opened(tiny_dataset).tensors("train"))
    second = answers(teachers[1], opened(tiny_dataset, front_end=WIDE).tensors("train"))
    expected = (log_softmax(first, axis=1) + log_softmax(second / 2.5, axis=1)) / 2
    np.testing.assert_allclose(train, expected, rtol=0.03, atol=0.05)


def test_every_view_of_every_clip_is_asked_about(tiny_dataset, teachers, tmp_path):
    plain, _ = ask(teachers, tiny_dataset, tmp_path)
    train, val = ask(teachers, tiny_dataset, tmp_path, TWO_VIEWS)
    n = len(plain)
    assert len(train) == 2 * n
    assert len(val) == 6
    np.testing.assert_allclose(train[:n], plain, atol=0.05)
    assert (train[n:] - plain).abs().max() > 0.1


def test_teachers_of_other_classes_are_refused(tmp_path, teachers):
    other = a_teacher(tmp_path / "c", 3, labels=("a", "b", "Fin Whale", "unknown"))
    with pytest.raises(CheckpointError, match=r"not those of .*\(.*Béluga blanc") as e:
        load_teachers([teachers[0], other])
    assert "Fin Whale" not in str(e.value)


def test_teachers_of_the_same_classes_in_another_order_are_refused(tmp_path, teachers):
    labels = (*reversed(tiny.LABELS[:-1]), "unknown")
    other = a_teacher(tmp_path / "c", 3, labels=labels)
    with pytest.raises(CheckpointError, match="their order"):
        load_teachers([teachers[0], other])


def test_no_teacher_is_one_line(tiny_dataset, tmp_path):
    with pytest.raises(SettingsError, match="no teacher given"):
        runs.distill([], tiny.DISTILL_RUN, tiny.context(tiny_dataset, tmp_path / "o"))


# ------------------------------------------------------------------ whole runs


VARIED_RUN = DistillRun.model_validate(
    {
        "distill": {"method": "decoupled"},
        "train": {
            **tiny.TWO_EPOCHS.model_dump(),
            "balance": "deployment",
            "ema_decay": 0.9,
            "augment": {"n_views": 3, "mixup": {"probability": 0.5}},
        },
    }
)


def test_a_student_learns_from_two_teachers_over_views(
    tiny_dataset, teachers, tmp_path
):
    def distil(name: str) -> bytes:
        context = tiny.context(tiny_dataset, tmp_path / name)
        runs.distill(teachers, VARIED_RUN, context)
        return (tmp_path / name / WEIGHTS_NAME).read_bytes()

    first = distil("a")
    card = read_card(tmp_path / "a")
    assert card.front_end == FRONT_END
    assert card.teacher.count("AudioTransformerStudent") == 2
    assert card.training["train"]["augment"]["n_views"] == 3
    assert distil("b") == first  # bit for bit


def test_a_student_may_have_a_front_end_of_its_own(tiny_dataset, teachers, tmp_path):
    own = {"profile": "vggish-16k", "duration_s": 1.0}
    run = tiny.DISTILL_RUN.model_dump() | {"front_end": own}
    result = runs.distill(
        teachers[:1],
        DistillRun.model_validate(run),
        tiny.context(tiny_dataset, tmp_path / "out"),
    )
    assert result.card.front_end.profile.name == "vggish-16k"


@pytest.mark.parametrize("network", ["vggish", "student"])
def test_teacher_and_student_alone_train_on_views(tiny_dataset, tmp_path, network):
    run = TrainRun.model_validate(
        tiny.TEACHER_RUN.model_dump()
        | {"network": network, "train": VARIED_RUN.train.model_dump()}
    )
    result = runs.train(run, tiny.context(tiny_dataset, tmp_path / "out"))
    assert result.card.training["train"]["ema_decay"] == 0.9


def test_masks_behind_frozen_convolutions_are_refused(tiny_dataset, tmp_path):
    values = tiny.TEACHER_RUN.model_dump()
    values["train"]["augment"] = {"mask": {"probability": 0.5}}
    with pytest.raises(SettingsError, match="frozen convolutions see only once"):
        runs.train(
            TrainRun.model_validate(values), tiny.context(tiny_dataset, tmp_path / "o")
        )


# ------------------------------------------------------------------ extra clips


@pytest.fixture(scope="module")
def more(tmp_path_factory) -> Path:
    """Another archive: one species of ours, one of its own."""
    root = tmp_path_factory.mktemp("more")
    for k, (label, hz) in enumerate((("Fin Whale", 5_300.0), ("Orca", 4_000.0))):
        for place in ("up", "down", "left"):
            y = noise(sample_rate=tiny.RATE, sigma=0.02, seed=hash_of(label, place))
            y += tone(hz + 30 * k, sample_rate=tiny.RATE)
            write_wav(root / "raw" / label / place / "1.wav", y, tiny.RATE)
    settings = PrepareSettings(front_end=tiny.FRONT_END)
    prepare_dataset(root / "raw", root / "data", settings=settings)
    return root / "data"


def hash_of(*words: str) -> int:
    return sum(ord(letter) * (k + 1) for k, letter in enumerate("".join(words)))


def test_extra_clips_are_trained_on_and_strange_species_are_unknown(tiny_dataset, more):
    dataset = opened(tiny_dataset, TWO_VIEWS, extra=[more])
    plain = opened(tiny_dataset)
    added = dataset.extra[0]
    labels = [clip.label for clip in added.clips]
    assert set(labels) == {"Fin Whale", "Orca"}
    expected = [1 if label == "Fin Whale" else 3 for label in labels]
    assert added.targets.tolist() == expected
    training = dataset.training()
    n = len(plain.train.targets) + len(labels)
    assert training.n_views == 2
    assert [len(part) for part in training.tensors] == [2 * n] * 3
    assert len(training.deployments) == n
    targets = training.tensors[2].tolist()
    assert targets == 2 * (plain.train.targets.tolist() + expected)
    clean = np.concatenate([plain.train.log_mel, added.log_mel])
    assert np.array_equal(training.tensors[0][:n].numpy(), to_fixed(clean))


def test_extra_clips_change_nothing_that_is_measured(tiny_dataset, more):
    dataset, plain = opened(tiny_dataset, extra=[more]), opened(tiny_dataset)
    for split in ("train", "val", "test"):
        assert np.array_equal(
            dataset.arrays(split).log_mel, plain.arrays(split).log_mel
        )
    assert dataset.labels == plain.labels


def test_a_run_says_what_else_it_was_trained_on(tiny_dataset, more, tmp_path):
    context = replace(tiny.context(tiny_dataset, tmp_path / "out"), extra=(more,))
    result = runs.train(tiny.STUDENT_RUN, context)
    assert list(result.card.training["extra"]) == ["data"]
    assert result.card.labels == tiny.LABELS


def test_an_extra_folder_that_holds_a_test_recording_is_refused(tiny_dataset, tmp_path):
    """Someone adds the archive that the test recordings came from."""
    data = Path(shutil.copytree(tiny_dataset, tmp_path / "data"))
    (data / "train").rename(data / "aside")
    (data / "test").rename(data / "train")
    shutil.copy(data / "test_metadata.xlsx", data / "train_metadata.xlsx")
    with pytest.raises(AnnotationError, match="same audio is in two splits"):
        opened(tiny_dataset, extra=[data])


def test_deployments_that_are_held_out_elsewhere_are_warned_of(
    tiny_dataset, more, tmp_path, caplog
):
    held_out = {c.deployment for c in opened(tiny_dataset).test.clips}.pop()
    data = Path(shutil.copytree(more, tmp_path / "more"))
    table = pd.read_excel(data / "train_metadata.xlsx")
    table["deployment"] = held_out
    table.to_excel(data / "train_metadata.xlsx", index=False)
    with caplog.at_level(logging.WARNING):
        opened(tiny_dataset, extra=[data])
    assert held_out in caplog.text
    assert "leave them out" in caplog.text
