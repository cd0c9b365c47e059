"""Attention against the paper's equations, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from seacall.models.cbam import CBAM, ChannelAttention, SpatialAttention


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def weights_of(layer: torch.nn.Module) -> dict[str, np.ndarray]:
    return {k: v.numpy().astype(np.float64) for k, v in layer.state_dict().items()}


def channel_attention(f: np.ndarray, w0: np.ndarray, w1: np.ndarray) -> np.ndarray:
    """Woo et al. (2018), equation 2, applied to ``f``, (batch, channels, h, w)."""

    def mlp(v: np.ndarray) -> np.ndarray:
        return np.maximum(v @ w0.T, 0) @ w1.T

    m = sigmoid(mlp(f.mean(axis=(2, 3))) + mlp(f.max(axis=(2, 3))))
    return f * m[:, :, None, None]


def spatial_attention(f: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Woo et al. (2018), equation 3: [average; maximum] over channels, one 7x7."""
    maps = np.stack([f.mean(axis=1), f.max(axis=1)], axis=1)
    r = kernel.shape[-1] // 2
    padded = np.pad(maps, ((0, 0), (0, 0), (r, r), (r, r)))
    windows = sliding_window_view(padded, kernel.shape[-2:], axis=(2, 3))
    m = sigmoid(np.einsum("bchwij,cij->bhw", windows, kernel[0]))
    return f * m[:, None]


@pytest.fixture
def maps(rng) -> np.ndarray:
    return rng.normal(size=(3, 64, 12, 8))


def run(layer: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return layer(torch.from_numpy(x.astype(np.float32))).numpy()


def test_channel_attention_is_equation_2(maps):
    layer = ChannelAttention(64, reduction=8)
    w = weights_of(layer)
    expected = channel_attention(maps, w["mlp.0.weight"], w["mlp.2.weight"])
    np.testing.assert_allclose(run(layer, maps), expected, atol=1e-5)


def test_spatial_attention_is_equation_3(maps):
    layer = SpatialAttention(kernel_size=7)
    expected = spatial_attention(maps, weights_of(layer)["conv.weight"])
    np.testing.assert_allclose(run(layer, maps), expected, atol=1e-5)


def test_the_block_attends_to_channels_first_and_then_to_places(maps):
    block = CBAM(64)
    w = weights_of(block)
    channels = channel_attention(
        maps, w["channel.mlp.0.weight"], w["channel.mlp.2.weight"]
    )
    expected = spatial_attention(channels, w["spatial.conv.weight"])
    np.testing.assert_allclose(run(block, maps), expected, atol=1e-5)


def test_the_shared_layers_are_eight_times_narrower_and_the_kernel_is_7x7():
    shapes = {name: tuple(v.shape) for name, v in CBAM(64).state_dict().items()}
    assert shapes == {
        "channel.mlp.0.weight": (8, 64),
        "channel.mlp.2.weight": (64, 8),
        "spatial.conv.weight": (1, 2, 7, 7),
    }


@pytest.mark.parametrize("shape", [(1, 64, 1, 1), (2, 64, 12, 8), (1, 64, 5, 31)])
def test_any_size_of_map_keeps_its_shape(shape, rng):
    assert run(CBAM(64), rng.normal(size=shape)).shape == shape


def test_few_channels_still_get_a_hidden_layer(rng):
    assert run(CBAM(4), rng.normal(size=(1, 4, 3, 3))).shape == (1, 4, 3, 3)


def test_attention_only_ever_turns_down(maps):
    out = run(CBAM(64), maps)
    assert (np.abs(out) <= np.abs(maps) + 1e-6).all()
    assert (np.sign(out) == np.sign(maps.astype(np.float32))).all()
