"""Keep on disk what a network made of each view of a clip."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.cache import FRONT_END_VERSION, FrontEndCache
from seacall.data.views import views_key
from seacall.files import written_whole

logger = logging.getLogger(__name__)

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class KeptVectors:
    """Vectors of clips, by hash of the file, number of the view, network and settings.

    What is damaged counts as not there. Where nothing can be written everything is
    computed each time.
    """

    folder: Path | None
    """Where they lie; None keeps nothing."""
    views: str
    """Changes with all that decides what a changed view is."""

    @classmethod
    def beside(
        cls,
        root: Path,
        network: str,
        front_end: FrontEndSettings,
        augment: AugmentSettings | None,
    ) -> KeptVectors:
        """Return those in a dataset folder.

        Parameters
        ----------
        network
            Of the network that made them: see :func:`weights_sha256`.
        augment
            Which views are made; None: there is one, the clip itself.
        """
        folder = FrontEndCache.beside(root).folder
        if folder is not None:
            inputs = f"{front_end.fingerprint()}-v{FRONT_END_VERSION}"
            folder = folder / "heard" / network[:16] / inputs
        return cls(folder, "" if augment is None else views_key(augment))

    def load(self, sha256: str, view: int, *, length: int) -> Float32 | None:
        """Return the vector of a view, shape ``(length,)``; None: there is none.

        Parameters
        ----------
        sha256
            Of the recording's bytes.
        view
            0: the clip itself.
        """
        if self.folder is None:
            return None
        path = self._place(self.folder, sha256, view)
        try:
            found = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            logger.info("%s: damaged (%s); computed anew", path, error)
            return None
        return found if found.shape == (length,) else None

    def save(self, x: Float32, sha256: str, view: int) -> None:
        """Keep the vector of a view."""
        if self.folder is None:
            return
        path = self._place(self.folder, sha256, view)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as part, part.open("wb") as file:
                np.save(file, x)
        except OSError as error:
            _warn_once(str(self.folder), error.strerror or type(error).__name__)

    def _place(self, folder: Path, sha256: str, view: int) -> Path:
        name = f"views-{self.views}" if view else "clips"
        return folder / name / str(view) / sha256[:2] / f"{sha256}.npy"


def weights_sha256(network: nn.Module) -> str:
    """Return a hash of a network's numbers, 64 hex digits, wherever they lie."""
    found = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


@lru_cache(maxsize=64)
def _warn_once(folder: str, reason: str) -> None:
    logger.warning("%s: cannot be written (%s); nothing is kept", folder, reason)
