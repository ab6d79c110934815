"""Each kind of database in turn."""

from databases import database, postgres, server, sqlite, wire  # noqa: F401
