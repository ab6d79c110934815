"""Chains that keys name and nobody knows: a misspelt one is refused to the key's holder only."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from cascade.accounts.key import Key
from cascade.core.few import few

__all__ = ["unserved"]


def unserved(served: Collection[str], seen: Collection[str], keys: Sequence[Key]) -> str | None:
    """A warning that names the chains and the keys.

    Args:
        served: names of the chains of this gateway.
        seen: chains in the traces of the same database, which other gateways may serve.
        keys: those that work.
    """
    known = {*served, *seen}
    found = [(key.name, chain) for key in keys for chain in key.chains if chain not in known]
    if not found:
        return None
    named = few([f"key {key!r} names {_shown(chain, served)}" for key, chain in found])
    return (
        f"{named}: no chain of that name is served here, and none has answered yet. "
        "`cascade keys change NAME --chain ...` names others"
    )


def _shown(chain: str, served: Collection[str]) -> str:
    close = difflib.get_close_matches(chain, served, n=1)
    return f"{chain!r} (did you mean {close[0]!r}?)" if close else repr(chain)
