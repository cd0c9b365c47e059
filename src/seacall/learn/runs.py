"""Whole training runs: a dataset folder in, a model folder with its figures out.

The output folder of a run is a model folder (``card.json``, ``model.safetensors``,
``model.onnx`` for a student) with the run's settings, curves and evaluation beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seacall.config import (
    DistillRun,
    FrontEndSettings,
    TeacherSettings,
    TrainRun,
    TrainSettings,
)
from seacall.data.loader import clip_tensors, ordered_loader
from seacall.errors import SettingsError
from seacall.learn import processes
from seacall.learn.dataset import Dataset, load_dataset, require_trainable
from seacall.learn.distill import DistillationLoss
from seacall.learn.export import export_onnx
from seacall.learn.measure import measure, summary
from seacall.learn.observe import Observer
from seacall.learn.plots import plot_curves
from seacall.learn.tables import write_curves
from seacall.learn.train import (
    CHECKPOINT_NAME,
    FitResult,
    LabelLoss,
    fit,
)
from seacall.models.checkpoint import WEIGHTS_NAME, Card, read_card, write_card
from seacall.models.network import build_network, load_model, save_model, save_pth
from seacall.models.pretrained import check_sha256, fetch
from seacall.models.vggish import (
    VGGISH_SHA256,
    VGGISH_URL,
    TeacherHead,
    VGGishTeacher,
    load_vggish_convolutions,
)

EMBED_BATCH = 8
"""Clips embedded at once: 40 patches, some 500 MB of activations in VGGish."""


@dataclass(frozen=True)
class OutputNames:
    """File names of a run."""

    best: str
    final: str
    curves: str
    misclassified: str


STUDENT_FILES = OutputNames(
    best="best_student_with_attention_model.pth",
    final="final_student_model_with_attention.pth",
    curves="train_vs_val_student_with_attention.xlsx",
    misclassified="student_with_attention_misclassified_samples.xlsx",
)
"""The original description's names."""
TEACHER_FILES = OutputNames(
    best="best_teacher_model.pth",
    final="final_teacher_model.pth",
    curves="train_vs_val_teacher.xlsx",
    misclassified="teacher_misclassified_samples.xlsx",
)


@dataclass(frozen=True)
class RunContext:
    """Where a run reads and writes, and on what it computes."""

    data: Path
    """Dataset folder."""
    out: Path
    """Output folder."""
    device: torch.device
    observer: Observer
    resume: bool = False
    """Go on after a kill."""
    n_workers: int = 1
    """Processes for the front end."""


def train(settings: TrainRun, context: RunContext) -> Card:
    """Train a teacher, or a student alone, on a dataset folder's labels.

    Returns
    -------
    card
        Of the model folder ``context.out``, figures included.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    with processes.group(context.device):
        dataset = _open(context, settings.front_end.front_end())
        torch.manual_seed(settings.train.seed)
        if settings.network == "vggish":
            network, result = _train_teacher(dataset, settings, context)
        else:
            network, result = _train_student(dataset, settings.train, context)
        card = _card(
            network,
            dataset,
            settings.front_end.front_end(),
            seed=settings.train.seed,
            training=settings.model_dump(mode="json"),
            pretrained=settings.teacher.weights
            if settings.network == "vggish"
            else None,
        )
        names = TEACHER_FILES if settings.network == "vggish" else STUDENT_FILES
        return _finish(network, result, card, dataset, names, context)


def distill(teacher_path: Path, settings: DistillRun, context: RunContext) -> Card:
    """Distil a student from a trained teacher on a dataset folder.

    The teacher's logits are computed once. Its front end and classes are the student's.

    Parameters
    ----------
    teacher_path
        Model folder, or ``.pth`` file with metadata.

    Returns
    -------
    card
        Of the model folder ``context.out``, figures included.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    with processes.group(context.device):
        teacher, teacher_card = load_model(teacher_path)
        teacher = teacher.to(context.device).eval()
        dataset = _open(context, teacher_card.front_end, labels=teacher_card.labels)
        torch.manual_seed(settings.train.seed)
        student = build_network("AudioTransformerStudent", len(dataset.labels))
        _fit_scale(student, dataset)
        train_set, val_set = (
            (
                *tensors,
                _teacher_logits(teacher, tensors, context, stage=f"teacher, {name}"),
            )
            for name, tensors in _tensors(dataset)
        )
        criterion = DistillationLoss(
            temperature=settings.distill.distill_temperature,
            alpha=settings.distill.alpha,
        )
        result = _fit(
            student, train_set, val_set, criterion, settings.train, context, "student"
        )
        card = _card(
            student,
            dataset,
            teacher_card.front_end,
            seed=settings.train.seed,
            training=settings.model_dump(mode="json"),
            teacher=_name_of(teacher_card),
        )
        n_student, n_teacher = _n_parameters(student), _n_parameters(teacher)
        context.observer.say(
            f"student {n_student:,} parameters, teacher {n_teacher:,}: "
            f"{100 * (1 - n_student / n_teacher):.2f} % fewer"
        )
        return _finish(student, result, card, dataset, STUDENT_FILES, context)


def _open(
    context: RunContext,
    front_end: FrontEndSettings,
    labels: tuple[str, ...] | None = None,
) -> Dataset:
    checkpoint = context.out / CHECKPOINT_NAME
    if (context.out / "card.json").exists() and not context.resume:
        raise SettingsError(
            f"{context.out}: holds a model already; "
            "choose another output folder, or remove it"
        )
    if checkpoint.exists() and not context.resume:
        raise SettingsError(
            f"{context.out}: holds an unfinished run; go on with --resume, "
            "or choose another output folder"
        )
    dataset = load_dataset(
        context.data,
        front_end,
        observer=context.observer,
        labels=labels,
        n_workers=context.n_workers,
    )
    require_trainable(dataset)
    context.out.mkdir(parents=True, exist_ok=True)
    n_train, n_val, n_test = (
        len(part.targets) for part in (dataset.train, dataset.val, dataset.test)
    )
    context.observer.say(
        f"{n_train} clips to train on, {n_val} to validate, {n_test} to test; "
        f"{len(dataset.labels)} classes; profile {front_end.profile.name}; "
        f"{context.device.type}"
    )
    return dataset


def _train_teacher(
    dataset: Dataset, settings: TrainRun, context: RunContext
) -> tuple[nn.Module, FitResult]:
    teacher = VGGishTeacher(num_classes=len(dataset.labels))
    _start_convolutions(teacher, settings.teacher, settings, context)
    if settings.teacher.weights is None:
        _fit_scale(teacher, dataset)
    sets = _tensors(dataset)
    network: nn.Module = teacher
    if settings.teacher.convolutions == "frozen":
        teacher.features.requires_grad_(False)
        network = TeacherHead(teacher)
        sets = [(name, _embedded(teacher, t, context, name)) for name, t in sets]
    (_, train_set), (_, val_set) = sets
    result = _fit(
        network,
        _without_teacher(train_set),
        _without_teacher(val_set),
        LabelLoss(),
        settings.train,
        context,
        "teacher",
    )
    teacher.features.requires_grad_(True)
    return teacher, result


def _train_student(
    dataset: Dataset, settings: TrainSettings, context: RunContext
) -> tuple[nn.Module, FitResult]:
    student = build_network("AudioTransformerStudent", len(dataset.labels))
    _fit_scale(student, dataset)
    train_set, val_set = (_without_teacher(t) for _, t in _tensors(dataset))
    result = _fit(
        student, train_set, val_set, LabelLoss(), settings, context, "student alone"
    )
    return student, result


def _start_convolutions(
    teacher: VGGishTeacher,
    settings: TeacherSettings,
    run: TrainRun,
    context: RunContext,
) -> None:
    say = context.observer.say
    if settings.weights is None:
        say(
            "VGGish convolutions: no checkpoint given, initialised at random "
            f"(He et al. 2015) and {settings.convolutions}"
        )
        return
    if run.front_end.profile != "vggish-16k":
        say(
            f"VGGish was trained with profile vggish-16k, not {run.front_end.profile}: "
            "its weights will be of less use"
        )
    if settings.weights == "download":
        path = fetch(VGGISH_URL, sha256=VGGISH_SHA256)
    else:
        path = Path(settings.weights)
        check_sha256(path, VGGISH_SHA256)
    load_vggish_convolutions(teacher, path)
    say(f"VGGish convolutions: {path.name}, sha256 checked, {settings.convolutions}")


def _tensors(
    dataset: Dataset,
) -> list[tuple[str, tuple[Tensor, ...]]]:
    return [("train", clip_tensors(dataset.train)), ("val", clip_tensors(dataset.val))]


def _without_teacher(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Fill the place of the teacher's logits with nothing."""
    return (*tensors, torch.zeros(len(tensors[0]), 0))


def _fit_scale(network: nn.Module, dataset: Dataset) -> None:
    network.scale.fit(torch.from_numpy(dataset.train.log_mel))  # type: ignore[operator, union-attr]


def _embedded(
    teacher: VGGishTeacher,
    tensors: tuple[Tensor, ...],
    context: RunContext,
    name: str,
) -> tuple[Tensor, ...]:
    """Replace patches by what the frozen convolutions make of them."""
    log_mel, features, targets = tensors
    teacher.to(context.device).eval()
    parts = []
    for start in range(0, len(log_mel), EMBED_BATCH):
        batch = log_mel[start : start + EMBED_BATCH].to(context.device)
        with torch.no_grad():
            parts.append(teacher.embed(batch).cpu())
        done = min(start + EMBED_BATCH, len(log_mel))
        context.observer.progress(f"convolutions, {name}", done, len(log_mel))
    return torch.cat(parts), features, targets


def _teacher_logits(
    teacher: nn.Module,
    tensors: tuple[Tensor, ...],
    context: RunContext,
    *,
    stage: str,
) -> Tensor:
    """Ask the teacher once about every clip, shape ``(n, n_classes)``."""
    parts: list[Tensor] = []
    n_clips = len(tensors[0])
    for log_mel, features, _ in ordered_loader(tensors, batch_size=EMBED_BATCH):
        with torch.no_grad():
            logits = teacher(log_mel.to(context.device), features.to(context.device))
        parts.append(logits.cpu())
        context.observer.progress(
            stage, min(len(parts) * EMBED_BATCH, n_clips), n_clips
        )
    return torch.cat(parts)


def _fit(
    network: nn.Module,
    train_set: tuple[Tensor, ...],
    val_set: tuple[Tensor, ...],
    criterion: nn.Module,
    settings: TrainSettings,
    context: RunContext,
    what: str,
) -> FitResult:
    last = ""

    def on_step(epoch: int, step: int, n_steps: int, so_far: dict[str, float]) -> None:
        done, total = (epoch - 1) * n_steps + step, settings.epochs * n_steps
        note = (
            f"epoch {epoch}/{settings.epochs} loss {so_far['loss']:.3f} "
            f"acc {so_far['accuracy']:.2f} F1 {so_far['f1']:.2f}{last}"
        )
        context.observer.progress(what, done, total, note)

    def on_epoch(record: dict[str, float]) -> None:
        nonlocal last
        last = f" | val F1 {record['val_f1']:.2f} lr {record['learning_rate']:.1e}"

    result = fit(
        network,
        train_set,
        val_set,
        criterion=criterion,
        settings=settings,
        folder=context.out,
        device=context.device,
        resume=context.resume,
        on_step=on_step,
        on_epoch=on_epoch,
    )
    best = result.history[result.best_epoch - 1]
    context.observer.progress(what, 1, 1)
    context.observer.say(
        f"{what}: best epoch {result.best_epoch} of {len(result.history)}, "
        f"validation macro-F1 {best['val_f1']:.3f}, accuracy {best['val_accuracy']:.3f}"
    )
    network.to("cpu")
    return result


def _card(
    network: nn.Module,
    dataset: Dataset,
    front_end: FrontEndSettings,
    *,
    seed: int,
    training: dict[str, Any],
    teacher: str | None = None,
    pretrained: str | None = None,
) -> Card:
    architecture: Literal["AudioTransformerStudent", "VGGishTeacher"] = (
        "VGGishTeacher"
        if isinstance(network, VGGishTeacher)
        else "AudioTransformerStudent"
    )
    return Card(
        seacall_version=metadata.version("seacall"),
        architecture=architecture,
        labels=dataset.labels,
        front_end=front_end,
        seed=seed,
        teacher=teacher,
        pretrained=pretrained,
        manifest_sha256=dataset.manifest.fingerprint(),
        training=training,
    )


def _finish(
    network: nn.Module,
    result: FitResult,
    card: Card,
    dataset: Dataset,
    names: OutputNames,
    context: RunContext,
) -> Card:
    """Write the model folder, its curves and its evaluation; the card comes last."""
    if not processes.is_first():
        return card
    out = context.out
    save_pth(network, out / names.best)
    write_curves(result.history, out / names.curves)
    plot_curves(result.history, out / "curves.png")
    partial = out / "unfinished-model"  # so that a kill leaves no half-checked folder
    shutil.rmtree(partial, ignore_errors=True)
    save_model(network, partial, card)
    if card.architecture == "AudioTransformerStudent":
        context.observer.say("exporting to ONNX and comparing it with torch")
        export_onnx(partial)
    evaluation = measure(
        partial,
        dataset,
        out=out,
        observer=context.observer,
        misclassified_name=names.misclassified,
        history=result.history,
    )
    card = read_card(partial).model_copy(update={"metrics": summary(evaluation)})
    save_pth(network, out / names.final, card)
    for path in sorted(partial.iterdir()):
        path.replace(out / path.name)
    card = write_card(out, card)
    partial.rmdir()
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return card


def _n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _name_of(card: Card) -> str:
    """Name a model by its architecture and the start of its weights' sha256."""
    return f"{card.architecture} {card.files.get(WEIGHTS_NAME, '')[:12]}".strip()
