"""The distillation loss against the formula, and one epoch of the original's call."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from seacall.config import DistillSettings
from seacall.learn.distill import DistillationLoss, distill_train

STANDARD = {"method": "standardised"}


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def logits(rng):
    student, teacher = rng.normal(0, 2, (2, 6, 4))
    return student, teacher, rng.integers(4, size=6)


def loss_of(student, teacher, targets, **changes) -> float:
    criterion = DistillationLoss(**changes)
    return float(
        criterion(
            torch.tensor(student), torch.tensor(teacher), torch.as_tensor(targets)
        )
    )


def test_the_defaults_are_the_originals():
    criterion = DistillationLoss()
    assert criterion.distill_temperature == 3.0
    assert criterion.alpha == 0.7


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
def test_the_loss_is_the_formula_by_hand(logits, temperature, alpha):
    student, teacher, targets = logits
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    soft = temperature**2 * (p * np.log(p / q)).sum(axis=1).mean()
    hard = -np.log(softmax(student)[np.arange(6), targets]).mean()
    expected = alpha * soft + (1 - alpha) * hard
    found = loss_of(*logits, temperature=temperature, alpha=alpha)
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_loss_is_the_usual_torch_recipe(logits):
    student, teacher, targets = map(torch.as_tensor, logits)
    soft = torch.nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(student / 3, dim=1), F.softmax(teacher / 3, dim=1)
    )
    expected = 0.7 * soft * 3**2 + 0.3 * F.cross_entropy(student, targets)
    assert loss_of(*logits) == pytest.approx(float(expected), rel=1e-9)


def test_two_numbers_worked_out_on_paper():
    """Teacher (ln 3, 0) is (3/4, 1/4) at T = 1; a student at (0, 0) is (1/2, 1/2)."""
    soft = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    expected = 0.7 * soft + 0.3 * np.log(2)
    found = loss_of([[0.0, 0.0]], [[np.log(3), 0.0]], [1], temperature=1.0)
    assert found == pytest.approx(expected, rel=1e-6)


def test_certain_networks_that_disagree_have_a_finite_loss():
    found = loss_of([[1e4, -1e4]], [[-1e4, 1e4]], [1])
    assert np.isfinite(found)


def test_the_teacher_is_no_part_of_what_learns(logits):
    student, teacher, targets = map(torch.as_tensor, logits)
    student.requires_grad_(True)
    DistillationLoss()(student, teacher, targets).backward()
    assert student.grad.abs().sum() > 0
    assert list(DistillationLoss().parameters()) == []


# ------------------------------------------------------------------ other distances


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (p * np.log(p / q)).sum(axis=1)


def standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_standardised_loss_is_the_formula_by_hand(logits, temperature):
    student, teacher, _ = logits
    p, q = (softmax(standardised(x) / temperature) for x in (teacher, student))
    expected = temperature**2 * divergence(p, q).mean()
    found = loss_of(*logits, temperature=temperature, alpha=1.0, method="standardised")
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_standardised_loss_does_not_ask_how_sure_the_student_is(logits):
    student, teacher, targets = logits
    losses = [
        loss_of(scale * student + offset, teacher, targets, alpha=1.0, **STANDARD)
        for scale, offset in ((1.0, 0.0), (5.0, 0.0), (0.2, 3.0))
    ]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)
    assert loss_of(7 * teacher, teacher, targets, alpha=1.0, **STANDARD) < 1e-6


def test_no_standardised_logit_is_larger_than_the_root_of_the_other_classes():
    certain = np.zeros((1, 20))
    certain[0, 3] = 50.0
    assert standardised(certain).max() == pytest.approx(np.sqrt(19))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize(("target", "others"), [(1.0, 8.0), (1.0, 0.0), (0.0, 2.0)])
def test_the_decoupled_loss_is_the_formula_by_hand(logits, temperature, target, others):
    student, teacher, targets = logits
    p, q = (softmax(x / temperature) for x in (teacher, student))
    rows = np.arange(6)
    binary = [np.stack([x[rows, targets], 1 - x[rows, targets]], 1) for x in (p, q)]
    rest = [
        np.stack([np.delete(row, k) for row, k in zip(x, targets, strict=True)])
        for x in (p, q)
    ]
    rest = [x / x.sum(axis=1, keepdims=True) for x in rest]
    expected = temperature**2 * np.mean(
        target * divergence(*binary) + others * divergence(*rest)
    )
    found = loss_of(
        *logits,
        temperature=temperature,
        alpha=1.0,
        method="decoupled",
        target_weight=target,
        others_weight=others,
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_plain_divergence_is_the_decoupled_one_with_the_teachers_doubt_as_weight(
    logits,
):
    """Equation 7 of Zhao et al. 2022, for each clip by itself."""
    for student, teacher, target in zip(*logits, strict=True):
        one = (student[None], teacher[None], np.array([target]))
        doubt = 1 - softmax(teacher[None] / 2)[0, target]
        decoupled = loss_of(
            *one,
            temperature=2.0,
            alpha=1.0,
            method="decoupled",
            target_weight=1.0,
            others_weight=doubt,
        )
        assert decoupled == pytest.approx(
            loss_of(*one, temperature=2.0, alpha=1.0), rel=1e-9
        )


@pytest.mark.parametrize("method", ["standardised", "decoupled"])
def test_labels_have_the_same_share_in_every_method(logits, method):
    student, _, targets = logits
    hard = -np.log(softmax(student)[np.arange(6), targets]).mean()
    assert loss_of(*logits, alpha=0.0, method=method) == pytest.approx(hard, rel=1e-9)


@pytest.mark.parametrize("method", ["kl", "standardised", "decoupled"])
def test_gradients_are_finite_even_where_a_network_says_the_same_of_all(method):
    for level in (0.0, 80.0):
        student = torch.zeros(3, 4)
        student[:, 1] = level
        student.requires_grad_(True)
        teacher = 80.0 * torch.eye(4)[:3]
        loss = DistillationLoss(method=method)(student, teacher, torch.arange(3))
        loss.backward()
        assert loss.isfinite()
        assert student.grad.isfinite().all()


def test_settings_make_the_loss_that_they_describe():
    settings = DistillSettings(method="decoupled", distill_temperature=4, alpha=0.5)
    loss = DistillationLoss.of(settings)
    assert (loss.method, loss.distill_temperature, loss.alpha) == ("decoupled", 4, 0.5)
    assert (loss.target_weight, loss.others_weight) == (1.0, 8.0)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0}, {"temperature": -1}, {"alpha": 1.1}, {"alpha": -0.1}]
)
def test_impossible_weights_are_a_value_error(wrong):
    with pytest.raises(ValueError, match=r"greater than|less than"):
        DistillationLoss(**wrong)


def a_loader(n: int = 12) -> DataLoader:
    g = torch.Generator().manual_seed(0)
    targets = torch.arange(n) % 4
    log_mel = torch.randn(n, 3, 96, 64, generator=g) + targets[:, None, None, None]
    features = torch.randn(n, 18, generator=g)
    return DataLoader(TensorDataset(log_mel, features, targets), batch_size=4)


def test_one_epoch_returns_loss_and_accuracy_and_moves_only_the_student():
    student, teacher = tiny.network(), tiny.network("VGGishTeacher")
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    weights = student.cnn[0].weight.clone()
    teacher.train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
    loss, accuracy = distill_train(
        student, teacher, a_loader(), optimizer, DistillationLoss(), "cpu"
    )
    assert isinstance(loss, float)
    assert np.isfinite(loss)
    assert 0 <= accuracy <= 1
    assert not torch.equal(student.cnn[0].weight, weights)
    assert not teacher.training
    assert all(p.grad is None for p in teacher.parameters())
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_student_comes_nearer_to_its_teacher_epoch_by_epoch():
    torch.manual_seed(1)
    student, teacher = tiny.network(), tiny.network()
    teacher.classifier[-1].weight.data.mul_(20)
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    losses = [
        distill_train(
            student,
            teacher,
            a_loader(),
            optimizer,
            DistillationLoss(alpha=1.0),
            torch.device("cpu"),
        )[0]
        for _ in range(6)
    ]
    assert losses[-1] < 0.6 * losses[0]


def test_clips_of_unknown_can_keep_their_label_and_the_others_their_teacher():
    torch.manual_seed(0)
    student, teacher = torch.randn(6, 4), torch.randn(6, 4)
    targets = torch.tensor([0, 3, 1, 3, 2, 0])
    loss = DistillationLoss(temperature=2.0, alpha=1.0, unknown="label")
    asked = DistillationLoss(temperature=2.0, alpha=1.0)
    known = targets != 3
    expected = (
        known.sum() * asked(student[known], teacher[known], targets[known])
        + 4.0 * -torch.log_softmax(student[~known] / 2.0, dim=1)[:, 3].sum()
    ) / 6
    torch.testing.assert_close(loss(student, teacher, targets), expected)
