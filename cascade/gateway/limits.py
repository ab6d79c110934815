"""What one gateway takes on: sizes, counts and times, each with its reason.

A limit that is met has an answer of its own (413, 431, 408, 503), so that nobody waits for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from cascade.core.budget import Budget
from cascade.errors import ConfigError

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a gateway process.

    Attributes:
        max_body_bytes: of a request; a conversation with a few pictures fits.
        max_held_bytes: of the bodies of all requests under way; what is made of a body takes some
            four times its size. Never less than one body.
        max_values: in a body: texts, numbers, lists and objects. Each takes some microseconds, for
            part of which no other request gets on; a thousand messages with calls of tools are some
            ten thousand.
        max_head_bytes: of request line and headers together; browsers and proxies stay below 16 kB.
        max_headers: how many headers a request may have.
        max_connections: open at once; each costs a few kilobytes and a file descriptor, so there
            are fewer where the system allows fewer.
        max_concurrent: requests answered at once.
        max_waiting: further requests that may wait for their turn; the rest is told to come back.
        wait_s: how long one waits for its turn.
        head_timeout_s: within which a request's head must arrive.
        body_timeout_s: within which its body must arrive.
        write_timeout_s: how long a client may stop reading its answer.
        silence_s: how long a stream may say nothing until its head, or a comment, tells that it
            waits; 0 for ever. Well below the time after which proxies give it up (60 s).
        keep_alive_s: how long an idle connection stays open; longer than load balancers keep theirs
            (60 s), so that it is not closed just when they use it.
        budget_usd: dollars that one request may cost at most; `None` for no limit.
        deadline_s: seconds that one may take at most; `None` for no limit.
        drain_s: how long requests in flight may take to finish once the gateway is told to stop.

    Raises:
        ConfigError: a value that is not above 0 (0 is allowed for `max_waiting`, `silence_s` and
            `drain_s`).
    """

    max_body_bytes: int = 20_000_000
    max_held_bytes: int = 256_000_000
    max_values: int = 100_000
    max_head_bytes: int = 32_768
    max_headers: int = 100
    max_connections: int = 4_096
    max_concurrent: int = 512
    max_waiting: int = 1_024
    wait_s: float = 30.0
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    write_timeout_s: float = 60.0
    silence_s: float = 10.0
    keep_alive_s: int = 75
    drain_s: float = 30.0
    budget_usd: str | Decimal | None = None
    deadline_s: float | None = None

    def __post_init__(self) -> None:
        Budget.of(self.budget_usd)
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name == "budget_usd" or (spec.name == "deadline_s" and value is None):
                continue
            least = 0 if spec.name in ("max_waiting", "silence_s", "drain_s") else 1e-9
            is_whole = spec.type in ("int", int)
            kind = int if is_whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or not value >= least:
                expected = "a whole number" if is_whole else "a number of seconds"
                bound = "from 0" if least == 0 else "above 0"
                raise ConfigError(f"limit {spec.name}={value!r}: expected {expected} {bound}")
