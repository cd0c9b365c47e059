"""Tell systemd that the station is ready and alive: the protocol of sd_notify."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

WATCHDOG_USEC = "WATCHDOG_USEC"


def notify(message: str) -> bool:
    """Send ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1`` or ``STATUS=...``.

    Source: sd_notify(3). Without systemd nothing is sent.

    Returns
    -------
    sent
        Whether anyone listened.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # An abstract socket, which has no file, begins with a zero byte.
    place = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message.encode(), place)
        return True
    return False


def watchdog_s() -> float | None:
    """Return how often systemd wants to hear of us, s; None: it does not."""
    text = os.environ.get(WATCHDOG_USEC, "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(text) / 1e6 if text.isdecimal() and mine else None
