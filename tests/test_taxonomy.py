from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.audio.repertoire import KINDS
from seacall.errors import AnnotationError
from seacall.species import BALEEN, FAMILIES, GROUPS, SEAL, SPECIES, TOOTHED
from seacall.taxonomy import (
    LEVELS,
    TAXA,
    Taxon,
    fall_back,
    level_matrix,
    normalised,
    read_taxa,
    taxon_of,
)

WATKINS = re.split(
    r"\s",
    "Clymene_Dolphin Bottlenose_Dolphin Spinner_Dolphin Beluga,_White_Whale "
    "Bearded_Seal Minke_Whale Humpback_Whale Southern_Right_Whale White-sided_Dolphin "
    "Narwhal White-beaked_Dolphin Northern_Right_Whale Frasers_Dolphin Common_Dolphin "
    "Grampus,_Rissos_Dolphin Harp_Seal Atlantic_Spotted_Dolphin Fin,_Finback_Whale "
    "Ross_Seal Rough-Toothed_Dolphin Killer_Whale Pantropical_Spotted_Dolphin "
    "Short-Finned_Pacific_Pilot_Whale Bowhead_Whale False_Killer_Whale Walrus "
    "Melon_Headed_Whale Long-Finned_Pilot_Whale Striped_Dolphin Leopard_Seal "
    "Sperm_Whale Weddell_Seal Beluga_White_Whale",
)
DOLPHINS = ["Striped Dolphin", "Common Dolphin", "Beluga", "Fin Whale", "unknown"]


@pytest.mark.parametrize("label", WATKINS)
def test_every_species_of_the_watkins_collection_is_listed(label):
    assert taxon_of(label) is not None


@pytest.mark.parametrize("label", [kind.label for kind in KINDS])
def test_every_simulated_species_is_listed(label):
    assert taxon_of(label) is not None


@pytest.mark.parametrize(
    ("label", "family", "group"),
    [
        ("Northern_Right_Whale", "Balaenidae", BALEEN),
        ("north_atlantic_right_whale", "Balaenidae", BALEEN),
        ("Northern right whale dolphin", "Delphinidae", TOOTHED),
        ("killer-whale", "Delphinidae", TOOTHED),
        ("Orcinus orca", "Delphinidae", TOOTHED),
        ("False Killer Whale", "Delphinidae", TOOTHED),
        ("sei_whale", "Balaenopteridae", BALEEN),
        ("gray_whale", "Eschrichtiidae", BALEEN),
        ("mixed_blue_and_fin_whale", "Balaenopteridae", BALEEN),
        ("dolphin_unspecified", "Delphinidae", TOOTHED),
        ("odontocete_unspecified", "", TOOTHED),
        ("pinniped", "", SEAL),
        ("WALRUS", "Odobenidae", SEAL),
    ],
)
def test_labels_are_found_however_they_are_written(label, family, group):
    assert taxon_of(label) == Taxon(family, group)


@pytest.mark.parametrize("label", ["unknown", "noise_vessel", "fish", "seals and fish"])
def test_what_is_no_marine_mammal_is_not_listed(label):
    assert taxon_of(label) is None


def test_every_listed_family_has_a_group_and_a_word():
    for taxon in TAXA.values():
        assert taxon.group in GROUPS
        if taxon.family:
            assert FAMILIES[taxon.family][0] == taxon.group


def test_no_name_is_listed_in_two_families():
    from seacall.taxonomy import _names

    names = [name for text in SPECIES.values() for name in _names(text)]
    assert len(names) == len(set(names))


@given(
    st.lists(st.from_regex("[a-z]{2,8}", fullmatch=True), min_size=1),
    st.sampled_from([" ", "_", "-", ",_", "  "]),
)
def test_separators_and_capitals_make_no_difference(words, separator):
    written = separator.join(word.title() for word in words)
    assert normalised(written) == " ".join(words)


def test_labels_without_a_family_are_a_taxon_of_their_own():
    names, matrix = level_matrix(["Orca", "pinniped", "ship", "unknown"], "family")
    assert names == ("Delphinidae", "pinniped", "ship", "unknown")
    assert (matrix == np.eye(4)).all()


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_keeps_the_sum_of_the_scores(level, rng):
    scores = rng.dirichlet(np.ones(len(DOLPHINS)), size=20)
    names, matrix = level_matrix(DOLPHINS, level)
    assert matrix.shape == (len(DOLPHINS), len(names))
    np.testing.assert_allclose((scores @ matrix).sum(axis=1), 1)


def test_the_answer_is_the_deepest_level_that_is_sure_enough():
    scores = [
        [0.75, 0.05, 0.1, 0.05, 0.05],
        [0.4, 0.35, 0.1, 0.1, 0.05],
        [0.3, 0.2, 0.25, 0.2, 0.05],
        [0.2, 0.1, 0.1, 0.5, 0.1],
        [0.05, 0.05, 0.05, 0.05, 0.8],
    ]
    answers = fall_back(scores, DOLPHINS, threshold=0.7)
    assert [answer.text for answer in answers] == [
        "Striped Dolphin",
        "dolphin, species uncertain",
        "toothed whale, family uncertain",
        "unknown",
        "unknown",
    ]
    assert [a.level for a in answers] == ["species", "family", "group", None, "species"]
    assert answers[3].score == pytest.approx(0.5)


def test_each_level_may_have_its_own_threshold():
    thresholds = {"species": 0.3, "family": 0.8, "group": 0.9}
    (answer,) = fall_back([[0.4, 0.35, 0.1, 0.1, 0.05]], DOLPHINS, threshold=thresholds)
    assert answer == ("species", "Striped Dolphin", pytest.approx(0.4))


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1))
def test_a_higher_level_answers_whatever_a_lower_one_would_have(seed, lowest):
    scores = np.random.default_rng(seed).dirichlet(np.ones(5), size=8)
    for row, answer in zip(
        scores, fall_back(scores, DOLPHINS, threshold=lowest), strict=True
    ):
        best = row.max() >= lowest
        assert (answer.level == "species") == best
        if answer.level is None:
            assert row[:3].sum() < lowest


def test_scores_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"scores must be \(n, 5\)"):
        fall_back([[0.5, 0.5]], DOLPHINS)


def test_a_user_adds_taxa_and_corrects_them(tmp_path):
    path = tmp_path / "taxa.csv"
    path.write_text(
        "label,family,group\nB\u00e9luga blanc,Monodontidae,toothed whale\n"
        "Grampus,Grampidae,toothed whale\nsomething,,seal\n",
        encoding="utf-8",
    )
    taxa = read_taxa(path)
    assert taxon_of("beluga BLANC", taxa=taxa) == Taxon("Monodontidae", TOOTHED)
    assert taxon_of("grampus", taxa=taxa) == Taxon("Grampidae", TOOTHED)
    assert taxon_of("Orca", taxa=taxa) == taxon_of("Orca")
    names, _ = level_matrix(["something", "Orca"], "group", taxa=taxa)
    assert names == (SEAL, TOOTHED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,family,group\nOrca,Delphinidae,whale\n", "group 'whale' does not"),
        ("label,family,group\n,Delphinidae,seal\n", "has no label"),
        ("name\nOrca\n", "row 2: has no label"),
    ],
)
def test_a_wrong_table_of_taxa_is_refused(tmp_path, text, message):
    path = tmp_path / "taxa.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError, match=message):
        read_taxa(path)


def test_a_missing_table_of_taxa_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match="cannot be read as a table of taxa"):
        read_taxa(tmp_path / "none.csv")
