import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from scored import LONG_LABELS, evaluation, history, one_hot, predictions

from seacall.learn.plots import (
    plot_confusion,
    plot_curves,
    plot_per_class,
    plot_reliability,
)


def picture(path):
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    return imread(path)[..., :3]


def border_is_blank(pixels, width=8):
    edges = [pixels[:width], pixels[-width:], pixels[:, :width], pixels[:, -width:]]
    return all((edge == 1).all() for edge in edges)


def random_confusion(n_classes):
    return np.random.default_rng(0).integers(0, 30, (n_classes, n_classes))


def test_twenty_long_names_are_not_cut_off(tmp_path):
    plot_confusion(random_confusion(20), LONG_LABELS, tmp_path / "c.png")
    pixels = picture(tmp_path / "c.png")
    assert border_is_blank(pixels)
    assert min(pixels.shape[:2]) > 1500


@pytest.mark.parametrize("n_classes", [1, 2, 3, 35])
def test_a_confusion_matrix_of_any_size_is_drawn(tmp_path, n_classes):
    labels = [f"class {i}" for i in range(n_classes)]
    plot_confusion(random_confusion(n_classes), labels, tmp_path / "c.png")
    assert border_is_blank(picture(tmp_path / "c.png"))


def test_more_confusion_is_darker(tmp_path):
    names = ["a", "b"]
    plot_confusion(np.array([[9, 1], [1, 9]]), names, tmp_path / "good.png")
    plot_confusion(np.array([[0, 0], [0, 0]]), names, tmp_path / "none.png")
    good, none = (picture(tmp_path / f"{n}.png").mean() for n in ("good", "none"))
    assert good < none


@pytest.mark.parametrize(
    "label", ["$\\frac{1}$", "鯨", "<b>&", "_x_", "a" * 90, "\U0001f42c", "%s {}"]
)
def test_a_label_is_drawn_as_it_is_without_a_warning(tmp_path, label):
    labels = ("Beluga", label, "unknown")
    e = evaluation(predicted=predictions(labels=labels))
    plot_confusion(e.confusion, e.labels, tmp_path / "c.png")
    plot_per_class(e.classes, tmp_path / "p.png")
    assert border_is_blank(picture(tmp_path / "c.png"))
    assert border_is_blank(picture(tmp_path / "p.png"))


def test_classes_that_do_not_occur_are_left_out_of_the_class_plot(tmp_path):
    absent = predictions(targets=np.array([0] * 6), scores=one_hot([1] * 6, 3))
    plot_per_class(evaluation(predicted=absent).classes, tmp_path / "one.png")
    plot_per_class(evaluation().classes, tmp_path / "three.png")
    one, three = (picture(tmp_path / f"{n}.png").shape for n in ("one", "three"))
    assert one[0] <= three[0]


def test_reliability_is_drawn_with_empty_bins(tmp_path):
    plot_reliability(evaluation().reliability, tmp_path / "r.png")
    plot_reliability(np.zeros((3, 15)), tmp_path / "empty.png")
    assert border_is_blank(picture(tmp_path / "r.png"))


@pytest.mark.parametrize(
    "rows",
    [
        history(),
        history(1),
        [],
        [{"epoch": 1}, {"epoch": 2, "val_f1": None, "train_loss": float("nan")}],
        [row | {"learning_rate": 0.0} for row in history(3)],
    ],
    ids=["many", "one", "none", "gaps", "no learning rate"],
)
def test_curves_are_drawn_whatever_the_history_holds(tmp_path, rows):
    plot_curves(rows, tmp_path / "curves.png")
    assert border_is_blank(picture(tmp_path / "curves.png"))


def test_drawing_leaves_pyplot_alone():
    code = "import sys, seacall.learn.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
