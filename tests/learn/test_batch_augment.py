"""What is done to a batch: identities, statistics, and whose target counts how much."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from seacall.augmentation import AugmentSettings, MaskSettings
from seacall.learn.batch_augment import (
    BatchAugment,
    Varied,
    _choose_masks,
    mask,
    mix,
    mix_style,
)
from seacall.learn.distill import DistillationLoss
from seacall.learn.epoch import _loss
from seacall.learn.train import LabelLoss


def batch(n: int = 6, *, n_patches: int = 2, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    levels = torch.arange(n)[:, None, None, None]
    return torch.randn(n, n_patches, 96, 64, generator=g) * (1 + levels) + levels


def settings(**values: object) -> AugmentSettings:
    return AugmentSettings.model_validate(values)


def vary(x: torch.Tensor, seed: int = 0, **values: object) -> Varied:
    augment = BatchAugment(settings(**values), np.random.default_rng(seed))
    return augment(x, torch.arange(18.0).repeat(len(x), 1))


def test_by_default_a_batch_is_left_alone():
    x = batch()
    varied = vary(x)
    assert varied.x is x
    assert varied.partners is None
    assert varied.weight == 1


# ------------------------------------------------------------------ Freq-MixStyle


def test_mixstyle_with_weight_one_is_the_identity():
    x = batch()
    found = mix_style(x, partners=torch.arange(6).flip(0), weights=torch.ones(6))
    assert torch.equal(found, x)


def test_mixstyle_with_weight_zero_takes_the_partners_statistics():
    x, partners = batch(), torch.arange(6).flip(0)
    found = mix_style(x, partners=partners, weights=torch.zeros(6))
    torch.testing.assert_close(found.mean((1, 2)), x.mean((1, 2))[partners])
    torch.testing.assert_close(
        found.std((1, 2)), x.std((1, 2))[partners], rtol=1e-4, atol=1e-4
    )


def test_mixstyle_keeps_what_is_not_statistics():
    x, partners = batch(), torch.arange(6).flip(0)
    found = mix_style(x, partners=partners, weights=torch.full((6,), 0.4))
    for a, b in ((x, found),):
        shape_a = (a - a.mean((1, 2), keepdim=True)) / a.std((1, 2), keepdim=True)
        shape_b = (b - b.mean((1, 2), keepdim=True)) / b.std((1, 2), keepdim=True)
        torch.testing.assert_close(shape_a, shape_b, rtol=1e-3, atol=1e-3)


def test_mixstyle_of_a_band_that_never_changes_is_finite():
    x = batch()
    x[:3, :, :, 10] = -9.0
    found = mix_style(x, partners=torch.arange(6).flip(0), weights=torch.rand(6))
    assert found.isfinite().all()
    assert found[0, :, :, 10].std() < 1e-6


# ------------------------------------------------------------------ masks


def test_a_mask_hides_with_the_clips_mean_and_touches_nothing_else():
    x = batch()
    hidden = torch.zeros_like(x, dtype=torch.bool)
    hidden[2, 0, 10:20] = True
    found = mask(x, hidden)
    assert torch.equal(found[~hidden], x[~hidden])
    torch.testing.assert_close(found[2, 0, 10:20], x[2].mean().expand(10, 64))


def test_masks_are_stretches_no_longer_than_allowed():
    limits = MaskSettings(probability=1.0, n_masks=1, n_frames=12, n_bands=5)
    hidden = _choose_masks(np.random.default_rng(0), (200, 2, 96, 64), limits)
    times = hidden.all(axis=3)
    bands = hidden.all(axis=(1, 2))
    for one, longest in ((times.reshape(-1, 96), 12), (bands, 5)):
        lengths = one.sum(axis=1)
        assert lengths.max() == longest
        edges = np.abs(np.diff(np.pad(one.astype(int), ((0, 0), (1, 1))), axis=1))
        assert np.all(edges.sum(axis=1) <= 2)
    # Any place may be hidden, the first and the last too.
    assert times.any(axis=(0, 1)).all()
    assert bands.any(axis=0).all()


def test_masks_hide_some_clips_only():
    limits = MaskSettings(probability=0.5, n_frames=40, n_bands=20)
    hidden = _choose_masks(np.random.default_rng(0), (1000, 1, 96, 64), limits)
    share = hidden.any(axis=(1, 2, 3)).mean()
    assert share == pytest.approx(0.5, abs=0.06)


# ------------------------------------------------------------------ mixup


def test_mixup_of_equal_clips_is_the_identity():
    x = batch()[:1].repeat(4, 1, 1, 1)
    found = mix(x, partners=torch.tensor([3, 0, 1, 2]), weight=0.3)
    torch.testing.assert_close(found, x)


def test_mixup_is_the_weighted_sum():
    x, partners = batch(), torch.arange(6).flip(0)
    found = mix(x, partners=partners, weight=0.7)
    torch.testing.assert_close(found, 0.7 * x + 0.3 * x[partners])


def test_input_and_features_are_mixed_with_the_same_partner():
    x = torch.arange(5.0)[:, None].repeat(1, 3)
    augment = BatchAugment(settings(mixup={"probability": 1}), np.random.default_rng(3))
    found = augment(x, 10 * x)
    torch.testing.assert_close(found.features, 10 * found.x)
    expected = found.weight * x + (1 - found.weight) * x[found.partners]
    torch.testing.assert_close(found.x, expected)
    assert 0.5 <= found.weight <= 1


@pytest.mark.parametrize(
    "criterion", [LabelLoss(), DistillationLoss(), DistillationLoss(method="decoupled")]
)
def test_a_weight_of_one_leaves_the_loss(criterion: nn.Module):
    g = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(2, 6, 4, generator=g)
    targets = torch.arange(6) % 4
    varied = Varied(logits, logits, partners=torch.arange(6).flip(0), weight=1.0)
    plain = criterion(logits, teacher, targets)
    assert torch.equal(_loss(criterion, logits, teacher, targets, varied), plain)


def test_the_mixed_loss_is_cross_entropy_with_the_mixed_target():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=g)
    targets, partners = torch.arange(6) % 4, torch.arange(6).flip(0)
    varied = Varied(logits, logits, partners=partners, weight=0.8)
    hot = nn.functional.one_hot(targets, 4).float()
    soft = 0.8 * hot + 0.2 * hot[partners]
    found = _loss(LabelLoss(), logits, torch.zeros(6, 0), targets, varied)
    torch.testing.assert_close(found, nn.functional.cross_entropy(logits, soft))


# ------------------------------------------------------------------ chance


def test_a_seed_decides_everything():
    on = {k: {"probability": 0.7} for k in ("mask", "mixstyle", "mixup")}
    first, again, other = (vary(batch(), seed, **on) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize("kind", ["mixstyle", "mixup"])
def test_batches_are_changed_as_often_as_the_probability_says(kind):
    augment = BatchAugment(
        settings(**{kind: {"probability": 0.25}}), np.random.default_rng(0)
    )
    x = torch.randn(3, 1, 4, 4)
    changed = [augment(x, x).x is not x for _ in range(1000)]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.06)
