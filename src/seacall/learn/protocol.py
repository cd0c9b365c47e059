"""Evaluate recipes on deployments that they never heard, over a whole dataset.

Every clip that can be scored is held out once: with its deployment, with some
deployments, or, for comparison only, at random. What the networks answered is kept fold
by fold; figures come from all folds together.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from seacall.config import FrontEndSettings
from seacall.data.arrays import subset
from seacall.labels import UNKNOWN
from seacall.learn.baselines import baseline_scores
from seacall.learn.bootstrap import bootstrap_weights, percentile_interval
from seacall.learn.closed_form import GoesOn
from seacall.learn.context import RunContext
from seacall.learn.evaluation import HEADLINE, LEVEL, Estimate
from seacall.learn.folds import PROTOCOLS, Folds, Protocol, make_folds
from seacall.learn.metrics import FloatArray, IntArray
from seacall.learn.out_of_fold import (
    FoldKey,
    Logits,
    clips_digest,
    load_fold,
    save_fold,
    write_table,
)
from seacall.learn.pooled import PooledClips, load_pooled
from seacall.learn.protocol_figures import Measured, measure_system
from seacall.learn.protocol_run import ProtocolRun as ProtocolRun
from seacall.learn.protocol_tables import Asked, calibrated_apart
from seacall.learn.recipes import Recipe, make_recipe
from seacall.models.checkpoint import Card
from seacall.taxonomy import TAXA, Taxa, read_taxa

PREDICTIONS = "predictions"
"""Folder of what was answered."""


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """What one protocol found."""

    protocol: Protocol
    leaky: bool
    n_folds: int
    """Trainings of each recipe and seed."""
    systems: dict[str, Measured]
    """Recipes, then look-ups."""
    recipes: tuple[str, ...]
    leads: dict[str, tuple[str, Estimate]]
    """For each recipe the best look-up, and by how much its macro-F1 is surpassed."""
    untrained: tuple[str, ...]
    """Scored species that some fold had no other clip of."""
    heard: tuple[str, ...] = ()
    """Recipes that go on from a model which was trained on some of the clips."""
    not_known: tuple[str, ...] = ()
    """Recipes that go on from a model which may have been, for all that it says."""

    def is_leaky(self, name: str) -> bool:
        """Tell whether a system's figures are too high, for all that is known."""
        return self.leaky or name in self.heard

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "protocol": self.protocol,
            "what": PROTOCOLS[self.protocol],
            "leaky": self.leaky,
            "n_folds": self.n_folds,
            "recipes": list(self.recipes),
            "untrained": list(self.untrained),
            "recipes_that_heard_clips_before": list(self.heard),
            "recipes_that_may_have": list(self.not_known),
            "leads": {
                name: {"over": over, **asdict(lead)}
                for name, (over, lead) in self.leads.items()
            },
            "systems": {name: own.as_dict() for name, own in self.systems.items()},
        }


@dataclass(frozen=True, eq=False)
class ProtocolReport:
    """What an evaluation by protocols found, and on what."""

    settings: ProtocolRun
    pooled: PooledClips
    scored: dict[str, tuple[int, int]]
    """Clips and deployments of each scored species."""
    not_scored: tuple[str, ...]
    """Species with a single deployment."""
    n_clips: int
    """Clips that are scored."""
    n_deployments: int
    """Deployments that are scored."""
    results: tuple[ProtocolResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "dataset": self.pooled.fingerprint,
            "held_together": self.pooled.rule,
            "n_pairs_sharing_audio": self.pooled.n_shared,
            "n_clips": len(self.pooled.deployments),
            "n_scored_clips": self.n_clips,
            "n_scored_deployments": self.n_deployments,
            "scored_species": {
                name: {"n_clips": n, "n_deployments": d}
                for name, (n, d) in self.scored.items()
            },
            "not_scored_species": list(self.not_scored),
            "interval_level": LEVEL,
            "n_resamples": self.settings.n_resamples,
            "n_seeds": self.settings.n_seeds,
            "threshold": self.settings.threshold,
            "settings": self.settings.model_dump(mode="json"),
            "protocols": [result.as_dict() for result in self.results],
        }


def run_protocol(settings: ProtocolRun, context: RunContext) -> ProtocolReport:
    """Train every recipe in every fold, and measure what was answered.

    Folds that ``context.out`` holds for the same settings and clips are not trained
    again.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    sections = settings.sections()
    recipes = {
        name: make_recipe(name, sections, settings.recipe.get(name))
        for name in settings.recipes
    }
    before = {
        name: recipe.started_from()
        for name, recipe in recipes.items()
        if isinstance(recipe, GoesOn)
    }
    taxa = read_taxa(Path(settings.taxa)) if settings.taxa else TAXA
    front_end = settings.front_end.front_end()
    pooled = load_pooled(
        context.data,
        front_end,
        observer=context.observer,
        only_scored=settings.species == "scored",
        n_workers=context.n_workers,
    )
    run = _Run(settings, context, pooled, front_end, recipes, before, taxa)
    results = tuple(run.protocol(name) for name in settings.protocols)
    return _report(run, results)


@dataclass(frozen=True, eq=False)
class _Run:
    """What the folds of all protocols share."""

    settings: ProtocolRun
    context: RunContext
    pooled: PooledClips
    front_end: FrontEndSettings
    recipes: dict[str, Recipe]
    before: dict[str, tuple[Card, ...]]
    """What recipes go on from."""
    taxa: Taxa

    @property
    def seeds(self) -> list[int]:
        first = self.settings.seed
        return list(range(first, first + self.settings.n_seeds))

    def folds(self, protocol: Protocol, seed: int) -> Folds:
        labels = self.pooled.labels
        return make_folds(
            [labels[k] for k in self.pooled.arrays.targets],
            self.pooled.deployments,
            protocol=protocol,
            n_folds=self.settings.n_folds,
            rng=np.random.default_rng(seed),
        )

    def asked(self, rows: IntArray) -> Asked:
        """Return the clips that are scored."""
        return Asked(
            labels=self.pooled.labels,
            targets=self.pooled.arrays.targets[rows],
            deployments=tuple(self.pooled.deployments[k] for k in rows),
            recordings=tuple(self.pooled.recordings[k] for k in rows),
            taxa=self.taxa,
            threshold=self.settings.threshold,
        )

    def protocol(self, protocol: Protocol) -> ProtocolResult:
        """Hold out, train, answer and measure."""
        folds = [self.folds(protocol, seed) for seed in self.seeds]
        rows = np.flatnonzero(folds[0].scored)
        asked = self.asked(rows)
        weights = bootstrap_weights(
            asked.n_deployments,
            rng=np.random.default_rng(0),
            n_resamples=self.settings.n_resamples,
        )
        systems = {}
        for name in self.recipes:
            logits = self._answers(protocol, name, folds)[:, rows]
            scores = [calibrated_apart(x, asked.targets, asked.groups) for x in logits]
            systems[name] = measure_system(
                np.stack(scores),
                asked,
                raw=softmax(logits.astype(np.float64), axis=2),
                weights=weights,
            )
        for name, look_up in self._look_ups(folds, rows).items():
            systems[name] = measure_system(look_up, asked, raw=None, weights=weights)
        untrained = {k for f in folds for k in f.untrained(self.pooled.arrays.targets)}
        return ProtocolResult(
            protocol=protocol,
            leaky=protocol == "random" or self.pooled.leaky,
            n_folds=folds[0].n_folds,
            systems=systems,
            recipes=tuple(self.recipes),
            leads=_leads(systems, tuple(self.recipes)),
            untrained=tuple(self.pooled.labels[k] for k in sorted(untrained)),
            heard=self._going_on(heard=True),
            not_known=self._going_on(heard=None),
        )

    def _going_on(self, *, heard: bool | None) -> tuple[str, ...]:
        """Return recipes whose first model heard the clips, or None: may have."""
        return tuple(
            name
            for name, cards in self.before.items()
            if heard in {_heard(card, self.pooled) for card in cards}
        )

    def _look_ups(self, folds: list[Folds], rows: IntArray) -> dict[str, FloatArray]:
        """Answer with look-ups, fitted in each fold: ``(n_seeds, n, n_classes)``.

        They learn from scored species only, and so never give an answer that is wrong
        in any case: what a model must beat is to be as hard to beat as it can be.
        """
        n, n_classes = len(self.pooled.deployments), len(self.pooled.labels)
        found: dict[str, FloatArray] = {}
        for s, own in enumerate(folds):
            for k in range(own.n_folds):
                test = np.flatnonzero(own.fold == k)
                scores = baseline_scores(
                    self.pooled.rows(np.flatnonzero(own.scored & (own.fold != k))),
                    self.pooled.rows(test),
                    n_classes=n_classes,
                )
                for name, values in scores.items():
                    found.setdefault(name, np.zeros((len(folds), n, n_classes)))
                    found[name][s, test] = values
        return {name: values[:, rows] for name, values in found.items()}

    def _answers(self, protocol: Protocol, name: str, folds: list[Folds]) -> Logits:
        """Return a recipe's logits ``(n_seeds, n, n_classes)``; NaN: not held out."""
        n, n_classes = len(self.pooled.deployments), len(self.pooled.labels)
        logits = np.full((len(folds), n, n_classes), np.nan, np.float32)
        n_trained, total = 0, sum(own.n_folds for own in folds)
        stage = f"{PROTOCOLS[protocol]}, {name}"
        for s, own in enumerate(folds):
            for k in range(own.n_folds):
                test = np.flatnonzero(own.fold == k)
                logits[s, test], trained = self._fold(protocol, name, own, k, s)
                n_trained += trained
                done = sum(f.n_folds for f in folds[:s]) + k + 1
                self.context.observer.progress(stage, done, total)
        self.context.observer.say(
            f"{stage}: {n_trained} folds trained, {total - n_trained} were there"
        )
        write_table(
            self.context.out / PREDICTIONS / f"{protocol}-{name}.csv",
            self.pooled.arrays,
            logits,
            labels=self.pooled.labels,
            seeds=self.seeds,
            folds=[own.fold for own in folds],
            fair=folds[0].scored | self.pooled.is_unknown,
            root=self.pooled.root,
        )
        return logits

    def _fold(
        self, protocol: Protocol, name: str, folds: Folds, k: int, s: int
    ) -> tuple[Logits, bool]:
        """Return a fold's logits, and whether it had to be trained."""
        rows = np.flatnonzero(folds.fold == k)
        train = subset(self.pooled.arrays, np.flatnonzero(folds.fold != k))
        test = subset(self.pooled.arrays, rows)
        seed = self.seeds[s]
        key = FoldKey(
            protocol=protocol,
            recipe=name,
            settings=self.recipes[name].fingerprint(),
            front_end=self.front_end.fingerprint(),
            seed=seed,
            fold=k,
            clips=clips_digest(train, test, labels=self.pooled.labels),
        )
        path = key.path(self.context.out / PREDICTIONS)
        shape = (len(rows), len(self.pooled.labels))
        kept = load_fold(path, shape=shape)
        if kept is not None:
            return kept, False
        with tempfile.TemporaryDirectory(prefix="seacall-fold-") as scratch:
            logits = self.recipes[name].fit_predict(
                train,
                test,
                labels=self.pooled.labels,
                seed=seed,
                context=replace(self.context, out=Path(scratch), resume=False),
            )
        save_fold(path, logits, rows=rows)
        return logits, True


def _heard(card: Card, pooled: PooledClips) -> bool | None:
    """Tell whether a model was trained on some of the clips; None: not known.

    By the table that it was trained with and by the names of its deployments: two
    that are called alike are taken for one.
    """
    names = {clip.deployment for clip in pooled.arrays.clips} | set(pooled.deployments)
    if card.manifest_sha256 == pooled.fingerprint or names & set(card.deployments):
        return True
    return False if card.deployments else None


def _leads(
    systems: dict[str, Measured], recipes: tuple[str, ...]
) -> dict[str, tuple[str, Estimate]]:
    """Compare each recipe with the look-up that has the best macro-F1."""
    look_ups = [name for name in systems if name not in recipes]
    best = max(look_ups, key=lambda name: systems[name].figures[HEADLINE].value or 0.0)
    theirs = systems[best]
    found = {}
    for name in recipes:
        mine = systems[name]
        interval = None
        if mine.headline_draws is not None and theirs.headline_draws is not None:
            difference = mine.headline_draws - theirs.headline_draws
            interval = percentile_interval(difference, level=LEVEL)
        value, other = mine.figures[HEADLINE].value, theirs.figures[HEADLINE].value
        found[name] = (best, Estimate((value or 0.0) - (other or 0.0), interval))
    return found


def _report(run: _Run, results: tuple[ProtocolResult, ...]) -> ProtocolReport:
    pooled = run.pooled
    scored = run.folds("deployments", run.settings.seed).scored
    names = [clip.label for clip in pooled.arrays.clips]
    counted = {}
    for label in pooled.labels:
        own = [k for k, name in enumerate(names) if name == label and scored[k]]
        if own:
            counted[label] = (len(own), len({pooled.deployments[k] for k in own}))
    rest = sorted(set(names) - set(counted) - {UNKNOWN})
    return ProtocolReport(
        settings=run.settings,
        pooled=pooled,
        scored=counted,
        not_scored=tuple(rest),
        n_clips=int(scored.sum()),
        n_deployments=len(set(np.array(pooled.deployments)[scored].tolist())),
        results=results,
    )
