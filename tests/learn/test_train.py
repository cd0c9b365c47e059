"""The one training loop: repeatable, resumable, and with the described schedule."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import programs
import pytest
import tiny
import torch

from seacall.augmentation import AugmentSettings
from seacall.config import TrainSettings
from seacall.data.fixed import to_fixed
from seacall.errors import CheckpointError, SeacallError
from seacall.learn import epoch, state, train
from seacall.learn.epoch import EpochFigures, evaluate_epoch, train_epoch
from seacall.learn.train import CHECKPOINT_NAME, LabelLoss, fit
from seacall.models.device import Precision, choose_device
from seacall.models.weights import read_pth, read_state_dict

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=5, batch_size=4, warmup_epochs=2, seed=1)


def clips(n: int, *, n_patches: int = 3, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Log-mel whose level tells the class."""
    g = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % 3
    log_mel = torch.randn(n, n_patches, 96, 64, generator=g)
    log_mel += 2 * targets[:, None, None, None]
    return log_mel, torch.randn(n, 18, generator=g), targets


TRAIN, VAL = clips(13), clips(6, seed=1)


def run(folder: Path, *, settings: TrainSettings = SHORT, n_classes: int = 4, **more):
    """Train a small student; return it and what came of it."""
    torch.manual_seed(settings.seed)
    network = tiny.build_network("AudioTransformerStudent", n_classes)
    result = fit(
        network,
        TRAIN,
        VAL,
        criterion=LabelLoss(),
        settings=settings,
        folder=folder,
        device=CPU,
        **more,
    )
    return network, result


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    state = b.state_dict()
    return all(
        torch.equal(value, state[name]) for name, value in a.state_dict().items()
    )


def without_time(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in history]


# ------------------------------------------------------------------ repeatable


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tmp_path):
    first, a = run(tmp_path / "a")
    second, b = run(tmp_path / "b")
    assert same_weights(first, second)
    assert without_time(a.history) == without_time(b.history)


def test_another_seed_gives_other_weights(tmp_path):
    first, _ = run(tmp_path / "a")
    second, _ = run(tmp_path / "b", settings=SHORT.model_copy(update={"seed": 2}))
    assert not same_weights(first, second)


def test_it_learns(tmp_path):
    settings = SHORT.model_copy(update={"epochs": 12})
    _, result = run(tmp_path, settings=settings)
    assert result.history[result.best_epoch - 1]["val_accuracy"] == 1.0
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


def test_every_figure_of_every_epoch_is_there(tmp_path):
    _, result = run(tmp_path)
    kinds = ("loss", "accuracy", "f1")
    expected = {f"{part}_{kind}" for part in ("train", "val") for kind in kinds}
    expected |= {"epoch", "learning_rate", "seconds"}
    assert [record["epoch"] for record in result.history] == [1, 2, 3, 4, 5]
    for record in result.history:
        assert record.keys() == expected
        assert all(np.isfinite(value) for value in record.values())


def test_the_network_ends_with_the_best_epochs_weights(tmp_path):
    network, result = run(tmp_path)
    best = result.history[result.best_epoch - 1]
    loader = train.ordered_loader(VAL, batch_size=16)
    found = evaluate_epoch(network, loader, LabelLoss(), device=CPU)
    assert found.f1 == pytest.approx(best["val_f1"])
    ranks = [(r["val_f1"], -r["val_loss"]) for r in result.history]
    assert ranks[result.best_epoch - 1] == max(ranks)


def test_a_cosine_warms_up_and_falls_to_almost_nothing(tmp_path):
    more = {"schedule": "cosine", "epochs": 10, "stop_patience": 10}
    _, result = run(tmp_path, settings=SHORT.model_copy(update=more))
    found = [record["learning_rate"] / SHORT.learning_rate for record in result.history]
    np.testing.assert_allclose(found[:2], [0.5, 1.0])
    done = np.arange(1, 9) / 9
    np.testing.assert_allclose(found[2:], (1 + np.cos(np.pi * done)) / 2)


@pytest.mark.parametrize(("min_steps", "n_epochs"), [(0, 5), (15, 5), (16, 6), (21, 7)])
def test_few_clips_are_gone_through_until_there_are_enough_steps(
    tmp_path, min_steps, n_epochs
):
    """13 clips in batches of 4 are three: the one left over joins the last."""
    more = {"min_steps": min_steps, "stop_patience": 50}
    _, result = run(tmp_path, settings=SHORT.model_copy(update=more))
    assert len(result.history) == n_epochs


def test_a_run_that_keeps_the_last_epoch_trains_them_all(tmp_path):
    settings = SHORT.model_copy(update={"epochs": 6, "stop_patience": 1})
    network, result = run(tmp_path, settings=settings, keep="last")
    assert result.best_epoch == len(result.history) == 6
    last = state.last_weights(tmp_path)
    assert all(torch.equal(v, last[k]) for k, v in network.state_dict().items())


# ------------------------------------------------------------------ resumable


class Stop(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 4, 5])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path, after):
    def stop(record: dict[str, float]) -> None:
        if record["epoch"] == after:
            raise Stop

    whole, expected = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "halves", on_epoch=stop)
    torch.rand(7)  # another program's random state is no matter
    network, result = run(tmp_path / "halves", resume=True)
    assert same_weights(network, whole)
    assert without_time(result.history) == without_time(expected.history)


VARIED = AugmentSettings.model_validate(
    {
        "n_views": 3,
        "mask": {"probability": 0.5},
        "mixstyle": {"probability": 0.5},
        "mixup": {"probability": 0.5},
    }
)


def views(n: int, *, n_views: int = 3) -> tuple[torch.Tensor, ...]:
    """The same clips in several views, in fixed point."""
    parts = [clips(n, seed=k) for k in range(n_views)]
    log_mel, features, targets = (torch.cat(same) for same in zip(*parts, strict=True))
    return torch.from_numpy(to_fixed(log_mel.numpy())), features, targets


def run_varied(folder: Path, *, balance: str = "deployment", **more):
    settings = SHORT.model_copy(
        update={"augment": VARIED, "ema_decay": 0.9, "balance": balance}
    )
    torch.manual_seed(settings.seed)
    network = tiny.build_network("AudioTransformerStudent", 4)
    result = fit(
        network,
        views(13),
        VAL,
        criterion=LabelLoss(),
        settings=settings,
        folder=folder,
        device=CPU,
        n_views=3,
        deployments=[f"place {k % 4}" for k in range(13)],
        **more,
    )
    return network, result


@pytest.mark.parametrize("after", [1, 4])
def test_views_balance_augmentation_and_mean_weights_go_on_bit_for_bit(tmp_path, after):
    def stop(record: dict[str, float]) -> None:
        if record["epoch"] == after:
            raise Stop

    whole, expected = run_varied(tmp_path / "whole")
    with pytest.raises(Stop):
        run_varied(tmp_path / "halves", on_epoch=stop)
    network, result = run_varied(tmp_path / "halves", resume=True)
    assert same_weights(network, whole)
    assert without_time(result.history) == without_time(expected.history)


def test_the_mean_weights_are_what_is_measured_and_kept(tmp_path):
    network, result = run_varied(tmp_path)
    state = read_pth(tmp_path / CHECKPOINT_NAME)
    assert not torch.equal(
        state["network"]["classifier.1.weight"], state["average"]["classifier.1.weight"]
    )
    if result.best_epoch == len(result.history):
        assert torch.equal(
            network.state_dict()["classifier.1.weight"],
            state["average"]["classifier.1.weight"],
        )
    loader = train.ordered_loader(VAL, batch_size=16)
    half = Precision(CPU, enabled=True)  # as the run measured
    found = evaluate_epoch(network, loader, LabelLoss(), device=CPU, precision=half)
    best = result.history[result.best_epoch - 1]
    assert found.loss == pytest.approx(best["val_loss"], rel=1e-5)


def test_a_mean_with_no_memory_is_the_network(tmp_path):
    plain, _ = run(tmp_path / "plain")
    forgetful = SHORT.model_copy(update={"ema_decay": 1e-12})
    averaged, _ = run(tmp_path / "mean", settings=forgetful)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(averaged.state_dict()[name], value)


def test_other_deployments_do_not_resume(tmp_path):
    run_varied(tmp_path)
    with pytest.raises(CheckpointError, match="other clips"):
        fit(
            tiny.network(),
            views(13),
            VAL,
            criterion=LabelLoss(),
            settings=SHORT.model_copy(
                update={"augment": VARIED, "ema_decay": 0.9, "balance": "deployment"}
            ),
            folder=tmp_path,
            device=CPU,
            n_views=3,
            deployments=["one place"] * 13,
            resume=True,
        )


def test_without_deployments_they_cannot_be_balanced(tmp_path):
    with pytest.raises(ValueError, match="needs the clips' deployments"):
        run(tmp_path, settings=SHORT.model_copy(update={"balance": "deployment"}))


def test_the_checkpoint_is_the_only_file_and_is_whole(tmp_path):
    run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]
    content = torch.load(tmp_path / CHECKPOINT_NAME, weights_only=True)
    assert len(content["history"]) == 5


def test_without_resume_an_old_checkpoint_is_not_looked_at(tmp_path):
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"something else")
    _, result = run(tmp_path)
    assert len(result.history) == 5


def test_resume_without_a_checkpoint_starts_anew(tmp_path):
    first, _ = run(tmp_path / "a", resume=True)
    second, _ = run(tmp_path / "b")
    assert same_weights(first, second)


@pytest.mark.parametrize(
    "other", [{"learning_rate": 0.1}, {"batch_size": 3}, {"epochs": 6}, {"seed": 2}]
)
def test_other_settings_do_not_resume(tmp_path, other):
    run(tmp_path)
    with pytest.raises(CheckpointError, match="with other settings"):
        run(tmp_path, settings=SHORT.model_copy(update=other), resume=True)


def test_another_network_does_not_resume(tmp_path):
    run(tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this run") as caught:
        run(tmp_path, n_classes=7, resume=True)
    assert "\n" not in str(caught.value)


def test_other_clips_do_not_resume(tmp_path):
    run(tmp_path)
    with pytest.raises(CheckpointError):
        fit(
            tiny.network(),
            clips(13, seed=5),
            VAL,
            criterion=LabelLoss(),
            settings=SHORT,
            folder=tmp_path,
            device=CPU,
            resume=True,
        )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_one_line(tmp_path, share):
    run(tmp_path)
    path = tmp_path / CHECKPOINT_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=CHECKPOINT_NAME) as caught:
        run(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ schedule


@pytest.fixture
def scripted(monkeypatch):
    """Let validation find what a test wants, epoch by epoch; training does nothing."""

    def script(figures: list[tuple[float, float]]) -> None:
        left = iter(figures)

        def measured(*_args, **_kwargs) -> EpochFigures:
            f1, loss = next(left)
            return EpochFigures(loss=loss, accuracy=f1, f1=f1)

        def trained(*_args, **_kwargs) -> EpochFigures:
            return EpochFigures(loss=1.0, accuracy=0.5, f1=0.5)

        monkeypatch.setattr(state, "evaluate_epoch", measured)
        monkeypatch.setattr(state, "train_epoch", trained)

    return script


def rates(result, settings: TrainSettings) -> list[float]:
    return [r["learning_rate"] / settings.learning_rate for r in result.history]


@pytest.mark.parametrize(
    ("warmup", "expected"),
    [(3, [1 / 3, 2 / 3, 1, 1, 1]), (1, [1] * 5), (0, [1] * 5), (9, [1 / 9, 2 / 9])],
)
def test_the_step_size_grows_linearly_over_the_warm_up(
    tmp_path, scripted, warmup, expected
):
    settings = TrainSettings(epochs=len(expected), warmup_epochs=warmup)
    scripted([(0.1 * k, 1 / (k + 1)) for k in range(len(expected))])
    _, result = run(tmp_path, settings=settings)
    assert rates(result, settings) == pytest.approx(expected)


def test_the_step_size_halves_when_the_loss_stands_still(tmp_path, scripted):
    settings = TrainSettings(
        epochs=7, warmup_epochs=0, plateau_patience=1, plateau_factor=0.5
    )
    scripted([(0.1 * k, 1.0) for k in range(7)])
    _, result = run(tmp_path, settings=settings)
    assert rates(result, settings) == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_the_warm_up_counts_for_no_plateau(tmp_path, scripted):
    settings = TrainSettings(epochs=5, warmup_epochs=4, plateau_patience=0)
    scripted([(0.1 * k, 1.0 + k) for k in range(5)])
    _, result = run(tmp_path, settings=settings)
    assert rates(result, settings)[-1] == pytest.approx(1)


def test_training_ends_early_when_f1_no_longer_grows(tmp_path, scripted):
    settings = TrainSettings(epochs=20, stop_patience=3)
    scripted([(0.1, 1.0), (0.5, 1.0), (0.4, 0.5), (0.5, 1.5), (0.3, 0.1), (0.9, 0.1)])
    _, result = run(tmp_path, settings=settings)
    assert len(result.history) == 5
    assert result.best_epoch == 2


def test_of_equal_f1_the_lower_loss_is_better_and_of_equal_epochs_the_first(
    tmp_path, scripted
):
    settings = TrainSettings(epochs=4, stop_patience=9)
    scripted([(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.5, 0.8)])
    _, result = run(tmp_path, settings=settings)
    assert result.best_epoch == 2


def test_early_stopping_survives_a_resume(tmp_path, scripted):
    settings = TrainSettings(epochs=20, stop_patience=2)
    scripted([(0.5, 1.0), (0.4, 1.0), (0.3, 1.0)])
    run(tmp_path, settings=settings)
    scripted([])  # nothing is left to do
    _, result = run(tmp_path, settings=settings, resume=True)
    assert len(result.history) == 3


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "gradient_clip"])
def test_an_infinite_setting_is_refused(name):
    with pytest.raises(ValueError, match=name):
        TrainSettings.model_validate({name: float("inf")})


# ------------------------------------------------------------------ one epoch


class Loud(torch.nn.Module):
    """Cross-entropy, a million times."""

    def forward(self, logits, _teacher_logits, targets):
        return 1e6 * torch.nn.functional.cross_entropy(logits, targets)


@pytest.mark.parametrize("limit", [1.0, 0.25])
def test_gradients_are_clipped_before_each_step(limit):
    network = tiny.network()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6)
    norms: list[float] = []

    def note(*_args) -> None:
        grads = [p.grad.flatten() for p in network.parameters()]
        norms.append(float(torch.cat(grads).norm()))

    optimizer.register_step_pre_hook(note)
    loader = train.ordered_loader(TRAIN, batch_size=5)
    train_epoch(network, loader, optimizer, Loud(), device=CPU, gradient_clip=limit)
    assert norms == pytest.approx([limit] * 3, rel=1e-3)


def test_small_gradients_are_left_alone():
    network = tiny.network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    x, features, targets = TRAIN
    loader = [(x, features, targets)]
    torch.manual_seed(0)
    train_epoch(network, loader, optimizer, LabelLoss(), device=CPU, gradient_clip=1e9)
    expected = [p.grad.clone() for p in network.parameters()]
    other = tiny.network().train()
    torch.manual_seed(0)
    LabelLoss()(other(x, features), x, targets).backward()
    for a, b in zip(expected, (p.grad for p in other.parameters()), strict=True):
        torch.testing.assert_close(a, b)


def test_figures_of_an_epoch_are_means_over_clips_not_batches():
    network = tiny.network()
    x, features, targets = VAL
    found = evaluate_epoch(
        network,
        [(x[:1], features[:1], targets[:1]), (x[1:], features[1:], targets[1:])],
        LabelLoss(),
        device="cpu",
    )
    with torch.inference_mode():
        logits = network(x, features)
        loss = torch.nn.functional.cross_entropy(logits, targets)
    assert found.loss == pytest.approx(float(loss), rel=1e-5)
    accuracy = (logits.argmax(1) == targets).float().mean()
    assert found.accuracy == pytest.approx(float(accuracy))


def test_measuring_changes_nothing():
    network = tiny.network().train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    evaluate_epoch(network, [VAL], LabelLoss(), device=CPU)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_epoch_without_batches_is_an_error():
    with pytest.raises(ValueError, match="at least one batch"):
        evaluate_epoch(tiny.network(), [], LabelLoss(), device=CPU)


def test_drawn_patches_are_the_clips_own_and_none_comes_twice():
    x = torch.arange(20 * 5).reshape(20, 5, 1, 1).expand(20, 5, 96, 64)
    torch.manual_seed(0)
    drawn = epoch._draw_patches(x, 3)[..., 0, 0]
    assert drawn.shape == (20, 3)
    for clip, patches in enumerate(drawn.tolist()):
        assert len(set(patches)) == 3
        assert all(patch // 5 == clip for patch in patches)
    assert len({tuple(p % 5 for p in patches) for patches in drawn.tolist()}) > 3


@pytest.mark.parametrize("n_patches", [0, 5, 9])
def test_all_patches_stay_where_no_fewer_are_wanted(n_patches):
    x = torch.randn(2, 5, 96, 64)
    assert epoch._draw_patches(x, n_patches) is x


def test_embeddings_have_no_patches_to_draw():
    x = torch.randn(2, 12_288)
    assert epoch._draw_patches(x, 1) is x


@pytest.mark.parametrize("n", [8, 9, 10])
def test_progress_reaches_the_end_of_every_epoch(tmp_path, n):
    seen: dict[int, list[tuple[int, int]]] = {}

    def on_step(epoch: int, step: int, n_steps: int, _figures: dict) -> None:
        seen.setdefault(epoch, []).append((step, n_steps))

    fit(
        tiny.network(),
        clips(n),
        VAL,
        criterion=LabelLoss(),
        settings=SHORT.model_copy(update={"epochs": 2}),
        folder=tmp_path,
        device=CPU,
        on_step=on_step,
    )
    for steps in seen.values():
        assert steps[-1][0] == steps[-1][1] == len(steps)


# ------------------------------------------------------------------ machine


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        MemoryError(),
        pytest.param(
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: "
                "can't allocate memory: you tried to allocate 4000000000000 bytes."
            ),
            id="cpu",
        ),
    ],
)
def test_running_out_of_memory_names_the_batch_size(tmp_path, monkeypatch, error):
    def full(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(state, "train_epoch", full)
    with pytest.raises(SeacallError, match=r"out of memory .*batch_size=4.*smaller"):
        run(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(tmp_path):
    wild = SHORT.model_copy(update={"learning_rate": 1e30, "warmup_epochs": 0})
    with pytest.raises(SeacallError, match=r"epoch 1: the loss .* smaller learning ra"):
        run(tmp_path, settings=wild)
    assert not (tmp_path / CHECKPOINT_NAME).exists()


def test_another_runtime_error_is_not_hidden(tmp_path, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(state, "train_epoch", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "banana",
        "cuda:99",
        "",
        "cpu:x",
        pytest.param(
            "meta",
        ),
    ],
)
def test_a_device_that_cannot_be_used_is_named(name):
    with pytest.raises(SeacallError, match=f"device '{name}' cannot be used") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)
    assert "choose cpu or auto" in str(caught.value)


def test_auto_and_cpu_are_devices():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in {"cpu", "cuda"}


def test_single_precision_is_single():
    assert Precision(CPU, enabled=False).dtype is None


def test_mixed_precision_trains_to_about_the_same(tmp_path):
    plain, _ = run(
        tmp_path / "a", settings=SHORT.model_copy(update={"mixed_precision": False})
    )
    mixed, _ = run(tmp_path / "b")
    for a, b in zip(plain.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0.05, rtol=0.2)


# ------------------------------------------------------------------ processes

TWO = """
import json, sys
from pathlib import Path
import torch
from seacall.config import TrainSettings
from seacall.learn import processes
from seacall.learn.train import LabelLoss, fit
from seacall.models.student import AudioTransformerStudent
from seacall.models.weights import write_safetensors

out = Path(sys.argv[1])
settings = TrainSettings(
    epochs=6, batch_size=4, warmup_epochs=1, plateau_patience=0, stop_patience=2
)
g = torch.Generator().manual_seed(0)
def clips(n):
    return (torch.randn(n, 1, 96, 64, generator=g), torch.randn(n, 18, generator=g),
            torch.randint(4, (n,), generator=g))
train, val = clips(13), clips(5)
with processes.group(torch.device("cpu")):
    rank = processes.rank()
    torch.manual_seed(settings.seed + rank)
    network = AudioTransformerStudent(num_classes=4)
    result = fit(network, train, val, criterion=LabelLoss(), settings=settings,
                 folder=out, device=torch.device("cpu"))
    (out / f"{rank}.json").write_text(
        json.dumps([processes.count(), result.best_epoch, result.history]))
    write_safetensors(network, out / f"{rank}.safetensors")
"""


@pytest.mark.slow
def test_two_processes_take_the_same_decisions_and_end_with_the_same_weights(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    (tmp_path / "out").mkdir()
    done = programs.torchrun(2, script, tmp_path / "out")
    assert done.code == 0, done.err
    first, second = (
        json.loads((tmp_path / "out" / f"{rank}.json").read_text()) for rank in (0, 1)
    )
    assert first[0] == 2
    assert first[1] == second[1]
    assert without_time(first[2]) == without_time(second[2])
    states = [read_state_dict(tmp_path / "out" / f"{r}.safetensors") for r in (0, 1)]
    learned = [name for name, _ in tiny.network().named_parameters()]
    assert all(torch.equal(states[0][name], states[1][name]) for name in learned)
    kept = read_pth(tmp_path / "out" / CHECKPOINT_NAME)  # so that it can be resumed
    assert kept["history"] == first[2]
