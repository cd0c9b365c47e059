"""Both networks: what they take, how big they are, and what may not change a score."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from seacall.audio.features import FEATURE_FACTORS
from seacall.models.inputs import InputScale, as_patches
from seacall.models.size import model_size
from seacall.models.student import AudioTransformerStudent
from seacall.models.vggish import N_EMBEDDING, TeacherHead, VGGishTeacher

NETWORKS = ("AudioTransformerStudent", "VGGishTeacher")


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    return {name: tiny.network(name, 20) for name in NETWORKS}


@pytest.fixture(params=NETWORKS)
def network(request, networks):
    return networks[request.param]


def inputs(n_clips: int, n_patches: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    log_mel = torch.randn(n_clips, n_patches, 96, 64, generator=g) * 3 - 5
    features = torch.randn(n_clips, 18, generator=g)
    return log_mel, features * torch.from_numpy(FEATURE_FACTORS).float()


def logits(network: torch.nn.Module, *args: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return network(*args).numpy()


def n_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# ------------------------------------------------------------------ input


@pytest.mark.parametrize(("n_clips", "n_patches"), [(1, 1), (2, 5), (3, 7)])
def test_any_number_of_clips_and_patches_gives_one_row_a_clip(
    network, n_clips, n_patches
):
    found = logits(network, *inputs(n_clips, n_patches))
    assert found.shape == (n_clips, 20)
    assert np.isfinite(found).all()


def test_one_patch_needs_no_patch_axis(network):
    log_mel, features = inputs(3, 1)
    np.testing.assert_array_equal(
        logits(network, log_mel[:, 0], features), logits(network, log_mel, features)
    )


def test_the_order_of_patches_does_not_matter(network):
    log_mel, features = inputs(2, 5)
    turned = logits(network, log_mel[:, [3, 1, 4, 0, 2]], features)
    np.testing.assert_allclose(turned, logits(network, log_mel, features), atol=1e-5)


def test_one_patch_repeated_gives_the_same_logits(network):
    log_mel, features = inputs(2, 1)
    repeated = logits(network, log_mel.repeat(1, 6, 1, 1), features)
    np.testing.assert_allclose(repeated, logits(network, log_mel, features), atol=1e-5)


def test_a_clip_is_scored_the_same_alone_and_in_a_batch(network):
    log_mel, features = inputs(4, 3)
    together = logits(network, log_mel, features)
    alone = logits(network, log_mel[2:3], features[2:3])
    np.testing.assert_allclose(alone, together[2:3], atol=1e-5)


@pytest.mark.parametrize("shape", [(96, 64), (2, 64, 96), (2, 5, 64, 96), (2, 3, 96)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"need log-mel of shape .* got \("):
        as_patches(torch.zeros(shape))


def test_every_weight_learns(network):
    log_mel, features = inputs(2, 2)
    network.zero_grad()
    network(log_mel, features).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
    network.zero_grad()


def test_both_patches_and_features_change_the_answer(network):
    log_mel, features = inputs(2, 2)
    before = logits(network, log_mel, features)
    assert np.abs(logits(network, log_mel + 1, features) - before).max() > 1e-4
    assert np.abs(logits(network, log_mel, 2 * features) - before).max() > 1e-4


# ------------------------------------------------------------------ size


def test_the_student_has_fewer_than_60_000_parameters_and_the_teacher_100_times_more():
    student = AudioTransformerStudent(num_additional_features=18, num_classes=20)
    teacher = VGGishTeacher(num_classes=20)
    print(f"student {n_parameters(student):,}, teacher {n_parameters(teacher):,}")
    assert n_parameters(student) < 60_000
    assert n_parameters(student) <= 0.01 * n_parameters(teacher)


def test_the_student_has_the_original_channels():
    layers = AudioTransformerStudent().modules()
    widths = [
        (layer.in_channels, layer.out_channels)
        for layer in layers
        if isinstance(layer, torch.nn.Conv2d)
    ]
    assert widths[:3] == [(1, 16), (16, 32), (32, 64)]


def test_the_teacher_has_the_original_layers(networks):
    teacher = networks["VGGishTeacher"]
    widths = [
        (layer.in_features, layer.out_features)
        for layer in teacher.head
        if isinstance(layer, torch.nn.Linear)
    ]
    assert N_EMBEDDING == 12_288
    assert widths == [(12_306, 512), (512, 256), (256, 128), (128, 64), (64, 20)]
    norms = [m for m in teacher.head if isinstance(m, torch.nn.LayerNorm)]
    dropouts = [m.p for m in teacher.head if isinstance(m, torch.nn.Dropout)]
    assert [n.normalized_shape[0] for n in norms] == [512, 256, 128, 64]
    assert set(dropouts) == {0.3, 0.2}


def test_multiply_adds_of_one_convolution_are_counted_by_hand():
    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 2, 3, padding=1)
            self.linear = torch.nn.Linear(18, 5)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            self.conv(x.flatten(0, 1).unsqueeze(1))
            return self.linear(y)

    size = model_size(One(), n_patches=3)
    assert size.n_multiply_adds == 3 * 96 * 64 * 2 * 9 + 18 * 5
    assert size.n_parameters == 2 * 9 + 2 + 18 * 5 + 5
    assert size.n_bytes == 4 * size.n_parameters


def test_counting_leaves_the_network_as_it_was():
    student = AudioTransformerStudent().train()
    before = {k: v.clone() for k, v in student.state_dict().items()}
    model_size(student)
    assert student.training
    assert not any(layer._forward_hooks for layer in student.modules())
    for name, value in student.state_dict().items():
        assert torch.equal(value, before[name])


# ------------------------------------------------------------------ teacher


def test_the_teachers_layers_alone_answer_like_the_teacher(networks):
    teacher = networks["VGGishTeacher"]
    log_mel, features = inputs(2, 3)
    with torch.inference_mode():
        embedding = teacher.embed(log_mel)
        assert embedding.shape == (2, 12_288)
        head = TeacherHead(teacher).eval()(embedding, features)
    np.testing.assert_allclose(head, logits(teacher, log_mel, features), atol=1e-5)


def test_an_embedding_is_flattened_as_published(networks):
    """torchvggish: NCHW to NHWC by two transpositions, then one row a patch."""
    teacher = networks["VGGishTeacher"]
    log_mel, _ = inputs(2, 1)
    with torch.inference_mode():
        x = teacher.features(log_mel)
        x = torch.transpose(torch.transpose(x, 1, 3), 1, 2).contiguous()
        expected = x.view(x.size(0), -1)
        found = teacher.embed(log_mel)
    np.testing.assert_allclose(found, expected, atol=1e-5)


# ------------------------------------------------------------------ scale


def test_the_scale_changes_no_log_mel_before_it_is_fitted():
    log_mel, _ = inputs(2, 3)
    assert torch.equal(InputScale().log_mel(log_mel), log_mel)


def test_a_fitted_scale_gives_every_band_mean_0_and_deviation_1():
    log_mel, _ = inputs(8, 3)
    scale = InputScale()
    scale.fit(log_mel)
    bands = scale.log_mel(log_mel).reshape(-1, 64)
    np.testing.assert_allclose(bands.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(bands.std(0), 1, atol=1e-3)


def test_a_band_that_never_moves_is_not_blown_up():
    log_mel, _ = inputs(4, 2)
    log_mel[..., 7] = -13.8
    scale = InputScale()
    scale.fit(log_mel)
    assert torch.isfinite(scale.log_mel(log_mel)).all()
    assert scale.log_mel(log_mel + 0.1)[..., 7].abs().max() < 2


def test_features_are_divided_by_the_original_factors():
    factors = [1000, 1, 0.01, 1000, 1, 500, 200, 50, 10, 5, 20, 2, 20, 10, 10, 10, 5, 5]
    features = torch.tensor([factors], dtype=torch.float32)
    np.testing.assert_allclose(InputScale().features(features), 1, rtol=1e-6)


def test_features_beyond_the_18_are_taken_as_they_are():
    found = InputScale(n_features=20).features(torch.full((1, 20), 10.0))
    assert found[0, 18:].tolist() == [10.0, 10.0]


@pytest.mark.parametrize("n_features", [0, 5, 18, 20])
def test_networks_take_other_numbers_of_features(n_features):
    student = AudioTransformerStudent(n_features or 1, num_classes=3).eval()
    log_mel, _ = inputs(2, 1)
    assert logits(student, log_mel, torch.zeros(2, n_features or 1)).shape == (2, 3)


def test_the_scale_travels_with_the_weights():
    log_mel, features = inputs(4, 2)
    fitted = tiny.network()
    fitted.scale.fit(log_mel)
    other = tiny.network()
    other.load_state_dict(fitted.state_dict())
    np.testing.assert_array_equal(
        logits(other, log_mel, features), logits(fitted, log_mel, features)
    )


def test_the_student_hears_at_which_pitch_a_call_lies():
    """The same sweep an octave lower moves to other bands, and the embedding moves.

    The original's mean over bands sees the two as nearly the same call.
    """
    torch.manual_seed(0)
    distance = {}
    for pooling in ("bands", "mean"):
        student = AudioTransformerStudent(num_classes=3, pooling=pooling).eval()
        low, high = torch.zeros(2, 1, 1, 96, 64)
        for t in range(96):
            low[..., t, 12 + t // 12] = 3.0
            high[..., t, 36 + t // 12] = 3.0
        features = torch.zeros(1, 18)
        with torch.inference_mode():
            maps = [student.cnn(x.flatten(0, 1).unsqueeze(1)) for x in (low, high)]
            a, b = (student._pooled(student.attention(m)) for m in maps)
            distance[pooling] = float((a - b).norm() / a.norm())
        assert student(low, features).shape == (1, 3)
    assert distance["bands"] > 10 * distance["mean"]


def test_attention_can_be_left_out_to_measure_it():
    plain = AudioTransformerStudent(num_classes=3, attention=False)
    assert n_parameters(plain) < n_parameters(AudioTransformerStudent(num_classes=3))
    assert plain(torch.zeros(2, 5, 96, 64), torch.zeros(2, 18)).shape == (2, 3)
