"""Distillation: the student learns from the teacher's soft answers and the labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seacall.config import DistillSettings
from seacall.learn.epoch import Batch, train_epoch

_DEFAULTS = DistillSettings()

_SURE = 20.0
"""Times the largest logit: a score that is 1 at any temperature in use."""

Method = Literal["kl", "standardised", "decoupled"]


class DistillationLoss(nn.Module):
    r"""Weighted sum of the distance to the teacher and to the labels.

    .. math::
        L = \alpha D(teacher, student) + (1 - \alpha) \, CE(p_{student}, y)

    with one of the distances :func:`soft_kl`, :func:`standardised_kl` and
    :func:`decoupled_kl`.

    Parameters
    ----------
    temperature
        The distillation temperature T.
    alpha
        Weight of the soft targets, 0 to 1.
    method, target_weight, others_weight, unknown
        See :class:`seacall.config.DistillSettings`.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015,
    section 2.

    Examples
    --------
    >>> loss = DistillationLoss(temperature=3.0, alpha=1.0)
    >>> logits = torch.tensor([[2.0, 0.0, -1.0]])
    >>> round(float(loss(logits, logits, torch.tensor([1]))), 6)  # nothing to learn
    0.0
    """

    def __init__(
        self,
        temperature: float = _DEFAULTS.distill_temperature,
        alpha: float = _DEFAULTS.alpha,
        *,
        method: Method = _DEFAULTS.method,
        target_weight: float = _DEFAULTS.target_weight,
        others_weight: float = _DEFAULTS.others_weight,
        unknown: Literal["teacher", "label"] = _DEFAULTS.unknown,
    ) -> None:
        super().__init__()
        settings = DistillSettings(
            distill_temperature=temperature,
            alpha=alpha,
            method=method,
            target_weight=target_weight,
            others_weight=others_weight,
            unknown=unknown,
        )
        self.distill_temperature = settings.distill_temperature
        self.alpha = settings.alpha
        self.method = settings.method
        self.target_weight = settings.target_weight
        self.others_weight = settings.others_weight
        self.unknown = settings.unknown

    @classmethod
    def of(cls, settings: DistillSettings) -> DistillationLoss:
        """Build the loss that the settings describe."""
        values = settings.model_dump(include=set(DistillSettings.model_fields))
        return cls(temperature=values.pop("distill_temperature"), **values)

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, targets: Tensor
    ) -> Tensor:
        """Return the mean loss of a batch.

        Parameters
        ----------
        student_logits, teacher_logits
            Shape ``(batch, classes)``.
        targets
            Class numbers, shape ``(batch,)``.
        """
        t = self.distill_temperature
        if self.unknown == "label":
            teacher_logits = _labelled_unknown(teacher_logits, targets)
        if self.method == "kl":
            soft = soft_kl(student_logits, teacher_logits, temperature=t)
        elif self.method == "standardised":
            soft = standardised_kl(student_logits, teacher_logits, temperature=t)
        else:
            soft = decoupled_kl(
                student_logits,
                teacher_logits,
                targets,
                temperature=t,
                target_weight=self.target_weight,
                others_weight=self.others_weight,
            )
        hard = F.cross_entropy(student_logits, targets)
        return self.alpha * soft + (1 - self.alpha) * hard


def _labelled_unknown(teacher_logits: Tensor, targets: Tensor) -> Tensor:
    """Replace the teacher's answer to clips of the last class by a sure one."""
    last = teacher_logits.shape[1] - 1
    sure = torch.zeros_like(teacher_logits)
    sure[:, last] = _SURE * teacher_logits.abs().amax().clamp_min(1.0)
    return torch.where((targets == last)[:, None], sure, teacher_logits)


def soft_kl(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    r"""Return :math:`T^2 \, KL(p_{teacher}^{(T)} \| p_{student}^{(T)})`.

    With :math:`p^{(T)} = softmax(logits / T)`, mean over the batch. The factor
    :math:`T^2` keeps the size of the gradients when the temperature changes.
    """
    return temperature**2 * _kl(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
    )


def standardised_kl(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    r"""Return :func:`soft_kl` of logits with zero mean and unit deviation in each clip.

    The student is asked for the teacher's order and relative distances only, and may be
    as sure of itself as it likes. A standardised logit of K classes is at most
    :math:`\sqrt{K - 1}`, 4.4 for 20 classes: the temperature belongs near 1.

    References
    ----------
    Sun, Ren, Li, Wang and Cao, "Logit standardization in knowledge distillation", CVPR
    2024, algorithm 1.
    """
    return soft_kl(_standard(student), _standard(teacher), temperature=temperature)


def decoupled_kl(
    student: Tensor,
    teacher: Tensor,
    targets: Tensor,
    *,
    temperature: float,
    target_weight: float,
    others_weight: float,
) -> Tensor:
    r"""Return what is said of the true class, and of the others, each with its weight.

    With :math:`p_t` for the true class and :math:`q_k = p_k / (1 - p_t)` for the others

    .. math::
        T^2 (w_t \, KL(p_t, 1 - p_t) + w_o \, KL(q)), \quad
        KL(p) = KL(p_t, 1 - p_t) + (1 - p_t) KL(q)

    so that plain divergence has :math:`w_o = 1 - p_t`: a sure teacher teaches least.

    References
    ----------
    Zhao, Cui, Song, Qiu and Liang, "Decoupled knowledge distillation", CVPR 2022,
    equations 4 to 7.
    """
    log_p, log_q = (
        F.log_softmax(logits / temperature, dim=1) for logits in (student, teacher)
    )
    truth = F.one_hot(targets, log_p.shape[1]).bool()
    target = _kl(_true_and_rest(log_p, truth), _true_and_rest(log_q, truth))
    others = _kl(_among_others(log_p, truth), _among_others(log_q, truth))
    return temperature**2 * (target_weight * target + others_weight * others)


def _kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean divergence of log-probabilities, shape ``(batch, n)`` both."""
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def _standard(logits: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(logits, dim=1, keepdim=True, correction=0)
    return (logits - mean) / (deviation + 1e-7)


def _true_and_rest(log_p: Tensor, truth: Tensor) -> Tensor:
    """Return log-probabilities of the true class and of all others together."""
    rest = log_p.masked_fill(truth, -torch.inf).logsumexp(dim=1)
    return torch.stack([log_p[truth], rest], dim=1)


def _among_others(log_p: Tensor, truth: Tensor) -> Tensor:
    """Return log-probabilities of the other classes, given that it is one of them."""
    n_clips, n_classes = log_p.shape
    others = log_p[~truth].reshape(n_clips, n_classes - 1)
    return F.log_softmax(others, dim=1)


def distill_train(
    student: nn.Module,
    teacher: nn.Module,
    train_loader: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    criterion: nn.Module,
    device: torch.device | str,
) -> tuple[float, float]:
    """Train the student for one epoch against a teacher that is asked at each step.

    Parameters
    ----------
    train_loader
        Yields ``(mel_spec, additional_features, labels)``.
    criterion
        Such as :class:`DistillationLoss`.

    Returns
    -------
    loss, accuracy
        Means over the epoch's clips; accuracy from 0 to 1.
    """
    figures = train_epoch(
        student, train_loader, optimizer, criterion, device=device, teacher=teacher
    )
    return figures.loss, figures.accuracy
