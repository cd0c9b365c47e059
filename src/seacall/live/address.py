"""Read what a user calls a source, and make it."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from seacall.errors import SettingsError
from seacall.live.card import Card
from seacall.live.datagrams import Udp
from seacall.live.growing_folder import GrowingFolder
from seacall.live.internet import Internet
from seacall.live.pcm import PcmForm
from seacall.live.raw import Stdin, Tcp
from seacall.live.replay import Replay
from seacall.live.settings import ListenRun
from seacall.live.source import Source

_FORM = frozenset({"rate", "channels", "format", "header"})
_WAYS = (
    "a recording, - (raw samples on standard input), tcp://HOST:PORT, udp://HOST:PORT, "
    "http(s)://..., hls+https://..., folder:PATH or card:NAME"
)


def source_of(text: str, run: ListenRun, *, known: Container[str] = ()) -> Source:
    """Make the source that a text names.

    Parameters
    ----------
    text
        A recording's path, ``-``, ``tcp://``, ``udp://``, ``http(s)://``,
        ``hls+http(s)://``, ``folder:`` or ``card:``. Raw streams may end in
        ``?rate=48000&channels=2&format=s24le``, UDP in ``&header=rtp``.
    run
        Rate, channels and format of those that name none; speed of recordings.
    known
        Keys of recordings in growing folders that were heard before.

    Raises
    ------
    SettingsError
        If nothing is named by it.
    """
    if text == "-":
        return Stdin(_form({}, run, text))
    made = _BY_SCHEME.get(text.partition(":")[0].lower())
    if made is not None:
        return made(text, run)
    if text.startswith("folder:"):
        return _folder(Path(text.removeprefix("folder:")), run, known)
    path = Path(text)
    if path.is_dir():
        return _folder(path, run, known)
    if not path.is_file():
        raise SettingsError(f"{text}: is no source; give {_WAYS}")
    return Replay(
        path,
        speed=run.speed,
        timezone=run.timezone,
        time_pattern=run.time_pattern,
    )


def _folder(path: Path, run: ListenRun, known: Container[str]) -> Source:
    return GrowingFolder(
        path,
        known=known,
        still_s=run.still_s,
        poll_s=min(1.0, max(0.1, run.still_s)),
        timezone=run.timezone,
        time_pattern=run.time_pattern,
    )


def _tcp(text: str, run: ListenRun) -> Source:
    url = urlsplit(text)
    host, port = _place(url, text)
    return Tcp(host or "127.0.0.1", port, _form(_query(url), run, text))


def _udp(text: str, run: ListenRun) -> Source:
    url = urlsplit(text)
    host, port = _place(url, text)
    query = _query(url)
    header = query.pop("header", "none")
    return Udp(
        host, port, _form(query, run, text), header=header, fill_s=run.fill_gap_s
    )


def _http(text: str, _run: ListenRun) -> Source:
    return Internet(text.removeprefix("hls+"))


def _card(text: str, run: ListenRun) -> Source:
    device = text.partition(":")[2].removeprefix("//")
    return Card(device, _form({}, run, text))


_BY_SCHEME: dict[str, Callable[[str, ListenRun], Source]] = {
    "tcp": _tcp,
    "udp": _udp,
    "http": _http,
    "https": _http,
    "hls+http": _http,
    "hls+https": _http,
    "rtsp": _http,
    "card": _card,
}


def _place(url: SplitResult, text: str) -> tuple[str, int]:
    try:
        port = url.port
    except ValueError:
        port = None
    if port is None:
        raise SettingsError(
            f"{text}: names no port; give such as {url.scheme}://h:5000"
        )
    return url.hostname or "", port


def _query(url: SplitResult) -> dict[str, str]:
    values = {name: found[-1] for name, found in parse_qs(url.query).items()}
    if strange := sorted(values.keys() - _FORM):
        raise SettingsError(
            f"{strange[0]}: is nothing that a stream has; choose from "
            f"{', '.join(sorted(_FORM))}"
        )
    return values


def _form(query: dict[str, str], run: ListenRun, text: str) -> PcmForm:
    try:
        rate = int(query.get("rate", run.rate or 0))
        channels = int(query.get("channels", run.channels))
    except ValueError:
        raise SettingsError(f"{text}: rate and channels are whole numbers") from None
    if not rate:
        raise SettingsError(f"{text}: is raw sound of unknown rate; give --rate in Hz")
    return PcmForm(rate, channels, query.get("format", run.format))
