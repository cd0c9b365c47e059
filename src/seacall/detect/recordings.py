"""From recordings, or scores that were kept, to files of detections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seacall.config import DetectRun
from seacall.detect.archive import (
    ArchiveResult,
    Engine,
    Plan,
    Watch,
    default_workers,
    found_in,
    listen,
)
from seacall.detect.clip_rows import write_clips
from seacall.detect.embeddings import lacking
from seacall.detect.outputs import check_formats, write_outputs
from seacall.detect.outputs.target import shared_folder
from seacall.detect.rescore import card_for
from seacall.detect.store import Store
from seacall.errors import SettingsError
from seacall.events import Detection, Searched
from seacall.models.checkpoint import Card
from seacall.models.decide import with_thresholds
from seacall.models.file_classifier import card_of
from seacall.models.shipped import shipped_folder
from seacall.taxonomy import level_matrix

CLIPS = "clips"
"""Format beside those of `seacall.detect.outputs`: all clips, detections or not."""


def detect_recordings(
    paths: Sequence[Path],
    out: Path,
    run: DetectRun = DetectRun(),  # noqa: B008 (frozen)
    *,
    n_workers: int | None = None,
    engine: Callable[[Store], Engine | None] = lambda _: None,
    watch: Watch = lambda _: None,
) -> ArchiveResult:
    """Detect calls in recordings; what was heard before is not heard again.

    Parameters
    ----------
    paths
        Recordings, each once; results are in this order.
    out
        Folder of the run: the ledger with all scores, and what `run.formats` asks for.
    run
        The model and everything else.
    n_workers
        Processes; None: one for each core.
    engine
        Where the work is done; None: on this machine.
    watch
        Told how far the run is.

    Returns
    -------
    result
        Counts, what failed and why, and the files that were written.

    Raises
    ------
    SettingsError
        If the folder cannot be written, another run is writing there, or it holds
        scores that were made in another way.
    CheckpointError
        If the model cannot be loaded.
    """
    check_formats(run.formats, others=[CLIPS])
    plan = plan_of(run)
    with Store(out) as store:
        progress = listen(
            paths,
            store,
            plan,
            n_workers=n_workers or default_workers(),
            engine=engine(store),
            watch=watch,
        )
        return _write(store, plan.card, run, out, scored_s=progress.audio_done_s)


def detect_in_scores(
    earlier: Path,
    out: Path,
    run: DetectRun = DetectRun(),  # noqa: B008 (frozen)
) -> ArchiveResult:
    """Detect in the scores of an earlier run, without listening again.

    Parameters
    ----------
    earlier
        Its folder.
    out
        Folder for what `run.formats` asks for; may be the same.
    run
        Thresholds, and from scores to detections. A model, if one is named, is the one
        that made the scores, calibrated anew.

    Raises
    ------
    SettingsError
        If there are no scores, or something is asked for that only listening again
        could give.
    """
    check_formats(run.formats, others=[CLIPS])
    with Store(earlier, writable=False) as store:
        if not store.named():
            raise SettingsError(
                f"{earlier}: the run was stopped before it knew its recordings; run "
                "it again"
            )
        card = card_for(store, run)
        if run.detect.prior is not None:
            run.detect.prior.check_labels(card.labels)
        return _write(store, card, run, out)


def plan_of(run: DetectRun) -> Plan:
    """Return how an archive is listened to.

    Raises
    ------
    CheckpointError, SettingsError
        If there is no such model, or it has no such class.
    """
    model = Path(run.model) if run.model else None
    card = with_thresholds(card_of(model or shipped_folder()), run.threshold)
    if isinstance(run.channel, int) or run.channel == "mean":
        channel = run.channel if isinstance(run.channel, int) else None
        front_end = card.front_end.with_channel(channel)
        card = card.model_copy(update={"front_end": front_end})
    if run.detect.prior is not None:
        run.detect.prior.check_labels(card.labels)
    return Plan(
        model,
        card,
        hop_s=run.hop_s,
        each_channel=run.channel == "each",
        time_pattern=run.time_pattern,
        timezone=run.timezone,
        threshold=run.threshold,
        embeddings=run.embeddings,
    )


def _write(
    store: Store, card: Card, run: DetectRun, out: Path, *, scored_s: float = 0.0
) -> ArchiveResult:
    """Detect, count and write in one pass."""
    doubts = {str(path): doubt for path, doubt in store.doubts().items()}
    result = ArchiveResult(scored_s=scored_s, doubts=doubts)

    def counted() -> Iterator[tuple[Searched, list[Detection]]]:
        for searched, found in found_in(store, card, run.detect):
            result.add(searched, found)
            yield searched, found

    names, _ = level_matrix(card.labels[:-1], run.detect.level)
    written = write_outputs(
        out,
        counted,
        formats=[name for name in run.formats if name != CLIPS],
        folder=shared_folder(store.named()),
        labels=names,
    )
    if CLIPS in run.formats:
        written.append(write_clips(out, store, card))
    if run.embeddings:
        result.failures = _without_embeddings(store) | result.failures
    result.written = [str(path) for path in written]
    return result


def _without_embeddings(store: Store) -> dict[str, str]:
    with store.reading() as ledger:
        return {
            str(path): f"{path}: {n} of its parts have scores and no embeddings, since "
            "they could not be read again; run again as before"
            for path, n in lacking(ledger)
        }
