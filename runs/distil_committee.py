"""Students as a committee, and one student distilled from it: what is kept of the gain.

    python runs/distil_committee.py DATASET WEIGHTS OUT TRUNK TRUNK TRUNK [--seeds 1]

Five folds of whole deployments. In each fold one student is distilled for each TRUNK, as
``seacall evaluate --recipe student-distilled`` does (WEIGHTS are EfficientAT mn04's), and
each with a seed of its own, so that the same trunk may be given more than once. Their
mean log scores are the committee's, and what a new student on the first trunk learns, of
all views of the fold's training clips. Writes what each answered to clips that were held
out, as tables that ``compare_committees.py`` reads: ``members`` (in the place of seeds),
``committee`` and ``distilled``.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seacall.data.arrays import subset
from seacall.learn import frozen
from seacall.learn.context import RunContext
from seacall.learn.folds import make_folds
from seacall.learn.frozen import StudentDistilledRecipe
from seacall.learn.observe import Silent
from seacall.learn.out_of_fold import write_table
from seacall.learn.pooled import load_pooled
from seacall.learn.recipes import make_recipe


def heard_once() -> None:
    """Let what EfficientAT hears be computed once for all trunks."""
    ask, kept = frozen.embedded, cache(lambda _paths: [])

    def embedded(teacher: Any, clips: Any, *rest: Any) -> Any:
        found = kept(tuple(str(clip.path) for clip in clips))
        if not found:
            found.append(ask(teacher, clips, *rest))
        return found[0]

    frozen.embedded = embedded


def log_softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return log scores."""
    return torch.log_softmax(logits, dim=1)


class Fold:
    """Students of one fold, one for each trunk, and one that learns from them all."""

    def __init__(
        self, recipes: list[StudentDistilledRecipe], n_classes: int, context: RunContext
    ) -> None:
        self.recipes, self.n_classes, self.context = recipes, n_classes, context

    def answers(self, train: Any, test: Any, seed: int) -> list[np.ndarray]:
        """Return the members' logits, the committee's and the distilled student's."""
        heard, said = [], []
        for member, recipe in enumerate(self.recipes):
            trunk = recipe._trunk()
            recipe._look_at(train, trunk, self.context)
            recipe._look_at(test, trunk, self.context)
            lesson = recipe._lesson(train, n_classes=self.n_classes)
            head = self._student(recipe, lesson, 100 * seed + member)
            with torch.no_grad():
                heard.append(log_softmax(head(*lesson.tensors[:2])))
                said.append(log_softmax(head(*recipe._tensors(test, n_views=1))))
        first = self.recipes[0]
        lesson = first._lesson(train, n_classes=self.n_classes)
        soft = torch.stack(heard).mean(dim=0)
        again = replace(lesson, tensors=(*lesson.tensors[:3], soft))
        head = self._student(first, again, 100 * seed + len(self.recipes))
        with torch.no_grad():
            distilled = head(*first._tensors(test, n_views=1))
        whole = [*said, torch.stack(said).mean(dim=0), distilled]
        return [one.numpy() for one in whole]

    def _student(self, recipe: StudentDistilledRecipe, lesson: Any, seed: int) -> Any:
        torch.manual_seed(seed)
        student = recipe._trunk().student(self.n_classes)
        with tempfile.TemporaryDirectory() as scratch:
            context = replace(self.context, out=Path(scratch))
            return recipe._distilled(student, lesson, seed, context).to("cpu").eval()


def main() -> None:
    """Train, ask and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("trunks", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    heard_once()
    by_trunk = {
        trunk: make_recipe(
            "student-distilled",
            {
                "student": {"start": str(trunk)},
                "teacher": {"weights": str(given.weights)},
            },
            {"head": {"augment": {"n_views": 4}}},
        )
        for trunk in dict.fromkeys(given.trunks)
    }
    recipes = [by_trunk[trunk] for trunk in given.trunks]
    context = RunContext(
        given.data, given.out, torch.device("cpu"), Silent(), resume=False
    )
    front_end = recipes[0].front_end.front_end()  # type: ignore[attr-defined]
    pooled = load_pooled(given.data, front_end, observer=Silent())
    labels, n = pooled.labels, len(pooled.deployments)
    whole = np.full((given.seeds, len(recipes) + 2, n, len(labels)), np.nan, np.float32)
    folds = [
        make_folds(
            [labels[k] for k in pooled.arrays.targets],
            pooled.deployments,
            protocol="folds",
            n_folds=5,
            rng=np.random.default_rng(seed),
        )
        for seed in range(given.seeds)
    ]
    for seed, own in enumerate(folds):
        for k in range(own.n_folds):
            test = np.flatnonzero(own.fold == k)
            fold = Fold(recipes, len(labels), context)  # type: ignore[arg-type]
            train = subset(pooled.arrays, np.flatnonzero(own.fold != k))
            found = fold.answers(train, subset(pooled.arrays, test), seed)
            whole[seed][:, test] = found
            print(f"seed {seed}, fold {k + 1} of {own.n_folds}", flush=True)
        n_members = len(recipes)
        tables = {f"members-{seed}": list(range(n_members))}
        tables |= {"committee": [n_members], "distilled": [n_members + 1]}
        for name, systems in tables.items():
            # Of single systems all seeds, of the members those of one seed each.
            some = range(seed + 1) if len(systems) == 1 else [seed]
            logits = [whole[s][m] for s in some for m in systems]
            given.out.mkdir(parents=True, exist_ok=True)
            write_table(
                given.out / f"{name}.csv",
                pooled.arrays,
                np.stack(logits),
                labels=labels,
                seeds=list(range(len(logits))),
                folds=[folds[s].fold for s in some for _ in systems],
                fair=own.scored | pooled.is_unknown,
                root=pooled.root,
            )


if __name__ == "__main__":
    main()
