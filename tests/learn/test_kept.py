"""Vectors of clips and views on disk: found again, or computed anew."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from seacall.augmentation import AugmentSettings
from seacall.learn.kept import KeptVectors, weights_sha256

SHA = "ab" * 32
FRONT_END = tiny.FRONT_END.front_end()
X = np.arange(5, dtype=np.float32)


def kept(root, network="n" * 64, augment=None, front_end=FRONT_END) -> KeptVectors:
    return KeptVectors.beside(root, network, front_end, augment)


def test_a_vector_is_found_again_by_clip_and_view(tmp_path):
    store = kept(tmp_path, augment=AugmentSettings(n_views=3))
    for view in range(3):
        store.save(X + view, SHA, view)
    for view in range(3):
        np.testing.assert_array_equal(store.load(SHA, view, length=5), X + view)
    assert store.load("cd" * 32, 0, length=5) is None
    assert store.load(SHA, 3, length=5) is None


def test_other_networks_front_ends_and_views_are_kept_apart(tmp_path):
    augment = AugmentSettings(n_views=2)
    kept(tmp_path, augment=augment).save(X, SHA, 1)
    seeded = augment.model_copy(update={"seed": 9})
    longer = tiny.FRONT_END.model_copy(update={"duration_s": 2.0}).front_end()
    for other in (
        kept(tmp_path, "m" * 64, augment),
        kept(tmp_path, augment=seeded),
        kept(tmp_path, augment=augment, front_end=longer),
    ):
        assert other.load(SHA, 1, length=5) is None


def test_the_clip_itself_is_shared_by_all_ways_to_change_it(tmp_path):
    kept(tmp_path).save(X, SHA, 0)
    store = kept(tmp_path, augment=AugmentSettings(n_views=4))
    np.testing.assert_array_equal(store.load(SHA, 0, length=5), X)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_what_is_damaged_counts_as_not_there(tmp_path, content):
    store = kept(tmp_path)
    store.save(X, SHA, 0)
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(content)
    assert store.load(SHA, 0, length=5) is None


def test_a_vector_of_another_length_counts_as_not_there(tmp_path):
    store = kept(tmp_path)
    store.save(X, SHA, 0)
    assert store.load(SHA, 0, length=6) is None


def test_a_place_that_is_no_folder_is_said_and_it_goes_on(tmp_path, caplog):
    (tmp_path / ".seacall-cache").write_text("a file")
    kept(tmp_path).save(X, SHA, 0)
    assert "nothing is kept" in caplog.text


def test_the_hash_of_weights_tells_networks_apart():
    one, two = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    assert weights_sha256(one) != weights_sha256(two)
    two.load_state_dict(one.state_dict())
    assert weights_sha256(one) == weights_sha256(two)
