"""Where classes lie: means and covariance stand for clips that are not at hand."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny

from seacall.errors import CheckpointError
from seacall.models.bank import RANK, bank_of, read_bank, write_bank
from seacall.models.checkpoint import BANK_NAME, read_card, write_card


def clips(n: int = 4_000, d: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    mix = rng.standard_normal((d, d))
    targets = np.arange(n) % 3
    means = rng.normal(0, 20, (3, d))
    return means[targets] + rng.standard_normal((n, d)) @ mix, targets


def test_what_is_drawn_has_the_means_and_the_spread_of_the_clips():
    x, targets = clips()
    bank = bank_of(x, targets, n_classes=4)
    assert np.isnan(bank.means[3]).all()
    drawn, of = bank.drawn(np.random.default_rng(0), 4_000)
    assert set(of) == {0, 1, 2}
    for c in range(3):
        own = x[targets == c]
        np.testing.assert_allclose(
            drawn[of == c].mean(axis=0), own.mean(axis=0), atol=0.5
        )
    apart = np.concatenate([drawn[of == c] - bank.means[c] for c in range(3)])
    within = np.concatenate(
        [x[targets == c] - x[targets == c].mean(axis=0) for c in range(3)]
    )
    np.testing.assert_allclose(apart.std(axis=0), within.std(axis=0), rtol=0.1)
    # The directions that matter most are kept whole.
    largest = np.linalg.svd(within, full_matrices=False)[2][0]
    assert (apart @ largest).std() == pytest.approx((within @ largest).std(), rel=0.1)


def test_nothing_negative_is_drawn_behind_a_relu():
    x, targets = clips()
    bank = bank_of(np.maximum(x, 0), targets, n_classes=3)
    assert bank.drawn(np.random.default_rng(0), 50)[0].min() >= 0


def test_one_clip_a_class_has_a_mean_and_no_spread():
    bank = bank_of(np.eye(3), np.arange(3), n_classes=3)
    drawn, of = bank.drawn(np.random.default_rng(0), 2)
    np.testing.assert_allclose(drawn, np.eye(3)[of], atol=1e-12)


@pytest.fixture
def folder(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path, dirs_exist_ok=True)
    x, targets = clips(60, 96)
    bank = bank_of(x, targets, n_classes=len(tiny.LABELS))
    write_bank(tmp_path, bank)
    return write_card(tmp_path, read_card(tmp_path)), bank


def test_a_folder_gives_back_what_was_written_to_half_precision(folder, tmp_path):
    card, bank = folder
    found = read_bank(tmp_path, card, length=96)
    np.testing.assert_allclose(found.means, bank.means, rtol=1e-3, atol=1e-2)
    assert found.factor.shape == (RANK, 96)


def test_writing_it_twice_gives_the_same_bytes(folder, tmp_path):
    _, bank = folder
    first = (tmp_path / BANK_NAME).read_bytes()
    write_bank(tmp_path, bank)
    assert (tmp_path / BANK_NAME).read_bytes() == first


def test_it_is_no_part_of_what_makes_the_model(folder, tmp_path):
    card, _ = folder
    assert BANK_NAME in card.files
    assert BANK_NAME not in card.weights


@pytest.mark.parametrize(
    "content",
    [
        np.zeros((3, 96), np.float16),
        np.zeros((len(tiny.LABELS) + RANK + 1, 96), np.float64),
        np.full((len(tiny.LABELS) + RANK + 1, 96), np.nan, np.float16),
        np.array([{"a": 1}], object),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(folder, tmp_path, content):
    np.save(tmp_path / BANK_NAME, content, allow_pickle=True)
    card = write_card(tmp_path, read_card(tmp_path))
    with pytest.raises(CheckpointError, match="copy the model folder again"):
        read_bank(tmp_path, card, length=96)


def test_a_bank_that_was_changed_is_refused(folder, tmp_path):
    card, _ = folder
    with (tmp_path / BANK_NAME).open("ab") as file:
        file.write(b"!")
    with pytest.raises(CheckpointError, match="sha256"):
        read_bank(tmp_path, card, length=96)
