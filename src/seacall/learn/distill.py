"""Distillation: the student learns from the teacher's soft answers and the labels."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seacall.config import DistillSettings
from seacall.learn.epoch import Batch, train_epoch

_DEFAULTS = DistillSettings()


class DistillationLoss(nn.Module):
    r"""Weighted sum of the distance to the teacher and to the labels.

    .. math::
        L = \alpha T^2 \, KL(p_{teacher}^{(T)} \| p_{student}^{(T)})
            + (1 - \alpha) \, CE(p_{student}, y)

    with :math:`p^{(T)} = softmax(logits / T)`. The factor :math:`T^2` keeps the size of
    the soft gradients when the temperature changes.

    Parameters
    ----------
    temperature
        The distillation temperature T.
    alpha
        Weight of the soft targets, 0 to 1.

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
    ) -> None:
        super().__init__()
        settings = DistillSettings(distill_temperature=temperature, alpha=alpha)
        self.distill_temperature = settings.distill_temperature
        self.alpha = settings.alpha

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
        soft = F.kl_div(
            F.log_softmax(student_logits / t, dim=1),
            F.log_softmax(teacher_logits / t, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        hard = F.cross_entropy(student_logits, targets)
        loss: Tensor = self.alpha * t**2 * soft + (1 - self.alpha) * hard
        return loss


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
