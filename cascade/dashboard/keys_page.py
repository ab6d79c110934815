"""Keys and budgets: what each may do and has spent; administrators who logged in manage them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from starlette.responses import Response

from cascade.accounts.key import Key
from cascade.accounts.releasing import Released
from cascade.dashboard.keys import LABELS, KeyLine, Keys, WrongFieldError
from cascade.dashboard.site import Visit
from cascade.errors import ConfigError

__all__ = ["create_key", "keys_page", "release_key", "revoke_key"]

NO_KEYS = ("There are no keys here", "This store has none, and nobody needs one on this machine.")

NOT_YOURS = ("That is for administrators", "This key may see its own traces and budget only.")

NOT_HERE = (
    "Keys are only shown here",
    "Nobody logs in to these pages; the command `cascade keys` makes and revokes keys.",
)


def managing(page: Callable[[Visit, Keys], Response]) -> Callable[[Visit], Response]:
    """A page that only whoever may manage keys gets, where there are any."""

    @wraps(page)
    def guarded(visit: Visit) -> Response:
        if visit.site.keys is None:
            return visit.message(*NO_KEYS, status=404)
        return page(visit, visit.site.keys) if _may_manage(visit) else _refused(visit)

    return guarded


def keys_page(visit: Visit) -> Response:
    """Show every key, or the viewer's own."""
    keys = visit.site.keys
    if keys is None:
        return visit.message(*NO_KEYS, status=404)
    return _shown(visit, keys)


@managing
def create_key(visit: Visit, keys: Keys) -> Response:
    """Make a key and show its secret, this once."""
    try:
        made, secret = keys.create(visit.form, _chains(visit) if visit.site.chains else ())
    except WrongFieldError as error:
        return _shown(visit, keys, error=error, status=400)
    return _shown(visit, keys, made=made, secret=secret)


@managing
def revoke_key(visit: Visit, keys: Keys) -> Response:
    """End a key; asks again before it does."""
    found = keys.by_id(visit.form.get("id", ""))
    if found is None:
        return visit.message("There is no such key", "It may have been removed.", status=404)
    if visit.form.get("sure") != "yes":
        return visit.page("revoke.html", key=found)
    keys.revoke(found.id)
    return visit.go("keys", revoked=found.id)


@managing
def release_key(visit: Visit, keys: Keys) -> Response:
    """Give back what is held for calls of unknown cost; shows how much before it does."""
    key_id = visit.form.get("id", "")
    error: ConfigError | None = None
    if visit.form.get("sure") == "yes" and keys.by_id(key_id) is not None:
        try:
            return _shown(visit, keys, released=keys.release(key_id, visit.form))
        except ConfigError as wrong:
            error = wrong
    line = next(iter(keys.lines(key_id)), None)
    if line is None:
        return visit.message("There is no such key", "It may have been removed.", status=404)
    billed = visit.form.get("billed_usd", "")
    status = 400 if error else 200
    return visit.page("release.html", status=status, line=line, error=error, billed=billed)


def _shown(
    visit: Visit,
    keys: Keys,
    *,
    error: WrongFieldError | None = None,
    status: int = 200,
    made: Key | None = None,
    secret: str = "",
    released: Released | None = None,
) -> Response:
    lines = _visible(visit, keys)
    revoked = next((line.key for line in lines if line.key.id == visit.asked("revoked")), None)
    return visit.page(
        "keys.html",
        status=status,
        lines=lines,
        may_manage=_may_manage(visit),
        chains=sorted(_chains(visit)),
        error=error,
        labels=LABELS,
        made=made,
        secret=secret,
        revoked=revoked,
        released=released,
        released_key=next(
            (line.key for line in lines if line.key.id == visit.form.get("id")), None
        ),
        filled=visit.form if error else {},
    )


def _chains(visit: Visit) -> set[str]:
    """The gateway's chains, and those that others which share its store have answered by."""
    return {*visit.site.chains, *visit.traces.names("chain")}


def _visible(visit: Visit, keys: Keys) -> Sequence[KeyLine]:
    if visit.viewer is not None and visit.viewer.is_admin:
        return keys.lines()
    own = visit.viewer.key_id if visit.viewer else None
    return keys.lines(own) if own else []


def _may_manage(visit: Visit) -> bool:
    return visit.viewer is not None and visit.viewer.manages_keys


def _refused(visit: Visit) -> Response:
    return visit.message(*(NOT_HERE if visit.site.is_local else NOT_YOURS), status=403)
