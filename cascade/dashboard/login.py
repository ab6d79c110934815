"""Logging in with a gateway key, and out again."""

from __future__ import annotations

import math

from starlette.responses import Response

from cascade.dashboard.site import Visit, viewer_of

__all__ = ["log_in", "log_out", "login_form"]

WRONG = "This key does not work: check that it is whole, not revoked and not expired."

LONGEST = 1_000


def login_form(visit: Visit, *, error: str = "", status: int = 200) -> Response:
    """Show the form; whoever is logged in already goes on."""
    if visit.viewer is not None:
        return visit.go("")
    visit.site.draughtsman.warm_up()
    came_by_link = visit.request.headers.get("sec-fetch-site") == "cross-site"
    return visit.page(
        "login.html",
        status=status,
        error=error,
        to=visit.form.get("to") or visit.asked("to"),
        may_be_in=came_by_link,
    )


def log_in(visit: Visit) -> Response:
    """Check a key, and begin a session of its own."""
    site, client = visit.site, visit.request.client
    address = client.host if client else ""
    secret = visit.form.get("key", "").strip()
    found = site.keys.by_secret(secret) if site.keys and 0 < len(secret) < LONGEST else None
    if found is None or viewer_of(found) is None:
        wait = site.tries.wait_s(address)
        if wait:
            refused = login_form(visit, error="Too many tries; wait a minute.", status=429)
            refused.headers["retry-after"] = str(math.ceil(wait))
            return refused
        site.tries.failed(address)
        return login_form(visit, error=WRONG, status=403)
    made = visit.go_to(visit.form.get("to", ""))
    visit.keep(made, site.sessions.new(found.id))
    return made


def log_out(visit: Visit) -> Response:
    """End the session."""
    made = visit.go("login")
    visit.site.sessions.end(made, path=visit.base or "/", secure=visit.is_secure)
    return made
