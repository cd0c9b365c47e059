"""Which front end should be the default? The protocol on each of them.

    python runs/compare_profiles.py DATASET OUT [--protocol folds] [--epochs 25]

Trains the student alone on each profile with whole deployments held out; all three
splits of DATASET are pooled. Species with one deployment are trained on and not scored.
One line for each front end; stopped, it goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seacall.config import DEFAULT_PROFILE, PROFILES, FrontEndChoice
from seacall.learn.context import RunContext
from seacall.learn.observe import Silent
from seacall.learn.protocol import ProtocolRun, run_protocol
from seacall.learn.protocol_report import write_protocol
from seacall.learn.protocol_words import MAIN, number
from seacall.models.device import choose_device

OTHER = {"kept": "removed", "removed": "kept"}


def main() -> None:
    """Run all comparisons and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--protocol", nargs="+", default=["folds"])
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the front end's name")
    parser.add_argument(
        "--scorable", action="store_true", help="leave other species out of training"
    )
    options = parser.parse_args()
    wide = PROFILES["wide-48k"]
    other = OTHER[wide.background]
    # Not a profile of the package: known under this name while the script runs.
    PROFILES[f"wide-48k-{other}"] = wide.model_copy(
        update={"name": f"wide-48k-{other}", "background": other}
    )
    print(f"default profile now: {DEFAULT_PROFILE}")
    for profile in PROFILES:
        for fit in ("pad", "tile"):
            name = f"{profile}, {fit}"
            if options.only in name and (fit == "tile" or "original" in name):
                compare(name, FrontEndChoice(profile=profile, fit=fit), options)


def compare(name: str, front_end: FrontEndChoice, options) -> None:
    """Run the protocol with one front end and print a line for each way to hold out."""
    settings = ProtocolRun(
        protocols=tuple(options.protocol),
        n_folds=options.folds,
        n_seeds=options.seeds,
        species="scored" if options.scorable else "all",
        front_end=front_end,
        train={"epochs": options.epochs},
    )
    out = options.out / name.replace(", ", "-")
    context = RunContext(
        data=options.dataset, out=out, device=choose_device("cpu"), observer=Silent()
    )
    report = run_protocol(settings, context)
    write_protocol(report, out)
    for result in report.results:
        figures = result.systems["student"].figures
        shown = "  ".join(f"{key} {number(figures[key])['value']}" for key in MAIN)
        how = result.protocol + (" (leaky)" if result.leaky else "")
        print(f"{name:<28}{how:<18}{shown}", flush=True)


if __name__ == "__main__":
    main()
