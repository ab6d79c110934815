"""`cascade serve`: OpenAI's endpoints over HTTP, answered by chains."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cascade.cli.chain_files import RecordingsOption, chains_of, recordings_of
from cascade.cli.output import WRONG_RUN, UsageError, say, warn
from cascade.cli.run import ContentName
from cascade.core.chain import Chain
from cascade.core.pricing import model_table
from cascade.core.tier import Tier
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.gateway.assembly import Assembled

__all__ = ["serve"]

PORT = 8_000

PORT_TAKEN = (errno.EADDRINUSE, errno.EACCES)

STICKY_S = 900.0

LossPolicy = Literal["closed", "open"]


def serve(
    *,
    chain: Annotated[
        list[Path],
        typer.Option(help="Chain as TOML; may be given more than once. Callers use its name."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = PORT,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            "--store",
            help="Where keys, budgets and traces are kept: an SQLite file or an SQLAlchemy URL; "
            "CASCADE_DATABASE_URL unless given, else a file here.",
        ),
    ] = None,
    content: Annotated[
        ContentName, typer.Option(help="What is kept of requests and answers.")
    ] = "full",
    spool: Annotated[
        Path | None,
        typer.Option(
            help="Folder where traces wait while the database is away; CASCADE_SPOOL unless given, "
            "else one of the user's."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            help="Plain model that may be asked for as well, under its name or that of a dated "
            "snapshot of it; may be given more than once."
        ),
    ] = None,
    insecure_local: Annotated[
        bool,
        typer.Option("--insecure-local", help="No keys; only for clients on this machine."),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Web pages that may ask from browsers, e.g. https://app.example; * for all. May "
            "be given more than once."
        ),
    ] = None,
    on_database_loss: Annotated[
        LossPolicy,
        typer.Option(help='Without the database: refuse what budgets limit ("closed"), or not.'),
    ] = "closed",
    lease_s: Annotated[
        float,
        typer.Option(help="So long after a crash, what the process held of budgets goes back."),
    ] = 60.0,
    budget: Annotated[
        str | None, typer.Option(help="US dollars that one request may cost at most.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds that one request may take at most.")
    ] = None,
    sticky_s: Annotated[
        float, typer.Option(help="So long a conversation stays with its tier; 0 for never.")
    ] = STICKY_S,
    cascade_field: Annotated[
        bool, typer.Option(help="Tell in each body what the answer cost.")
    ] = True,
    ui: Annotated[bool, typer.Option(help="Serve the pages at /ui.")] = True,
    recording: RecordingsOption = None,
    metrics_open: Annotated[
        bool, typer.Option("--metrics-open", help="Let anybody read /metrics.")
    ] = False,
    join_traces: Annotated[
        bool,
        typer.Option(help="OpenTelemetry: go on with the trace of a caller's traceparent."),
    ] = True,
    max_body_mb: Annotated[float, typer.Option(help="Largest body, in megabytes.")] = 20.0,
    max_held_mb: Annotated[
        float, typer.Option(help="Bodies in memory at once, in megabytes.")
    ] = 256.0,
    max_values: Annotated[
        int, typer.Option(help="Values in a body: texts, numbers, lists, objects.")
    ] = 100_000,
    max_concurrent: Annotated[int, typer.Option(help="Requests answered at once.")] = 512,
    max_waiting: Annotated[int, typer.Option(help="Requests that may wait beyond those.")] = 1_024,
    body_timeout_s: Annotated[float, typer.Option(help="Time for a body to arrive.")] = 30.0,
    write_timeout_s: Annotated[
        float, typer.Option(help="How long a client may stop reading its answer.")
    ] = 60.0,
    silence_s: Annotated[
        float,
        typer.Option(help="A stream silent for so long tells that it waits; 0 for never."),
    ] = 10.0,
    drain_s: Annotated[
        float, typer.Option(help="After SIGTERM, how long requests in flight may take to finish.")
    ] = 30.0,
) -> None:
    """Answer OpenAI's endpoints over HTTP by chains.

    SIGTERM, SIGHUP or Ctrl-C lets requests in flight finish and takes no new ones; a second one
    breaks them off. Either way their costs are booked and their traces written.

    Ends with 0 where everything was finished, with 1 where something was broken off or could not be
    written, with 2 where the call or a chain cannot work.
    """
    _check_place(host, insecure_local=insecure_local)
    chains = chains_of(chain)
    for note in (note for loaded in chains.values() for note in loaded.notes()):
        warn(note)  # allowed, and rarely meant
    plain = _plain(_listed(models or []), chains)
    _check_installed()
    from cascade.gateway import Limits  # noqa: PLC0415  loads the server
    from cascade.gateway.assembly import Settings, assembled  # noqa: PLC0415

    settings = Settings(
        database=database,
        content=content,
        spool=spool,
        keyless=insecure_local,
        on_database_loss=on_database_loss,
        lease_s=lease_s,
        cascade_field=cascade_field,
        metrics_open=metrics_open,
        pages=ui,
        recordings=recordings_of(recording or [], chains),
        sticky_s=sticky_s,
        join_traces=join_traces,
        allow_origins=tuple(allow_origin or ()),
        limits=Limits(
            max_body_bytes=int(max_body_mb * 1_000_000),
            max_held_bytes=int(max_held_mb * 1_000_000),
            max_values=max_values,
            max_concurrent=max_concurrent,
            max_waiting=max_waiting,
            body_timeout_s=body_timeout_s,
            write_timeout_s=write_timeout_s,
            silence_s=silence_s,
            drain_s=drain_s,
            budget_usd=budget,
            deadline_s=deadline,
        ),
    )
    with assembled(chains, plain, settings) as made:
        _run(made, host, port)


def _run(made: Assembled, host: str, port: int) -> None:
    from cascade.gateway.server import GatewayServer, listen  # noqa: PLC0415

    app = made.app
    try:
        sock = listen(host, port)
    except OSError as error:
        other = "--port (0 for any)" if error.errno in PORT_TAKEN else "--host"
        raise UsageError(
            f"cannot listen at {host}:{port}: {error.strerror}; give another {other}"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    root = f"http://{shown}:{sock.getsockname()[1]}"

    def introduce() -> None:
        say(f"{', '.join(made.names)} at {root}/v1; kept in {made.place}")
        if made.has_pages:
            say(f"pages at {root}/ui/")
        for words in made.warnings:
            warn(words)

    server = GatewayServer(app, app.turns, app.limits, sock=sock, ready=introduce)
    with sock:
        try:
            server.serve_forever()
        except SystemExit as error:  # uvicorn's way to say that the app could not begin
            raise app.failed or ConfigError("the gateway could not begin") from error
    if server.cut or app.lost:
        raise typer.Exit(WRONG_RUN)


def _check_place(host: str, *, insecure_local: bool) -> None:
    if insecure_local and not _is_loopback(host):
        raise UsageError(
            f"--insecure-local answers everybody, and --host {host} can be reached from elsewhere; "
            "listen at 127.0.0.1, or leave --insecure-local out and make keys with "
            "`cascade keys create`"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(models: Sequence[str], chains: Container[str]) -> dict[str, Chain]:
    """Plain models and their dated snapshots as chains of one tier each: booked like any other.

    Only listed snapshots, whose price is known to be the model's; another date may cost otherwise.
    """
    for model in models:
        if model in chains:
            raise UsageError(f"--models {model}: there is a chain of that name")
    dated = (name for model in models for name in model_table().snapshots_of(model))
    names = dict.fromkeys([*models, *(name for name in dated if name not in chains)])
    return {name: Chain((Tier(name),), name=name) for name in names}


def _listed(models: Sequence[str]) -> list[str]:
    """Names given one by one, or several with commas between them."""
    names = [name.strip() for item in models for name in item.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _check_installed() -> None:
    try:
        import prometheus_client  # noqa: F401, PLC0415
        import starlette  # noqa: F401, PLC0415
        import uvicorn  # noqa: F401, PLC0415
        import uvloop  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError(
            f"{error.name} is not installed; get it with `pip install 'frugal-cascade[gateway]'`"
        ) from error
