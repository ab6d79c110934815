"""How the tables of traces came to be; `cascade.traces.schema` describes the result.

See `cascade.database.migrations` for what a step may be.
"""

from __future__ import annotations

from cascade.database.migrations import TableSet

__all__ = ["TABLES"]

STEPS: tuple[tuple[str, ...], ...] = (
    (  # 1: traces with their charges
        """
        CREATE TABLE traces (
            id TEXT COLLATE binary PRIMARY KEY,
            started_at TEXT COLLATE binary NOT NULL,
            status TEXT COLLATE binary NOT NULL,
            tier TEXT COLLATE binary,
            chain TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            cost_usd TEXT,
            scoring_cost_usd TEXT,
            saved_usd TEXT,
            basis TEXT NOT NULL,
            duration_s DOUBLE PRECISION NOT NULL,
            content TEXT NOT NULL,
            json TEXT NOT NULL
        )
        """,
        "CREATE INDEX traces_by_time ON traces (started_at, id)",
        "CREATE INDEX traces_by_status ON traces (status, started_at)",
        "CREATE INDEX traces_by_tier ON traces (tier, started_at)",
        """
        CREATE TABLE charges (
            trace_id TEXT COLLATE binary NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            tier TEXT NOT NULL,
            model TEXT COLLATE binary NOT NULL,
            purpose TEXT NOT NULL,
            outcome TEXT NOT NULL,
            cost_usd TEXT,
            basis TEXT NOT NULL,
            input_tokens BIGINT,
            cached_tokens BIGINT,
            cache_write_tokens BIGINT,
            output_tokens BIGINT,
            reasoning_tokens BIGINT,
            latency_s DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (trace_id, position)
        )
        """,
        "CREATE INDEX charges_by_model ON charges (model)",
    ),
    (  # 2: what a request was made for, and the caller's marks
        "ALTER TABLE traces ADD COLUMN parent_id TEXT COLLATE binary",
        "CREATE INDEX traces_by_parent ON traces (parent_id, started_at)",
        """
        CREATE TABLE tags (
            trace_id TEXT COLLATE binary NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            tag TEXT COLLATE binary NOT NULL,
            PRIMARY KEY (trace_id, position)
        )
        """,
        "CREATE INDEX tags_by_tag ON tags (tag, trace_id)",
    ),
    (  # 3: one index for lists in place of three, since every trace is written into each of them
        "DROP INDEX IF EXISTS charges_by_model",  # nothing was looked up in it
        "DROP INDEX IF EXISTS traces_by_status",
        "DROP INDEX IF EXISTS traces_by_tier",
        "DROP INDEX IF EXISTS traces_by_time",
        # What lists choose by stands in it, so that those passed over are not read.
        "CREATE INDEX traces_by_time ON traces (started_at, id, status, tier, attempts)",
        "DROP INDEX IF EXISTS traces_by_parent",
        """
        CREATE INDEX traces_by_parent ON traces (parent_id, started_at)
        WHERE parent_id IS NOT NULL
        """,
    ),
)

TABLES = TableSet(
    what="a trace store",
    versions="cascade_migrations",
    steps=STEPS,
    tables=frozenset({"traces", "charges", "tags"}),
)
