"""`cascade ui`: the dashboard over a store, for whoever sits at this machine."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.browser import OpenOption, open_in_browser
from cascade.cli.chain_files import RecordingsOption, chains_of, recordings_of
from cascade.cli.kept import DEFAULT_STORE, named_store, opened
from cascade.cli.output import StoreArgument, StoreOption, UsageError, say

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from cascade.traces.store import TraceStore

__all__ = ["ui"]

PORT = 8484

LOOPBACK = "127.0.0.1"

MISSING = "cascade ui needs {}: pip install frugal-cascade[gateway]"


def ui(
    ctx: typer.Context,
    place: StoreArgument = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for any that is free.")
    ] = PORT,
    chain: Annotated[
        list[Path] | None,
        typer.Option(help="Chain as TOML, for the order of its tiers; may be given again."),
    ] = None,
    recording: RecordingsOption = None,
    open_it: OpenOption = False,
) -> None:
    """Show where the money goes and why each request escalated, as web pages.

    Only this machine can open them, and nobody logs in; `cascade serve` has the same pages for a
    team, behind a login. Ctrl-C ends it.
    """
    chains = chains_of(chain or [])
    recordings = recordings_of(recording or [], chains)
    store = named_store(ctx, place, store)
    app_of, serve = _parts()
    with opened(store) as kept, closing(_listen(port)) as listening:
        app = app_of(
            kept,
            accounts=_keys(kept, store),
            chains=chains,
            recordings=recordings,
            auth="local",
        )
        address = f"http://{LOOPBACK}:{listening.getsockname()[1]}/"
        say(f"dashboard of {kept.where} at {address} (Ctrl-C ends it)")
        if open_it:
            open_in_browser(address, "address")
        serve(app, listening)


def _parts() -> tuple[Any, Any]:
    """The dashboard and its server, which are loaded here.

    Raises:
        UsageError: they are not installed.
    """
    try:
        import uvicorn  # noqa: PLC0415  of the extra

        from cascade.dashboard import dashboard_app  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(MISSING.format(error.name)) from error

    def serve(app: Starlette, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="on"
        )
        uvicorn.Server(config).run(sockets=[listening])

    return dashboard_app, serve


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used: {error.strerror}; give another one, or 0 for any"
        ) from error


def _keys(kept: TraceStore, store: str) -> Any:
    """The keys that a gateway keeps in the same place; `None` where it has none there."""
    from sqlalchemy import inspect  # noqa: PLC0415  loaded with the store

    from cascade.accounts.keyring import Keyring  # noqa: PLC0415

    with kept.reading() as connection:
        has_keys = inspect(connection).has_table("cascade_keys")
    return Keyring(store) if has_keys else None
