"""Settings of the server: who may reach it, and what may be sent to it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from seacall.settings import Settings

SHORTEST_TOKEN = 20
"""Characters: nobody tries out 62^20 of them."""


class ServeSettings(Settings):
    """Settings of ``seacall serve``."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address that is listened at; any but the loopback needs a token."""
    port: int = Field(default=8765, ge=0, le=65_535)
    """Port; 0: any that is free."""
    token: str | None = Field(
        default=None, min_length=SHORTEST_TOKEN, pattern=r"^[\w.~-]+$", repr=False
    )
    """What a browser or program must know to be let in; None: nothing."""
    names: tuple[str, ...] = ()
    """Names under which browsers reach it where no token is asked for, beside
    addresses, localhost and the machine's own name: those of a proxy, say."""
    uploads: Path | None = None
    """Folder for recordings that are sent to it; None: none are taken."""
    max_upload_bytes: int = Field(default=2 * 10**9, gt=0)
    """Largest recording, bytes."""
    max_upload_h: float = Field(default=72.0, gt=0)
    """Longest recording, hours: a few bytes may stand for years of silence."""
    min_free_gb: float = Field(default=2.0, ge=0)
    """Left free on the disk of the uploads, GB."""
    model: str | None = None
    """Model folder for uploads; None: the model that comes with the package."""
    header_s: float = Field(default=10.0, gt=0)
    """In which a request's line and headers must come, s."""
    body_s: float = Field(default=20.0, gt=0)
    """Longest wait for the next bytes of a request's body, s."""
    n_connections: int = Field(default=512, ge=8)
    """Most connections at once; those beyond are refused with 503."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)

    @model_validator(mode="after")
    def _others_need_a_token(self) -> Self:
        if not self.is_local and self.token is None:
            raise ValueError(
                f"host={self.host!r} can be reached by others; give a token, or "
                "listen at 127.0.0.1"
            )
        return self


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach an address that is listened at."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
