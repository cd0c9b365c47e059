"""What is measured over folds: by recipes that need no training, and by real ones."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tiny
from sounds import noise, tone, write_wav

from seacall.config import Settings
from seacall.data.prepare import PrepareSettings, prepare_dataset
from seacall.errors import AnnotationError, SettingsError
from seacall.learn import recipes
from seacall.learn.baselines import BAND_EDGE, DEPLOYMENT, MAJORITY, SAMPLE_RATE
from seacall.learn.evaluation import Estimate
from seacall.learn.out_of_fold import load_fold
from seacall.learn.protocol import ProtocolRun, run_protocol
from seacall.learn.protocol_report import write_protocol
from seacall.learn.protocol_words import lines, markdown, remarks
from seacall.learn.recipes import make_recipe

SPECIES = ("Beluga", "Killer Whale", "Fin Whale")
CALLS: list[dict] = []
"""What the recipes of this module were given, fold by fold."""


class Peeking(Settings):
    """Knows every clip's deployment, and hears nothing."""

    strength: float = 5.0

    def fit_predict(self, train, test, *, labels, seed, context):
        CALLS.append(
            {
                "train": [c.deployment for c in train.clips],
                "test": [c.deployment for c in test.clips],
                "labels": {c.label for c in train.clips},
                "seed": seed,
            }
        )
        assert not list(context.out.iterdir())
        seen: dict[str, Counter] = {}
        for clip, target in zip(train.clips, train.targets, strict=True):
            seen.setdefault(clip.deployment, Counter())[int(target)] += 1
        answers = [
            seen[c.deployment].most_common(1)[0][0] if c.deployment in seen else 0
            for c in test.clips
        ]
        return (self.strength * np.eye(len(labels))[answers]).astype(np.float32)


class Stopped(Peeking):
    """Is killed in its third fold."""

    def fit_predict(self, train, test, **known):
        if len(CALLS) == 2:
            raise KeyboardInterrupt
        return super().fit_predict(train, test, **known)


@pytest.fixture(autouse=True)
def _recipes(monkeypatch):
    CALLS.clear()
    monkeypatch.setitem(recipes.RECIPES, "peeking", Peeking)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three species with three deployments each, a fourth species with one."""
    folder = tmp_path_factory.mktemp("protocol")
    seed = 0
    for label in (*SPECIES, "Walrus"):
        for place in range(1 if label == "Walrus" else 3):
            for _ in range(4):
                seed += 1
                y = noise(
                    sample_rate=tiny.RATE, duration_s=0.8, sigma=0.02, seed=seed
                ) + tone(2_000.0 + 37 * seed, sample_rate=tiny.RATE, duration_s=0.8)
                path = folder / "recordings" / label / f"{label} {place}"
                write_wav(path / f"{seed}.wav", y, tiny.RATE)
    settings = PrepareSettings(front_end=tiny.FRONT_END)
    prepare_dataset(folder / "recordings", folder / "dataset", settings=settings)
    return folder / "dataset"


def settings(**changes):
    values = {
        "recipes": ("peeking",),
        "protocols": ("deployments",),
        "n_seeds": 1,
        "n_folds": 3,
        "n_resamples": 200,
        "front_end": tiny.FRONT_END,
    }
    return ProtocolRun(**(values | changes))


def run(dataset, out, **changes):
    return run_protocol(settings(**changes), tiny.context(dataset, out))


def accuracy(result, name="peeking"):
    return result.systems[name].figures["accuracy"].value


def test_a_recipe_that_peeks_at_the_deployment_is_at_chance_where_it_is_held_out(
    dataset, tmp_path
):
    report = run(dataset, tmp_path, protocols=("deployments", "folds", "random"))
    held_out, folds, leaky = report.results
    # It can but answer with one class, which is right for a third of the clips at most.
    assert accuracy(held_out) <= 1 / 3
    assert accuracy(folds) <= 1 / 3
    assert accuracy(leaky) == 1
    assert [r.leaky for r in report.results] == [False, False, True]


@pytest.mark.parametrize("protocol", ["deployments", "folds"])
def test_no_fold_trains_on_a_deployment_that_it_asks_about(dataset, tmp_path, protocol):
    run(dataset, tmp_path, protocols=(protocol,), n_seeds=2)
    assert len(CALLS) == (18 if protocol == "deployments" else 6)
    for call in CALLS:
        assert not set(call["train"]) & set(call["test"])


def test_a_species_of_one_deployment_is_trained_on_in_every_fold_and_not_scored(
    dataset, tmp_path
):
    report = run(dataset, tmp_path)
    assert all("Walrus" in call["labels"] for call in CALLS)
    assert not any("Walrus 0" in call["test"] for call in CALLS)
    assert report.not_scored == ("Walrus",)
    assert set(report.scored) == set(SPECIES)
    assert report.scored["Beluga"] == (12, 3)
    assert (report.n_clips, report.n_deployments) == (36, 9)


def test_species_that_are_not_scored_can_be_left_out(dataset, tmp_path):
    report = run(dataset, tmp_path, species="scored")
    assert not any("Walrus" in call["labels"] for call in CALLS)
    assert report.pooled.labels == (*sorted(SPECIES), "unknown")


def test_all_look_ups_stand_beside_each_recipe(dataset, tmp_path):
    (result,) = run(dataset, tmp_path).results
    assert list(result.systems) == [
        "peeking",
        DEPLOYMENT,
        SAMPLE_RATE,
        BAND_EDGE,
        MAJORITY,
    ]
    # All files have one rate, and no deployment was seen: both can but answer as the
    # majority does.
    expected = accuracy(result, MAJORITY)
    assert accuracy(result, DEPLOYMENT) == accuracy(result, SAMPLE_RATE) == expected


def test_a_look_up_of_deployments_is_right_in_random_folds(dataset, tmp_path):
    (result,) = run(dataset, tmp_path, protocols=("random",)).results
    assert accuracy(result, DEPLOYMENT) == 1
    over, lead = result.leads["peeking"]
    assert (over, lead.value) == (DEPLOYMENT, 0)


def test_a_finished_run_trains_nothing_again(dataset, tmp_path):
    first = run(dataset, tmp_path, n_seeds=2).as_dict()
    n_trained = len(CALLS)
    assert n_trained == 18
    assert run(dataset, tmp_path, n_seeds=2).as_dict() == first
    assert len(CALLS) == n_trained


def test_a_killed_run_goes_on_where_it_was(dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "peeking", Stopped)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, tmp_path)
    assert len(CALLS) == 2
    monkeypatch.setitem(recipes.RECIPES, "peeking", Peeking)
    report = run(dataset, tmp_path)
    assert len(CALLS) == 9
    CALLS.clear()
    assert run(dataset, tmp_path / "in one go").results[0].as_dict() == (
        report.results[0].as_dict()
    )


def test_more_seeds_train_only_those_that_are_new(dataset, tmp_path):
    run(dataset, tmp_path)
    run(dataset, tmp_path, n_seeds=2)
    assert [call["seed"] for call in CALLS] == [0] * 9 + [1] * 9


def test_other_settings_of_a_recipe_are_trained_anew(dataset, tmp_path):
    run(dataset, tmp_path)
    run(dataset, tmp_path, recipe={"peeking": {"strength": 3.0}})
    assert len(CALLS) == 18


def test_a_damaged_fold_is_trained_again(dataset, tmp_path):
    run(dataset, tmp_path)
    path = sorted((tmp_path / "predictions" / "deployments-peeking").iterdir())[4]
    path.write_bytes(path.read_bytes()[:40])
    assert load_fold(path, shape=(4, 5)) is None
    run(dataset, tmp_path)
    assert len(CALLS) == 10


def test_every_answer_is_in_the_table(dataset, tmp_path):
    run(dataset, tmp_path, n_seeds=2)
    path = tmp_path / "predictions" / "deployments-peeking.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 36
    assert len({(row["file_name"], row["seed"]) for row in rows}) == 72
    assert {row["species_name"] for row in rows} == set(SPECIES)
    assert float(rows[0]["logit_unknown"]) in (0.0, 5.0)


def test_clips_without_deployment_and_recording_cannot_be_held_out(tmp_path):
    for k in range(6):
        y = noise(sample_rate=tiny.RATE, duration_s=0.8, seed=k)
        write_wav(tmp_path / "in" / "ab"[k % 2] / f"{k}.wav", y, tiny.RATE)
    options = PrepareSettings(front_end=tiny.FRONT_END)
    prepare_dataset(tmp_path / "in", tmp_path / "dataset", settings=options)
    with pytest.raises(AnnotationError, match="has a deployment or a recording"):
        run(tmp_path / "dataset", tmp_path / "out")


def test_an_unknown_recipe_is_refused(dataset, tmp_path):
    with pytest.raises(SettingsError, match="recipe 'dragon' does not exist; choose"):
        run(dataset, tmp_path, recipes=("dragon",))


def test_a_recipes_own_settings_win_over_the_shared_ones():
    shared = {"train": {"epochs": 7, "batch_size": 4}, "teacher": {"weights": None}}
    own = {"train": {"epochs": 2}}
    assert make_recipe("student", shared, own).train.epochs == 2
    assert make_recipe("student", shared, own).train.batch_size == 4
    assert make_recipe("student", shared).train.epochs == 7


def test_a_wrong_setting_of_a_recipe_is_refused():
    with pytest.raises(SettingsError, match=r"epochs: there is no such setting"):
        make_recipe("student", {}, {"epochs": 2})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student", "teacher", "distilled"])
def test_the_built_in_recipes_answer_alike_when_repeated(name, tiny_dataset, tmp_path):
    changes = {
        "recipes": (name,),
        "protocols": ("folds",),
        "n_folds": 2,
        "train": {"epochs": 1, "batch_size": 4},
        "teacher": {"convolutions": "frozen"},
    }
    first = run(tiny_dataset, tmp_path / "a", **changes).results[0]
    second = run(tiny_dataset, tmp_path / "b", **changes).results[0]
    assert first.as_dict() == second.as_dict()
    assert first.systems[name].figures["accuracy"].value is not None


def test_the_report_says_what_leaks_and_what_is_by_design(dataset, tmp_path):
    report = run(dataset, tmp_path, protocols=("folds", "random"))
    write_protocol(report, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "LEAKY: random folds" in page
    assert page.count("at chance by design") >= 2
    assert "<script" not in page
    text = "\n".join(lines(report))
    assert "peeking [leaky]" in text
    assert "deployment look-up [at chance by design]" in text
    assert any("pretends" in r.text for r in remarks(report) if r.kind == "warning")
    assert "| peeking [leaky] |" in markdown(report)


def test_a_lead_over_the_look_ups_is_doubted_in_words(dataset, tmp_path):
    report = run(dataset, tmp_path, protocols=("random",))
    # The recipe looks up what the deployment look-up does: neither is ahead.
    (warning,) = [r.text for r in remarks(report) if "hears nothing" in r.text]
    assert "\u201cdeployment look-up\u201d" in warning
    assert "at least as high as of peeking (by 0.00)" in warning
    (result,) = report.results
    ahead = replace(result, leads={"peeking": (DEPLOYMENT, Estimate(0.2, (-0.1, 0.3)))})
    texts = [r.text for r in remarks(replace(report, results=(ahead,)))]
    assert any("not certain of peeking (+0.20, -0.10 to +0.30)" in t for t in texts)
    certain = replace(
        result, leads={"peeking": (DEPLOYMENT, Estimate(0.2, (0.1, 0.3)))}
    )
    texts = [r.text for r in remarks(replace(report, results=(certain,)))]
    assert not any("hears nothing" in t for t in texts)


def test_a_label_cannot_write_markup_into_the_report(dataset, tmp_path):
    report = run(dataset, tmp_path)
    evil = replace(report, not_scored=("<b>Walrus</b>",))
    write_protocol(evil, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>Walrus" not in page
    assert "&lt;b&gt;Walrus" in page


def test_every_figure_is_in_the_files(dataset, tmp_path):
    report = run(dataset, tmp_path, protocols=("folds", "random"))
    write_protocol(report, tmp_path)
    found = json.loads((tmp_path / "protocol.json").read_text(encoding="utf-8"))
    with (tmp_path / "protocol.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["leaky"] for row in rows if row["protocol"] == "random"} == {"1"}
    for row in rows:
        (result,) = (p for p in found["protocols"] if p["protocol"] == row["protocol"])
        figure = result["systems"][row["system"]]["figures"][row["figure"]]
        assert (float(row["value"]) if row["value"] else None) == figure["value"]
