"""The command that shows what was heard in a browser: serve."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seacall.cli.console import Console, settings_from
from seacall.cli.options import Config, Model, Quiet, Verbose, console_for
from seacall.errors import SettingsError, require

if TYPE_CHECKING:
    from seacall.web.settings import ServeSettings


def serve(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Stations (seacall listen -o) and archives (seacall detect -o).",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen at; any but this machine's own needs a token "
            "(127.0.0.1)."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0: a free one (8765).")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that lets browsers in; made if it is missing "
            "(~/.local/state/seacall/token, where a token is needed)."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Name under which browsers reach it without a token, behind a proxy "
            "say; may be given again."
        ),
    ] = None,
    uploads: Annotated[
        Path | None,
        typer.Option(
            help="Folder for recordings that are dropped on the page; they are "
            "listened to there. Default: none are taken."
        ),
    ] = None,
    max_upload_gb: Annotated[
        float | None, typer.Option(min=0.001, help="Largest recording, GB (2).")
    ] = None,
    model: Model = None,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show stations and archives in a browser; review what was found."""
    for package in ("fastapi", "uvicorn", "websockets"):
        require(package, "serve")
    from seacall.web.settings import ServeSettings

    console = console_for(quiet=quiet, verbose=verbose)
    overrides = {
        "host": host,
        "port": port,
        "names": name,
        "uploads": uploads,
        "max_upload_bytes": max_upload_gb and round(max_upload_gb * 1e9),
        "model": str(model) if model else None,
        "token": _token(config, host, token_file),
    }
    settings = settings_from(ServeSettings, config, overrides)
    _serve(folders or [], settings, console)


def _token(
    config: Path | None, host: str | None, token_file: Path | None
) -> str | None:
    """Return the token that is to be shown, if one is asked for or needed."""
    from seacall.config import read_toml
    from seacall.web.settings import is_local
    from seacall.web.tokens import default_token_file, token_in

    kept = read_toml(config) if config else {}
    address = host or str(kept.get("host", "127.0.0.1"))
    if token_file is None and (is_local(address) or "token" in kept):
        return None
    return token_in(token_file or default_token_file())


def _serve(folders: list[Path], settings: ServeSettings, console: Console) -> None:
    from seacall.review.place import Place, open_places
    from seacall.web.app import create_app
    from seacall.web.server import serve as run

    if not folders and settings.uploads is None:
        raise SettingsError(
            "nothing to show: name a folder that seacall listen or seacall detect "
            "wrote, or one for --uploads"
        )
    places: dict[str, Place] = {place.id: place for place in open_places(folders)}
    app = create_app(places, settings)
    for place in places.values():
        console.say(f"  {place.kind} {place.id}: {place.folder}")
    if settings.uploads is not None:
        console.say(f"  uploads: {settings.uploads}")
    run(app, settings, ready=lambda port: print(url(settings, port), flush=True))


def url(settings: ServeSettings, port: int) -> str:
    """Return the address that opens the page."""
    host = settings.host
    try:
        if ip_address(host).is_unspecified:
            host = _this_machine()
    except ValueError:
        pass
    host = f"[{host}]" if ":" in host else host
    query = f"?token={settings.token}" if settings.token else ""
    return f"http://{host}:{port}/{query}"


def _this_machine() -> str:
    """Return this machine's name, as others may know it."""
    import socket

    return socket.gethostname() or "localhost"
