"""From a folder of clips to a model folder, through the command line."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import tiny
from sounds import noise, tone, write_wav

from seacall.adapt.adapt import adapt
from seacall.adapt.settings import AdaptSettings
from seacall.errors import AnnotationError, MissingExtraError
from seacall.labels import UNKNOWN
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import (
    BANK_NAME,
    ONNX_NAME,
    WEIGHTS_NAME,
    read_card,
    write_card,
)
from seacall.models.embedding import load_embedder

RATE = 16_000


def call(hz: float, seed: int, duration_s: float = 0.8) -> np.ndarray:
    y = noise(sample_rate=RATE, duration_s=duration_s, sigma=0.02, seed=seed)
    return y + tone(hz + 25 * seed, sample_rate=RATE, duration_s=duration_s)


@pytest.fixture
def clips(tmp_path):
    """Two new species, each in two deployments, three clips in each."""
    folder = tmp_path / "clips"
    seed = 100
    for label, hz in (("Orca", 4_200.0), ("Fish", 6_100.0)):
        for deployment in ("north", "south"):
            for _ in range(3):
                seed += 1
                name = folder / label / deployment / f"{seed}.wav"
                write_wav(name, call(hz, seed - 100), RATE)
    return folder


@pytest.fixture(scope="module")
def onnx_alone(tiny_model, tmp_path_factory):
    """A model folder as it comes without torch."""
    out = tmp_path_factory.mktemp("onnx") / "model"
    shutil.copytree(tiny_model, out)
    (out / WEIGHTS_NAME).unlink()
    write_card(out, read_card(out))
    return out


@pytest.fixture
def quick(tmp_path):
    path = tmp_path / "quick.toml"
    path.write_text('n_noises = 2\nheads = ["prototypes", "ridge, penalty 10"]\n')
    return path


def asked(model, n=4):
    rng = np.random.default_rng(5)
    log_mel = rng.normal(-5, 3, (n, 1, 96, 64)).astype(np.float32)
    features = rng.normal(0, 1, (n, 18)).astype(np.float32)
    return load_classifier(model).logits(log_mel, features)


def test_new_classes_stand_before_unknown_and_old_logits_keep_every_bit(
    seacall, onnx_alone, clips, quick, tmp_path
):
    out = tmp_path / "out"
    ended = seacall("adapt", onnx_alone, clips, "-o", out, "--config", quick, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["labels"] == [*tiny.LABELS[:-1], "Fish", "Orca", UNKNOWN]
    old, new = asked(onnx_alone), asked(out)
    np.testing.assert_array_equal(new[:, [0, 1, 2, 5]], old)
    card = read_card(out)
    assert set(card.files) == {ONNX_NAME, BANK_NAME, "verify.json"}
    assert {"north", "south"} <= set(card.deployments)
    assert any("Orca (6 clips of 2 groups)" in text for text in card.limits)
    assert card.metrics["adapted"] == told["guards"]
    assert told["n_folds"] > 1


def test_the_result_detects_verifies_and_can_be_adapted_again(
    seacall, onnx_alone, clips, quick, tmp_path
):
    out, again = tmp_path / "out", tmp_path / "again"
    assert seacall("adapt", onnx_alone, clips, "-o", out, "--config", quick).code == 0
    recording = next(clips.rglob("*.wav"))
    ended = seacall("detect", recording, "-m", out, "--json")
    assert ended.code == 0, ended.err
    assert "Orca" in ended.out
    ended = seacall("verify", out, out)
    assert ended.code == 0, ended.err
    more = tmp_path / "more"
    for k in range(3):
        write_wav(more / "Seal" / f"{k}.wav", call(5_000, k), RATE)
    ended = seacall("adapt", out, more, "-o", again, "--config", quick, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    # What the first adaptation left of its classes guards them now.
    assert "drawn around" in told["guards"]["measured_on"]["old"]
    assert "leaky" in read_card(again).limits[-2] + " ".join(told["remarks"]) or any(
        "no deployment" in remark for remark in told["remarks"]
    )


def test_the_torch_path_writes_both_files_that_answer_alike(
    tiny_model, clips, tmp_path
):
    settings = AdaptSettings(n_noises=2, heads=("prototypes",))
    out = tmp_path / "out"
    adapt(tiny_model, clips, out, settings=settings)
    assert {WEIGHTS_NAME, ONNX_NAME} <= set(read_card(out).files)
    np.testing.assert_allclose(
        asked(out)[:, [0, 1, 2, 5]], asked(tiny_model), atol=1e-4
    )
    assert load_embedder(out).length == 96


def test_only_new_forgets_the_old_classes(seacall, onnx_alone, clips, quick, tmp_path):
    out = tmp_path / "out"
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", out, "--only", "new", "--config", quick)
    )
    assert ended.code == 0, ended.err
    assert read_card(out).labels == ("Fish", "Orca", UNKNOWN)
    assert asked(out).shape == (4, 3)


def test_classes_that_exist_guard_or_are_taught_anew(
    seacall, onnx_alone, clips, quick, tmp_path
):
    exists = clips / tiny.LABELS[1]
    (clips / "Fish").rename(exists)
    out, anew = tmp_path / "out", tmp_path / "anew"
    ended = seacall("adapt", onnx_alone, clips, "-o", out, "--config", quick, "--json")
    told = json.loads(ended.out)
    assert told["taught"] == ["Orca"]
    assert any(tiny.LABELS[1] in r and "--replace" in r for r in told["remarks"])
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", anew, "--config", quick, "--json"),
        "--replace",
    )
    assert sorted(json.loads(ended.out)["taught"]) == sorted([tiny.LABELS[1], "Orca"])
    old, new = asked(onnx_alone), asked(anew)
    np.testing.assert_array_equal(new[:, [0, 2, 4]], old[:, [0, 2, 3]])
    assert np.abs(new[:, 1] - old[:, 1]).max() > 0.01


def test_all_labels_known_or_unknown_is_one_line(onnx_alone, clips, tmp_path):
    shutil.rmtree(clips / "Orca")
    (clips / "Fish").rename(clips / tiny.LABELS[0])
    with pytest.raises(AnnotationError, match="--replace"):
        adapt(onnx_alone, clips, tmp_path / "out", settings=AdaptSettings())
    (clips / tiny.LABELS[0]).rename(clips / "Unknown")
    with pytest.raises(AnnotationError, match="--negatives"):
        adapt(onnx_alone, clips, tmp_path / "out", settings=AdaptSettings())
    assert not (tmp_path / "out").exists()


def test_one_clip_gives_a_model_and_says_what_that_is_worth(
    seacall, onnx_alone, quick, tmp_path
):
    write_wav(tmp_path / "one" / "Orca" / "1.wav", call(4_000, 1), RATE)
    ended = seacall(
        *("adapt", onnx_alone, tmp_path / "one", "-o", tmp_path / "out"),
        *("--config", quick, "--json"),
    )
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["n_folds"] == 0
    assert not told["guards"]["held_out"]
    said = " ".join(told["remarks"])
    assert "few clips: Orca 1;" in said
    assert "nothing could be held out" in said


def test_copies_short_clips_and_other_bands_are_told(
    seacall, onnx_alone, clips, quick, tmp_path
):
    first = next((clips / "Orca").rglob("*.wav"))
    shutil.copyfile(first, clips / "Orca" / "north" / "copy.wav")
    write_wav(clips / "Orca" / "north" / "short.wav", call(4_000, 3, 0.01), RATE)
    slow = tone(900, sample_rate=4_000, duration_s=0.9)
    slow += noise(sample_rate=4_000, duration_s=0.9, sigma=0.05, seed=1)
    for k in range(2):
        write_wav(clips / "Slow" / f"d{k}" / "s.wav", slow * (1 + k) ** 0.5, 4_000)
    write_wav(clips / "Slow" / "d1" / "s.wav", slow[::-1].copy(), 4_000)
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", tmp_path / "out", "--config", quick),
        "--json",
    )
    assert ended.code == 3
    told = json.loads(ended.out)
    left = " ".join(told["left_out"])
    assert "same audio as" in left
    assert "lasts 0.01 s" in left
    assert any("Slow at 2,000 Hz" in remark for remark in told["remarks"])


def test_clips_that_are_tested_on_are_not_learned_from(
    seacall, onnx_alone, clips, quick, tmp_path
):
    test = tmp_path / "test"
    for label in ("Orca", "Fish"):
        found = sorted((clips / label / "north").glob("*.wav"))[0]
        (test / label).mkdir(parents=True)
        shutil.copyfile(found, test / label / found.name)
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", tmp_path / "out", "--config", quick),
        *("--test", test, "--json"),
    )
    told = json.loads(ended.out)
    assert ended.code == 3
    assert sum("shares audio with a test clip" in r for r in told["left_out"]) == 2
    assert told["test"]["n_clips"] == 2
    assert set(told["test"]["recall"]) == {"Orca", "Fish"}
    assert sum(one["n_clips"] for one in told["guards"]["classes"]) == 10


def test_background_and_old_clips_of_the_user_count(
    seacall, onnx_alone, clips, quick, tmp_path
):
    sea, old = tmp_path / "sea", tmp_path / "old"
    for k in range(4):
        y = noise(sample_rate=RATE, duration_s=3.0, sigma=0.05, seed=900 + k)
        write_wav(sea / f"{k}.wav", y, RATE)
        write_wav(old / tiny.LABELS[0] / f"{k}.wav", call(3_600, 40 + k), RATE)
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", tmp_path / "out", "--config", quick),
        *("--negatives", sea, "--old", old, "--json"),
    )
    assert ended.code == 0, ended.err
    guards = json.loads(ended.out)["guards"]
    assert guards["n_background"] == 7 * 2 + 4 * 3
    assert guards["n_old"] == 4
    (old / tiny.LABELS[0]).rename(old / "Nobody")
    ended = seacall(
        *("adapt", onnx_alone, clips, "-o", tmp_path / "other", "--old", old),
        *("--config", quick),
    )
    assert ended.code == 1
    assert "Nobody" in ended.error


def test_a_prepared_dataset_is_taken_as_well(
    seacall, onnx_alone, tiny_dataset, quick, tmp_path
):
    ended = seacall(
        *("adapt", onnx_alone, tiny_dataset, "-o", tmp_path / "out", "--replace"),
        *("--config", quick, "--json"),
    )
    assert ended.code == 0, ended.err
    assert sorted(json.loads(ended.out)["taught"]) == sorted(tiny.LABELS[:-1])


def test_the_same_clips_give_the_same_bytes(onnx_alone, clips, tmp_path):
    settings = AdaptSettings(n_noises=2, heads=("prototypes",))
    for name in ("a", "b"):
        adapt(onnx_alone, clips, tmp_path / name, settings=settings)
    for name in (ONNX_NAME, BANK_NAME, "card.json"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()


def test_without_onnx_the_extra_is_named(onnx_alone, clips, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"seacall\[adapt\]"):
        adapt(onnx_alone, clips, tmp_path / "out", settings=AdaptSettings())


def many(folder, n_groups=4, n_each=6):
    for group in range(n_groups):
        for k in range(n_each):
            seed = 300 + n_each * group + k
            name = folder / "Orca" / f"d{group}" / f"{seed}.wav"
            write_wav(name, call(4_200, seed - 300), RATE)
    return folder


def test_trained_layers_are_written_and_what_moved_is_told(
    tiny_model, tmp_path, monkeypatch
):
    # Whether they do better is tested elsewhere: here they are taken in any case.
    monkeypatch.setattr(
        "seacall.adapt.fine_tune.plainest", lambda losses, *_: "fine-tuned"
    )
    clips = many(tmp_path / "clips")
    settings = AdaptSettings(n_noises=2, heads=("prototypes",), fine_tune=True)
    found = adapt(tiny_model, clips, tmp_path / "out", settings=settings)
    assert found.chosen.head == "fine-tuned"
    proof = json.loads((tmp_path / "out" / "verify.json").read_text())
    told = proof["adapt: old classes"]
    assert told["old_logits_differ_by"] > 1e-3
    assert told["fitted_logits_differ_by"] < 1e-4
    assert 0.7 * told["n_clips"] <= told["same_best_old_class"] <= told["n_clips"]
    old, new = asked(tiny_model), asked(tmp_path / "out")
    assert new.shape == (4, 5)
    assert not np.allclose(new[:, [0, 1, 2, 4]], old)
    again = adapt(tiny_model, clips, tmp_path / "again", settings=settings)
    assert again.guards == found.guards


def test_fine_tuning_with_few_clips_leaves_the_layers_frozen(
    seacall, tiny_model, clips, quick, tmp_path
):
    ended = seacall(
        *("adapt", tiny_model, clips, "-o", tmp_path / "out", "--config", quick),
        *("--fine-tune", "--json"),
    )
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert any("not fine-tuned: a class has 6 clips" in r for r in told["remarks"])
    np.testing.assert_allclose(
        asked(tmp_path / "out")[:, [0, 1, 2, 5]], asked(tiny_model), atol=1e-4
    )


def test_fine_tuning_needs_weights(seacall, onnx_alone, clips, tmp_path):
    ended = seacall("adapt", onnx_alone, clips, "-o", tmp_path / "out", "--fine-tune")
    assert ended.code == 1
    assert "model.safetensors" in ended.error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "old"), "write --only new"),
        (("--only", "new", "--replace"), "not together with --replace"),
        (("--most-false", "1.5"), "most_false"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    seacall, onnx_alone, clips, tmp_path, options, words
):
    ended = seacall("adapt", onnx_alone, clips, "-o", tmp_path / "out", *options)
    assert ended.code == 1
    assert words in ended.error


def test_an_empty_folder_and_a_model_in_the_way_are_one_line(
    seacall, onnx_alone, clips, tmp_path
):
    (tmp_path / "empty").mkdir()
    ended = seacall("adapt", onnx_alone, tmp_path / "empty", "-o", tmp_path / "out")
    assert ended.code == 1
    assert "no recordings" in ended.error
    ended = seacall("adapt", onnx_alone, clips, "-o", onnx_alone)
    assert "choose another folder" in ended.error
