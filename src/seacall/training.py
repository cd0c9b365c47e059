"""How networks are trained: the loop, distillation, what they start from."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seacall.augmentation import AugmentSettings
from seacall.settings import Settings


class TrainSettings(Settings):
    """How a network is trained; the defaults are the original description's."""

    epochs: int = Field(default=60, ge=1)
    """Upper limit; early stopping may end the run before."""
    min_steps: int = Field(default=0, ge=0)
    """With few clips, as many epochs more as it takes to make so many steps."""
    batch_size: int = Field(default=16, ge=1)
    """Clips in one step, in each process."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """AdamW step size after the warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW decoupled weight decay."""
    warmup_epochs: int = Field(default=3, ge=0)
    """Epochs over which the step size grows linearly from near zero."""
    schedule: Literal["plateau", "cosine"] = "plateau"
    """How the step size shrinks after the warm-up: whenever the validation loss stands
    still, or along half a cosine that ends near zero with the last epoch (Loshchilov
    and Hutter 2017)."""
    plateau_patience: int = Field(default=5, ge=0)
    """Epochs without a lower validation loss before the step size shrinks."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Factor by which it shrinks."""
    stop_patience: int = Field(default=15, ge=1)
    """Epochs without a better validation macro-F1 before the run ends."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    mixed_precision: bool = True
    """Half precision where the device has it; elsewhere without effect."""
    n_train_patches: int = Field(default=2, ge=0)
    """Patches drawn at random from each clip in a training step; 0: all of them."""
    balance: Literal["none", "class", "deployment"] = "none"
    """What is drawn equally often in an epoch: clips; classes; or classes, and within a
    class its deployments."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Share that the running mean of the weights keeps in each step; the mean is then
    measured and saved. 0: the weights themselves are."""
    augment: AugmentSettings = AugmentSettings()
    """How training clips are varied."""
    seed: int = Field(default=0, ge=0)
    """Seed of initial weights, order of clips and dropout."""


class FixedTraining(TrainSettings):
    """How a network is trained in a fold: a fixed number of epochs, the last counts.

    Nothing of the clips that are held out chooses anything, so there is no early
    stopping.
    """

    epochs: int = Field(default=30, ge=1)
    """Exactly so many."""


class HeadTraining(FixedTraining):
    """How the layers behind a frozen trunk are trained: 400 large steps."""

    epochs: int = Field(default=10, ge=1)
    """At least so many, however many clips there are."""
    min_steps: int = Field(default=400, ge=0)
    """With few clips, as many epochs more as it takes to make so many steps."""
    batch_size: int = Field(default=128, ge=1)
    """Clips in one step, in each process."""
    weight_decay: float = Field(default=0.05, ge=0)
    """AdamW decoupled weight decay."""
    schedule: Literal["plateau", "cosine"] = "cosine"
    """As for other networks; with nothing to validate on, a cosine."""
    balance: Literal["none", "class", "deployment"] = "deployment"
    """What is drawn equally often in an epoch: clips; classes; or classes, and within a
    class its deployments."""
    augment: AugmentSettings = AugmentSettings(n_views=4)
    """How training clips are varied."""


class DistillSettings(Settings):
    """How the student learns from the teacher (Hinton, Vinyals and Dean 2015)."""

    distill_temperature: float = Field(default=3.0, gt=0)
    """Softens both networks' outputs before they are compared."""
    alpha: float = Field(default=0.7, ge=0, le=1)
    """Weight of the teacher's soft targets; the rest is the labels'."""
    method: Literal["kl", "standardised", "decoupled"] = "kl"
    """How answers are compared: Kullback-Leibler divergence; the same after logits are
    brought to zero mean and unit deviation (Sun et al. 2024); or with what is said of
    the true class apart from the rest (Zhao et al. 2022)."""
    target_weight: float = Field(default=1.0, ge=0)
    """Decoupled: weight of how likely the true class is (alpha of the paper)."""
    others_weight: float = Field(default=8.0, ge=0)
    """Decoupled: weight of how the other classes share the rest (beta)."""
    unknown: Literal["teacher", "label"] = "teacher"
    """Who says what clips of ``unknown`` are: the teacher, as of all others, or their
    label alone, since what was marked as noise needs no second opinion."""


class HeadDistillation(DistillSettings):
    """How the layers behind a frozen trunk learn: from the teacher's answers alone."""

    distill_temperature: float = Field(default=1.0, gt=0)
    """Softens both networks' outputs before they are compared."""
    alpha: float = Field(default=1.0, ge=0, le=1)
    """Weight of the teacher's soft targets; the rest is the labels'."""
    unknown: Literal["teacher", "label"] = "label"
    """Who says what clips of ``unknown`` are; see `DistillSettings`."""
    hears: Literal["views", "clip"] = "views"
    """What the teacher is asked about: each changed view, or the clip itself, whose
    answer then counts for all of its views: less work, and as good."""


class TeacherSettings(Settings):
    """What the teacher starts from, and how much of it is trained."""

    convolutions: Literal["auto", "frozen", "trained"] = "auto"
    """Frozen: their output is computed once and only the layers behind it learn. Auto:
    frozen if they come from a checkpoint, trained if they start at random."""
    convolution_rate: float = Field(default=0.3, gt=0)
    """Step size of trained convolutions, as a share of the learning rate."""
    weights: str | None = None
    """Checkpoint of the network, VGGish or EfficientAT: a path, or "download"; None:
    VGGish is initialised at random (He)."""


class StudentSettings(Settings):
    """What a student starts from, and what becomes of its last layer."""

    start: str | None = None
    """Model folder of a student that is gone on from, all but its last layer; None:
    initialised at random."""
    trunk: Literal["trained", "frozen"] = "trained"
    """Frozen: convolutions, CBAM and squeeze are kept as they start. What they make of
    each clip and view is computed once, and only the layers behind it learn."""
    trunk_noise: float = Field(default=0.1, ge=0)
    """Noise on what a frozen trunk gives while the layers behind it learn, as a share
    of the deviation of each number over the training clips."""
    head: Literal["trained", "prototypes"] = "trained"
    """Trained: everything learns. Prototypes: what the student starts from is kept as
    it is, and clips are compared with each class's mean, computed at once."""

    @model_validator(mode="after")
    def _prototypes_need_a_start(self) -> Self:
        if self.head == "prototypes" and self.start is None:
            raise ValueError(
                "head='prototypes' keeps a trained student as it is; name its model "
                "folder as start"
            )
        return self

    @model_validator(mode="after")
    def _frozen_needs_a_start(self) -> Self:
        if self.trunk == "frozen" and self.start is None:
            raise ValueError(
                "trunk='frozen' keeps a trained student's convolutions; name its model "
                "folder as start"
            )
        return self
