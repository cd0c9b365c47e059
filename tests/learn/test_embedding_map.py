"""What embeddings are sorted by is measured, and drawn where nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from seacall.learn.dataset import load_dataset
from seacall.learn.embedding_map import Embedded, principal_axes, write_map
from seacall.learn.embedding_probe import directions, lines, probe, verdict
from seacall.learn.measure import measure
from seacall.learn.observe import Silent

PLACES = ("a", "b", "c", "d")
KINDS = ("orca", "beluga", "minke")


def clips(n=6):
    """Every species at every place, ``n`` clips each."""
    pairs = [(s, d) for s in KINDS for d in PLACES for _ in range(n)]
    return [s for s, _ in pairs], [d for _, d in pairs]


def embedded(rng, *, by_species=0.0, by_place=0.0, n=6):
    """Numbers that carry species, place and noise, each to its own part."""
    species, places = clips(n)
    x = rng.normal(0, 1, (len(species), 12))
    x[:, :3] += 10 * by_species * np.eye(3)[[KINDS.index(s) for s in species]]
    x[:, 3:7] += 10 * by_place * np.eye(4)[[PLACES.index(p) for p in places]]
    return x, species, places


def measured(x, species, places):
    return probe(x, species, places, rng=np.random.default_rng(1))


def test_a_model_that_hears_the_animal_sorts_by_animal(rng):
    found = measured(*embedded(rng, by_species=1.0))
    assert found.species.share > 0.95
    assert found.species.chance < 0.5
    assert found.deployment.interval[0] < found.deployment.chance
    assert verdict(found).startswith("It sorts by animal more")


def test_a_model_that_hears_the_recorder_sorts_by_hydrophone(rng):
    found = measured(*embedded(rng, by_place=1.0))
    assert found.deployment.share > 0.9
    assert found.deployment.chance == pytest.approx(5 / 23, abs=0.03)
    assert found.species.interval[0] < found.species.chance + 0.05
    assert "hydrophone more than by animal" in verdict(found)


def test_one_that_hears_both_is_said_to_sort_by_both(rng):
    found = measured(*embedded(rng, by_species=1.0, by_place=1.0))
    assert found.deployment.share > 0.9
    assert found.species.share > 0.9
    assert "do not tell by which more" in verdict(found)


def test_noise_is_sorted_by_nothing_but_for_one_time_in_twenty():
    found = [measured(*embedded(np.random.default_rng(k), n=5)) for k in range(20)]
    mean = np.mean([one.deployment.above_chance for one in found])
    assert mean == pytest.approx(0, abs=0.03)
    assert sum("neither" not in verdict(one) for one in found) <= 3


def test_embeddings_that_are_all_alike_tell_nothing(rng):
    _, species, places = embedded(rng)
    found = measured(np.ones((len(species), 5)), species, places)
    assert np.isfinite(found.species.share)
    assert found.species.above_chance < 0.7


def test_the_share_is_that_of_scikit_learns_neighbours(rng):
    x, species, places = embedded(rng, by_species=0.25, by_place=0.15)
    unit, right = directions(x), {}
    for k, (s, d) in enumerate(zip(species, places, strict=True)):
        same = [i for i, one in enumerate(species) if one == s and i != k]
        near = NearestNeighbors(n_neighbors=1).fit(unit[same])
        j = same[near.kneighbors(unit[k : k + 1])[1][0, 0]]
        right.setdefault((s, d), []).append(places[j] == d)
    expected = np.mean([np.mean(one) for one in right.values()])
    assert measured(x, species, places).deployment.share == pytest.approx(expected)


def test_chance_with_species_in_blocks_is_not_that_of_single_clips(rng):
    """Six deployments of one species each: a wrong block is wrong as a whole."""
    places = [f"d{k}" for k in range(6) for _ in range(10)]
    species = [KINDS[k % 3] for k in range(6) for _ in range(10)]
    x = rng.normal(0, 0.1, (60, 4)) + np.repeat(rng.normal(0, 1, (6, 4)), 10, axis=0)
    found = measured(x, species, places).species
    assert not found.is_there
    # Of the five other deployments one has the same species.
    assert found.chance == pytest.approx(1 / 5, abs=0.05)


def test_species_of_one_deployment_and_unknown_clips_are_left_out(rng):
    x, species, places = embedded(rng, by_species=1.0)
    more = [*species, "lonely", "unknown", "orca"]
    there = [*places, "a", "b", ""]
    found = measured(np.vstack([x, rng.normal(0, 1, (3, 12))]), more, there)
    assert found.species.n_clips == len(species)
    assert found.species.n_species == 3


@pytest.mark.parametrize(
    ("species", "places"),
    [
        (["orca"], ["a"]),
        (["orca", "beluga"], ["a", "a"]),
        (["unknown"] * 4, ["a", "a", "b", "b"]),
        (["orca", "orca"], ["", ""]),
        (["orca", "orca"], ["a", "b"]),
    ],
)
def test_clips_that_cannot_tell_are_said_to(species, places, rng):
    found = measured(rng.normal(0, 1, (len(species), 3)), species, places)
    assert lines(found)[-1].startswith("These clips cannot tell")


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_turning_and_scaling_the_numbers_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    x, species, places = embedded(rng, by_species=0.3, n=2)
    order = rng.permutation(12)
    one = measured(x, species, places)
    other = measured(3.5 * x[:, order] + 2, species, places)
    assert one == other


def test_axes_are_those_of_scikit_learn(rng):
    x = rng.normal(0, 1, (50, 9)) * np.arange(1, 10)
    places, shares = principal_axes(x)
    expected = PCA(4).fit(directions(x))
    np.testing.assert_allclose(shares, expected.explained_variance_ratio_, rtol=1e-6)
    theirs = expected.transform(directions(x))
    np.testing.assert_allclose(np.abs(places), np.abs(theirs), atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5), (9, 1)])
def test_a_map_of_little_has_empty_axes(shape, rng):
    places, shares = principal_axes(rng.normal(0, 1, shape))
    assert places.shape == (shape[0], 4)
    assert np.isfinite(places).all()
    assert shares[-1] == pytest.approx(0)


def page_of(tmp_path, name="a.wav", n=4):
    rng = np.random.default_rng(0)
    found = Embedded(
        embeddings=rng.normal(0, 1, (n, 6)),
        files=(name, *(f"{k}.wav" for k in range(1, n))),
        species=("orca", "unknown") * (n // 2),
        deployments=("", "north") * (n // 2),
        sample_rates=(44_100, 96_000) * (n // 2),
        splits=("train", "test") * (n // 2),
    )
    write_map(found, tmp_path, title="Map: <student>")
    return (tmp_path / "embedding_map.html").read_text(encoding="utf-8")


def test_the_page_runs_its_own_script_only_and_fetches_nothing(tmp_path):
    page = page_of(tmp_path)
    policy = re.search(r'content="(default-src[^"]*)"', page)[1]
    code = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert "http" not in page.replace("http-equiv", "")


def test_no_file_name_gets_out_of_the_data(tmp_path):
    name = "</script><script>alert(1)</script>\udcff.wav"
    page = page_of(tmp_path, name)
    assert page.count("<script") == 2
    assert "Map: &lt;student&gt;" in page
    held = re.search(r'type="application/json">(.*?)</script>', page, re.DOTALL)[1]
    data = json.loads(held)
    assert data["files"][0] == name
    assert data["colours"]["deployment"] == ["not known", "north"] * 2
    assert data["colours"]["recorder"][:2] == ["44.1 kHz", "96 kHz"]


def test_evaluating_a_model_draws_its_map(tiny_dataset, tiny_student, tmp_path):
    dataset = load_dataset(
        tiny_dataset, tiny.FRONT_END.front_end(), observer=Silent(), labels=tiny.LABELS
    )
    measure(tiny_student, dataset, out=tmp_path, observer=Silent())
    figures = json.loads((tmp_path / "embedding_map.json").read_text(encoding="utf-8"))
    assert figures["n_clips"] == 24
    animal = figures["species_with_deployment_held_out"]
    assert (animal["n_clips"], animal["n_deployments"]) == (24, 4)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'href="embedding_map.html"' in report
    assert figures["verdict"] in report
    assert (tiny_student / "embedding_map.html").is_file()
