"""Pruning: the channels that stay are the strongest, and compute what they did."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from seacall.config import TrainSettings
from seacall.deploy.prune import PruneSettings, prune, pruned
from seacall.errors import CheckpointError
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.models.backend import OnnxClassifier, TorchClassifier
from seacall.models.checkpoint import read_card
from seacall.models.network import load_model, load_network, save_model, save_pth
from seacall.models.student import CHANNELS, AudioTransformerStudent

LONG = TrainSettings(epochs=40, batch_size=4, warmup_epochs=1, stop_patience=40)


def inputs(n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    log_mel = torch.randn(n, 2, 96, 64, generator=rng)
    return log_mel, torch.randn(n, 18, generator=rng)


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.75, 0.01])
def test_a_share_of_each_convolutions_channels_stays(keep):
    small = pruned(tiny.network(), keep=keep)
    assert small.channels == tuple(max(1, round(keep * n)) for n in CHANNELS)
    logits = small(*inputs())
    assert logits.shape == (3, len(tiny.LABELS))
    assert torch.isfinite(logits).all()


def test_channels_that_say_nothing_can_go_without_a_trace():
    """Where batch norm lets nothing of a channel through, its loss changes nothing."""
    whole = tiny.network()
    dead = {0: range(3, 11), 4: range(0, 32, 2), 8: range(20, 52)}
    with torch.no_grad():
        for place, rows in dead.items():
            whole.cnn[place + 1].weight[list(rows)] = 0
            whole.cnn[place + 1].bias[list(rows)] = 0
        # Attention reads maxima and means over all channels: make it listen to none.
        whole.attention.spatial.conv.weight.zero_()
        whole.attention.channel.mlp[0].weight.zero_()
    small = pruned(whole, keep=0.5)
    assert small.channels == (8, 16, 32)
    torch.testing.assert_close(small(*inputs()), whole(*inputs()), rtol=1e-4, atol=1e-5)


def test_a_pruned_student_of_half_the_channels_is_much_smaller():
    def size(network):
        return sum(p.numel() for p in network.parameters())

    assert size(pruned(tiny.network(), keep=0.5)) < 0.65 * size(tiny.network())


@pytest.fixture(scope="module")
def folder(tiny_dataset, tmp_path_factory):
    place = tmp_path_factory.mktemp("prune")
    save_model(tiny.network(), place / "whole", tiny.card(metrics={"figures": {}}))
    settings = PruneSettings(keep=0.5, train=LONG)
    prune(place / "whole", settings, tiny.context(tiny_dataset, place / "small"))
    return place / "small"


def test_the_result_is_a_model_folder_that_both_engines_run(folder):
    card = read_card(folder)
    assert card.channels == (8, 16, 32)
    assert card.metrics == {}
    assert "Pruned to 50 % of the channels" in card.limits[-1]
    assert card.n_parameters < 32_000
    assert isinstance(load_network(folder), AudioTransformerStudent)
    log_mel, features = (x.numpy() for x in inputs())
    np.testing.assert_allclose(
        OnnxClassifier(folder).logits(log_mel, features),
        TorchClassifier(folder).logits(log_mel, features),
        atol=1e-4,
    )


def test_training_brings_the_answers_nearer_to_the_whole_students(folder, tiny_dataset):
    card = read_card(folder)
    dataset = load_dataset(tiny_dataset, card.front_end, observer=Silent())
    log_mel, features, _ = dataset.tensors("train")
    whole = tiny.network()
    with torch.no_grad():
        expected = whole(log_mel, features).softmax(1)
        before = pruned(whole, keep=0.5)(log_mel, features).softmax(1)
        after = load_network(folder).eval()(log_mel, features).softmax(1)
    assert (after - expected).abs().mean() < 0.7 * (before - expected).abs().mean()


def test_a_pruned_student_goes_through_a_pth_file(folder, tmp_path):
    small = load_network(folder).eval()
    save_pth(small, tmp_path / "small.pth", read_card(folder))
    again, _ = load_model(tmp_path / "small.pth")
    torch.testing.assert_close(again.eval()(*inputs()), small(*inputs()))


def test_only_students_are_pruned(tiny_dataset, tmp_path):
    card = tiny.card("VGGishTeacher")
    save_model(tiny.network("VGGishTeacher"), tmp_path / "t", card)
    with pytest.raises(CheckpointError, match="only students are pruned"):
        prune(
            tmp_path / "t", PruneSettings(), tiny.context(tiny_dataset, tmp_path / "o")
        )
