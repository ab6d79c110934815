"""Whether the database can be reached, found out without holding anything up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from cascade.errors import StoreError

__all__ = ["Health"]

WAIT_S = 2.0
"""How long an answer waits for the database."""

FRESH_S = 1.0
"""How long a finding counts: probes come from several places at once."""

log = logging.getLogger("cascade")


class Health:
    """Looks at the database when asked, once at a time: a database that hangs holds one thread.

    Args:
        look: returns where the database answers and raises where it does not; it may take long.
    """

    def __init__(self, look: Callable[[], object] | None) -> None:
        self._look = look
        self._looking: asyncio.Task[bool] | None = None
        self._found = True
        self._at = float("-inf")

    async def reachable(self) -> bool:
        """Whether the database answers; `True` where there is none."""
        if self._look is None or time.monotonic() - self._at < FRESH_S:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._seen(self._look))
        done, _ = await asyncio.wait({self._looking}, timeout=WAIT_S)
        return bool(done) and self._looking.result()

    async def _seen(self, look: Callable[[], object]) -> bool:
        try:
            await asyncio.to_thread(look)
        except Exception as error:  # noqa: BLE001  a driver may raise anything
            if self._found:  # once: probes come every few seconds
                log.warning("%s", error if isinstance(error, StoreError) else repr(error))
            self._found = False
        else:
            if not self._found:
                log.warning("the database answers again")
            self._found = True
        self._at = time.monotonic()
        return self._found


def database_look(where: str, table: str) -> Callable[[], object]:
    """A look at the database of that place, over a connection of its own.

    Args:
        where: the place.
        table: of Cascade's own, which is read: SQLite answers what names none without its file.
    """
    from sqlalchemy import text  # noqa: PLC0415  loads SQLAlchemy
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from cascade.database.place import engine_of, file_of, shown, url_of  # noqa: PLC0415
    from cascade.database.trouble import explained  # noqa: PLC0415

    url = url_of(where)
    file = file_of(url)
    engine = engine_of(url).execution_options(cascade_read=True)
    asked = text(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  a name of our own

    def look() -> object:
        if file is not None and not file.exists():  # connecting would make a new one
            raise StoreError(f"{file} is gone: put it back, or start the gateway anew")
        try:
            with engine.connect() as connection:
                return connection.execute(asked).scalar()
        except SQLAlchemyError as error:
            raise explained(url.get_backend_name(), shown(url), error) from error

    return look
