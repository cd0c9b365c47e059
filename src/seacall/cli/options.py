"""Options that several commands share, and what they do before anything else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from seacall.cli.console import Console
from seacall.errors import require

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to write into.")]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings file (TOML), such as an earlier run's settings.toml."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that read recordings.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a stopped run was.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all random choices.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Most epochs (60).")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Clips in a step (16).")]
LearningRate = Annotated[float | None, typer.Option(help="AdamW step size (0.001).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")]
Views = Annotated[
    int | None,
    typer.Option(
        min=1, help="Views of each training clip, all but one changed at random (1)."
    ),
]
Balance = Annotated[
    str | None,
    typer.Option(help="Drawn equally often: none (clips), class, or deployment."),
]
Extra = Annotated[
    list[Path] | None,
    typer.Option(help="Dataset folder to train on too; may be repeated."),
]
Start = Annotated[
    Path | None,
    typer.Option(help="Model folder of a student to go on from, but its last layer."),
]
Trunk = Annotated[
    str | None,
    typer.Option(
        help="trained; or frozen: keep the convolutions of --start, and train the "
        "layers behind them (trained)."
    ),
]
AllClips = Annotated[
    bool,
    typer.Option(
        "--all-clips",
        help="Train on validation and test clips too: a final model, no figures.",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        help="Step size: plateau (smaller when validation stands still) or cosine "
        "(plateau)."
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "-m", "--model", help="Model folder. Default: the model that is built in."
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(min=0.1, help="Seconds between clips' starts (clip length)."),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X|LABEL=X",
        help="Lowest score that is answered, of all classes or of one; may be "
        "given again (the card's).",
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        metavar="N|mean|each",
        help="Channel to listen to, from 1; their mean; or each (the card's).",
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(help="Of recorder times that name none: a name or offset (UTC)."),
]
Dataset = Annotated[
    Path, typer.Argument(help="Dataset folder, as seacall prepare writes it.")
]


def console_for(*, quiet: bool, verbose: bool) -> Console:
    """Return where a command talks, and set how much it logs."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        force=True,
    )
    if quiet:
        logging.disable(logging.WARNING)
    return Console(quiet=quiet)


def given_front_end(
    config: Path | None, data: Path, start: Path | None
) -> dict[str, Any] | None:
    """Return the front end that a run has if no option names one.

    Returns
    -------
    front_end
        That of the model to start from, else the dataset's; None: the settings file
        has one, or nothing is known.
    """
    from seacall.config import read_toml
    from seacall.data.manifest import dataset_front_end
    from seacall.models.checkpoint import read_card

    if config is not None and "front_end" in read_toml(config):
        return None
    if start is None:
        return dataset_front_end(data)
    front_end = read_card(start).front_end
    return {"profile": front_end.profile.name, **front_end.clip.model_dump()}


def require_training() -> None:
    """Raise if what training needs is not installed."""
    require("torch", "train")
