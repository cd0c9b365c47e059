"""The command that measures, with --protocol; without it see ``test_run``."""

from __future__ import annotations

import json

import pytest


def protocol(seacall, dataset, out, *more):
    return seacall(
        *("evaluate", dataset, "-o", out, "--protocol", "folds", "--n-folds", "2"),
        *("--seeds", "1", "--epochs", "1", "--device", "cpu", *more),
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """An output folder that the tests share, so that its folds are trained once."""
    return tmp_path_factory.mktemp("protocol") / "out"


@pytest.mark.slow
def test_a_protocol_prints_its_table_and_writes_its_files(seacall, tiny_dataset, kept):
    ended = protocol(seacall, tiny_dataset, kept)
    assert ended.code == 0
    assert "24 clips of 3 species from 4 deployments are scored" in ended.out
    for words in ("student", "band edge alone", "at chance by design", "fall-back"):
        assert words in ended.out
    assert "2 folds trained, 0 were there" in ended.err
    names = {path.name for path in kept.iterdir()}
    assert names == {
        "predictions",
        "protocol.csv",
        "protocol.json",
        "protocol.md",
        "report.html",
        "settings.toml",
    }


@pytest.mark.slow
def test_the_same_command_again_trains_nothing(seacall, tiny_dataset, kept):
    protocol(seacall, tiny_dataset, kept)
    ended = protocol(seacall, tiny_dataset, kept, "--json")
    assert "0 folds trained, 2 were there" in ended.err
    values = json.loads(ended.out)
    assert [p["protocol"] for p in values["protocols"]] == ["folds"]
    assert values["n_scored_deployments"] == 4


@pytest.mark.slow
def test_the_stored_settings_repeat_a_protocol(seacall, tiny_dataset, kept, tmp_path):
    protocol(seacall, tiny_dataset, kept)
    ended = seacall(
        *("evaluate", tiny_dataset, "-o", kept, "--protocol", "folds"),
        *("--config", kept / "settings.toml", "--device", "cpu"),
    )
    assert "0 folds trained, 2 were there" in ended.err


def test_a_model_without_a_dataset_is_refused(seacall, tiny_model, tmp_path):
    ended = seacall("evaluate", tiny_model, "-o", tmp_path / "out")
    assert ended.code == 1
    assert "give a model folder and a dataset folder" in ended.error


def test_a_protocol_takes_no_model(seacall, tiny_model, tiny_dataset, tmp_path):
    ended = protocol(seacall, tiny_model, tmp_path / "out", tiny_dataset)
    assert ended.code == 1
    assert "with --protocol give the dataset folder only" in ended.error


@pytest.mark.parametrize(
    "option", [("--recipe", "student"), ("--seeds", "2"), ("--n-folds", "3")]
)
def test_options_of_a_protocol_alone_are_refused(
    seacall, option, tiny_model, tiny_dataset, tmp_path
):
    ended = seacall(
        *("evaluate", tiny_model, tiny_dataset, "-o", tmp_path / "out", *option)
    )
    assert ended.code == 1
    assert "belong to --protocol" in ended.error


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--protocol", "guess"), "'deployments', 'folds' or 'random'"),
        (("--recipe", "dragon"), "recipe 'dragon' does not exist; choose one of"),
        (("--species-only", "none"), "'all' or 'scored'"),
        (("--n-folds", "9"), "n_folds=9"),
    ],
)
def test_wrong_options_of_a_protocol_name_the_right_ones(
    seacall, option, words, tiny_dataset, tmp_path
):
    ended = protocol(seacall, tiny_dataset, tmp_path / "out", *option)
    assert ended.code == 1
    assert words in ended.error


def test_a_dataset_folder_is_no_place_for_results(seacall, tiny_dataset):
    ended = protocol(seacall, tiny_dataset, tiny_dataset)
    assert ended.code == 1
    assert "is a dataset folder" in ended.error
