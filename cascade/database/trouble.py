"""What a database's errors mean: whose fault they are, and what to do about them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from cascade.errors import StoreError

__all__ = ["explained", "is_about_a_row", "may_pass", "words_of"]

STATES = {
    "25006": "name the primary server, the one that can be written to",
    "3F000": "make the schema that its search_path names",
    "42501": "let its user make tables there: GRANT CREATE, USAGE ON SCHEMA ...",
    "42P01": "its tables are not Cascade's; choose another database",
    "55P03": "another program is writing to it, try again",
}
"""What to do by PostgreSQL's own code, which is the same in every language."""

REFUSALS = (
    ("is the server running", "start the server, or check the URL's host and port"),
    ("does not exist", "make it, e.g. with createdb or createuser, or check the URL"),
    ("password", "check the URL's user and password"),
    ("authentication", "check the URL's user and password"),
    ("no pg_hba.conf entry", "let the server's pg_hba.conf admit this machine and user"),
    ("too many", "raise the server's max_connections, or use fewer processes"),
    ("connection option", "take that option out of the URL"),
)
"""What to do where there is no connection and so no code, by a part of the words."""


TO_MEND = ("does not exist", "password", "authentication", "no pg_hba.conf", "connection option")
"""Parts of words about a connection that no waiting brings about."""

PASSING = ("08", "40", "53", "57", "58", "25006", "55P03")
"""How PostgreSQL's codes begin where a server is overloaded, ending, starting or failing over."""

BUSY = ("locked", "busy", "disk is full", "disk i/o")


def words_of(error: BaseException) -> str:
    """A database's words in one line, without the row that PostgreSQL adds to them."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return " ".join(str(primary or cause).split())


def is_about_a_row(error: Exception) -> bool:
    """Whether the database refuses what a row holds; else the place itself is in trouble."""
    if not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError):
        return True
    state = _state(error)
    if state is None:  # not from a server: the driver cannot pass a value on
        return isinstance(error, ProgrammingError | InterfaceError)
    return state.startswith("54")  # too long for an index


def may_pass(error: BaseException | None) -> bool:
    """Whether a database that cannot be used now may be usable later, nobody having changed it."""
    if not isinstance(error, DBAPIError):
        return False
    words, state = words_of(error).lower(), _state(error)
    if type(error.orig).__module__.startswith("sqlite3"):
        return any(part in words for part in BUSY)
    if state is not None:
        return state.startswith(PASSING)
    return isinstance(error, OperationalError) and not any(part in words for part in TO_MEND)


def explained(kind: str, where: str, error: BaseException) -> StoreError:
    """The error of a place `where`, a database of that kind, with the next step."""
    words = words_of(error)
    if isinstance(error, ImportError | NoSuchModuleError):
        return StoreError(f"{where}: {words}; {_driver_of(kind)}")
    if kind == "sqlite":
        return _of_a_file(where, words)
    steps = (step for part, step in REFUSALS if part in words.lower())
    step = STATES.get(_state(error) or "") or next(
        steps, "check that its server runs and can be reached, and the URL"
    )
    return StoreError(f"{where} cannot be used: {words}; {step}")


def _state(error: BaseException) -> str | None:
    """PostgreSQL's code of what went wrong, where a server said it."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _driver_of(kind: str) -> str:
    if kind == "postgresql":
        return "pip install frugal-cascade[postgres], and begin the URL with postgresql+psycopg://"
    return "install the database's driver"


def _of_a_file(where: str, words: str) -> StoreError:
    lower = words.lower()
    if "not a database" in lower or "malformed" in lower or "no such" in lower:
        return StoreError(
            f"{where} is no database of Cascade's or is damaged: {words}; "
            "move it away to start a new one in its place"
        )
    if "locked" in lower:
        return StoreError(f"{where}: {words}; another program is writing to it, try again")
    if Path(where).is_dir():
        name = str(Path(where) / "traces.sqlite3")
        return StoreError(f"{where} is a folder; name a file in it, e.g. {name!r}")
    folder = Path(where).parent
    if "unable to open" in lower and not folder.is_dir():
        return StoreError(f"{where} cannot be opened: there is no folder {str(folder)!r}; make it")
    return StoreError(
        f"{where} cannot be used: {words}; "
        "check its permissions and free space, or choose another place"
    )
