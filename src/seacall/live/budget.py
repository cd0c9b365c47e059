"""Keep the sound of detections within its share of the disk."""

from __future__ import annotations

import logging
import shutil

from seacall.errors import SettingsError
from seacall.live.journal import Journal
from seacall.live.judged import keep_accepted
from seacall.live.settings import SnippetSettings

GB = 10**9

Log = logging.getLogger("seacall.live")
_LEAST = """
SELECT id, audio, audio_bytes FROM detections WHERE audio IS NOT NULL AND kept = 0
ORDER BY CAST(score * 10 AS INTEGER), changed_us LIMIT 20
"""
"""Of the lowest tenth of scores the oldest."""


class Budget:
    """Decides which sound goes so that new sound has room.

    Those of the lowest score go first (in tenths), of these the oldest. Sound of
    detections that are marked as kept, and of those that a reviewer accepted or
    corrected, never goes; if only such is left, nothing new is written.

    Parameters
    ----------
    journal
        Knows all files.
    settings
        How much room there is.
    """

    def __init__(self, journal: Journal, settings: SnippetSettings) -> None:
        self._journal = journal
        self._settings = settings

    def used(self) -> int:
        """Return the size of all files, bytes."""
        (row,) = self._journal.rows(
            "SELECT COALESCE(SUM(audio_bytes), 0) FROM detections"
        )
        return int(row[0])

    def has_room(self, n_bytes: int) -> bool:
        """Say whether so many bytes can be written; make room if need be."""
        free = shutil.disk_usage(self._journal.folder).free
        if free - n_bytes < self._settings.min_free_gb * GB:
            return False
        return self._shrink_to(self._settings.budget_gb * GB - n_bytes)

    def add(self, number: int, name: str, n_bytes: int, *, start_s: float) -> None:
        """Note a file that was written."""
        with self._journal.transaction() as db:
            db.execute(
                "UPDATE detections SET audio = ?, audio_bytes = ?, audio_start_s = ? "
                "WHERE id = ?",
                (name, n_bytes, start_s, number),
            )

    def _shrink_to(self, n_bytes: float) -> bool:
        over = self.used() - n_bytes
        if over > 0 and not self._look_at_reviews():
            return False
        while over > 0:
            rows = self._journal.rows(_LEAST)
            if not rows:
                return False
            for row in rows:
                if over > 0:
                    self._drop(int(row["id"]), str(row["audio"]))
                    over -= row["audio_bytes"]
        return True

    def _look_at_reviews(self) -> bool:
        """Mark what reviewers accepted; False: it cannot be told, so nothing goes."""
        try:
            keep_accepted(self._journal)
        except SettingsError as error:
            Log.warning("%s", error)
            return False
        return True

    def _drop(self, number: int, name: str) -> None:
        # First the file: what is noted and not there can be told, the reverse cannot.
        (self._journal.folder / name).unlink(missing_ok=True)
        with self._journal.transaction() as db:
            db.execute(
                "UPDATE detections SET audio = NULL, audio_bytes = 0 WHERE id = ?",
                (number,),
            )
