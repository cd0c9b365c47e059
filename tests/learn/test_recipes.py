"""What a fold trains takes all that a run can: views, balance, mean weights."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from seacall.data.cache import CACHE_FOLDER
from seacall.learn.dataset import load_dataset
from seacall.learn.observe import Silent
from seacall.learn.recipes import make_recipe
from seacall.learn.state import CHECKPOINT_NAME, last_weights
from seacall.models.weights import read_pth

VARIED = {
    "epochs": 1,
    "batch_size": 4,
    "balance": "deployment",
    "ema_decay": 0.9,
    "augment": {"n_views": 2, "mixup": {"probability": 0.5}},
}


def answers(name: str, data, out, train: dict, **sections) -> np.ndarray:
    out.mkdir()
    front_end = tiny.FRONT_END.model_dump()
    recipe = make_recipe(name, {"front_end": front_end, "train": train, **sections})
    dataset = load_dataset(
        data, tiny.FRONT_END.front_end(), observer=Silent(), labels=tiny.LABELS
    )
    return recipe.fit_predict(
        dataset.train,
        dataset.test,
        labels=tiny.LABELS,
        seed=0,
        context=tiny.context(data, out),
    )


@pytest.mark.parametrize("name", ["student", "teacher", "distilled"])
def test_every_recipe_trains_on_views_and_answers_with_the_mean_weights(
    tiny_dataset, tmp_path, name
):
    plain = {"epochs": 1, "batch_size": 4}
    found = [
        answers(name, tiny_dataset, tmp_path / f"{k}", train)
        for k, train in enumerate((VARIED, VARIED, plain))
    ]
    assert found[0].shape == (6, 4)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    kept = list((tiny_dataset / CACHE_FOLDER).rglob("views-*/1/*/*.npz"))
    assert len(kept) >= 12
    state = read_pth(tmp_path / "0" / CHECKPOINT_NAME)
    for key, value in last_weights(tmp_path / "0").items():
        assert value.equal(state["average"][key])


def test_a_student_recipe_can_use_any_distance_to_its_teacher(tiny_dataset, tmp_path):
    plain = {"epochs": 1, "batch_size": 4}
    a, b = (
        answers(
            "distilled",
            tiny_dataset,
            tmp_path / method,
            plain,
            distill={"method": method},
        )
        for method in ("kl", "decoupled")
    )
    assert not np.array_equal(a, b)
