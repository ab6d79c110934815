"""The dashboard as an ASGI app: addresses, forms, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cascade.accounts.accounts import Accounts
from cascade.accounts.keyring import Keyring
from cascade.core.chain import Chain
from cascade.dashboard.chain_page import chain_page
from cascade.dashboard.headers import Guarded, is_same_origin
from cascade.dashboard.keys import Keys
from cascade.dashboard.keys_page import create_key, keys_page, release_key, revoke_key
from cascade.dashboard.login import log_in, log_out, login_form
from cascade.dashboard.one_trace import one_trace
from cascade.dashboard.overview import overview
from cascade.dashboard.recorded import Recordings
from cascade.dashboard.sessions import Sessions
from cascade.dashboard.site import Site, Visit, style_sheet
from cascade.dashboard.trace_list import trace_list
from cascade.errors import ConfigError, StoreError
from cascade.traces.store import TraceStore

__all__ = ["Auth", "dashboard_app"]

Auth = Literal["keys", "local"]
"""Who may look: whoever logs in with a key, or whoever is on this machine."""

LARGEST_FORM = 20_000
"""Bytes of a form."""

FORM_S = 10.0
"""Within which a form must arrive: anybody can begin to send one."""

FIELDS = 50

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#0072b2" '
    'd="M1 11h4v4H1z"/><path fill="#c24e00" d="M6 6h4v9H6z"/><path fill="#00805e" '
    'd="M11 1h4v14h-4z"/></svg>'
)

Page = Callable[[Visit], Response]

log = logging.getLogger("cascade")


def dashboard_app(
    store: TraceStore,
    *,
    accounts: Keyring | None = None,
    chains: Mapping[str, Chain] | None = None,
    recordings: Mapping[str, Any] | None = None,
    auth: Auth = "keys",
    secret: bytes | None = None,
) -> Starlette:
    """Pages over a trace store, to be mounted in another app or served alone.

    Args:
        store: the traces; it stays the caller's to close.
        accounts: `cascade.accounts.Accounts`: keys and budgets, shown and managed.
        chains: by name: they give tiers their order.
        recordings: a recording, or the path of one, by the name of its chain: quality, and the best
            single model.
        auth: "keys" for a login with a key of `accounts`: administrators' keys see and manage all,
            others their own traces and budget. "local" for no login: answers only requests made to
            a name of this machine, so serve it on loopback.
        secret: signs sessions; see `kept_secret`. Random unless given: then a restart logs
            everybody out, and replicas do not know each other's sessions.

    Returns:
        The app. `app.state.site.draughtsman.close()` ends the process that draws its charts, which
        its lifespan does where it is served alone.

    Raises:
        ConfigError: a login without accounts, or no such way to log in.
    """
    if auth not in ("keys", "local"):
        raise ConfigError(f"auth {auth!r}: expected 'keys' or 'local'")
    if auth == "keys" and not isinstance(accounts, Accounts):
        raise ConfigError(
            "a login needs keys: give accounts=, or auth='local' for pages on this machine alone"
        )
    known = dict(chains or {})
    site = Site(
        store=store,
        keys=None if accounts is None else Keys(accounts),
        chains=known,
        recordings=Recordings(recordings or {}, known),
        sessions=Sessions(secret or secrets.token_bytes(32)),
        is_local=auth == "local",
        title=store.where,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        site.draughtsman.warm_up()
        yield
        await run_in_threadpool(site.draughtsman.close)

    app = Starlette(
        routes=[
            _get(site, "/", overview),
            _get(site, "/traces", trace_list),
            _get(site, "/trace", one_trace),
            _get(site, "/chain", chain_page),
            _get(site, "/keys", keys_page),
            _post(site, "/keys/new", create_key),
            _post(site, "/keys/revoke", revoke_key),
            _post(site, "/keys/release", release_key),
            _get(site, "/login", login_form, is_open=True),
            _post(site, "/login", log_in, is_open=True),
            _post(site, "/logout", log_out, is_open=True),
            Route("/style-{digest}.css", _style),
            Route("/icon.svg", _icon),
            Route("/{rest:path}", _endpoint(site, _nowhere, is_open=True)),
        ],
        middleware=[Middleware(Guarded, is_local=site.is_local)],
        lifespan=lifespan,
    )
    app.state.site = site
    return app


def _get(site: Site, path: str, page: Page, *, is_open: bool = False) -> Route:
    return Route(path, _endpoint(site, page, is_open=is_open), methods=["GET"])


def _post(site: Site, path: str, page: Page, *, is_open: bool = False) -> Route:
    return Route(path, _endpoint(site, page, is_open=is_open), methods=["POST"])


def _endpoint(site: Site, page: Page, *, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
    """A page behind the login, made in a worker thread: databases are waited for there."""

    async def answer(request: Request) -> Response:
        form: Mapping[str, str] = {}
        if request.method == "POST":
            try:
                async with asyncio.timeout(FORM_S):
                    body = await _body(request)
            except TimeoutError:
                return PlainTextResponse("This form came too slowly.\n", status_code=408)
            if len(body) > LARGEST_FORM:
                return PlainTextResponse("This form is too large.\n", status_code=413)
            try:
                form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=FIELDS))
            except ValueError:
                return PlainTextResponse("This form has too many fields.\n", status_code=400)
        return await run_in_threadpool(_answered, site, page, request, form, is_open=is_open)

    return answer


async def _body(request: Request) -> bytes:
    """The body of a form; no more than shows that it is too large."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            break
    return body


def _answered(
    site: Site, page: Page, request: Request, form: Mapping[str, str], *, is_open: bool
) -> Response:
    try:
        visit = site.visit(request, form)
    except StoreError as error:
        log.warning("dashboard: %s", error)
        return PlainTextResponse("The keys cannot be read at the moment.\n", status_code=503)
    try:
        if visit.viewer is None and not is_open:
            there = f"{request.url.path.removeprefix(visit.base)}?{request.url.query}".strip("/?")
            return visit.go("login", to=there if request.method == "GET" else "")
        if request.method == "POST" and not _is_ours(visit):
            return visit.message(
                "This form is too old",
                "Go back, load the page again and try once more.",
                status=403,
            )
        return page(visit)
    except StoreError as error:
        return visit.message("The store cannot be read", str(error), status=503)
    except Exception:
        # The last resort of a page: what went wrong is for the log, not for whoever looks.
        log.exception("dashboard: %s %s failed", request.method, request.url.path)
        return visit.message("Something went wrong", "The server's log says what.", status=500)


def _is_ours(visit: Visit) -> bool:
    """Whether a form came from one of our pages, in this browser.

    Where nobody logs in there are no sessions to prove it by, and no form changes anything.
    """
    if visit.site.is_local:
        return True
    has_session = visit.site.sessions.of(visit.request) is not None
    token = visit.form.get("token", "")
    return (
        has_session
        and is_same_origin(visit.request.headers)
        and visit.site.sessions.is_own(visit.session, token)
    )


def _nowhere(visit: Visit) -> Response:
    return visit.message(
        "There is no such page", "The address is wrong or out of date.", status=404
    )


async def _icon(_request: Request) -> Response:
    headers = {"cache-control": "public, max-age=86400"}
    return Response(ICON, media_type="image/svg+xml", headers=headers)


async def _style(request: Request) -> Response:
    digest, text = style_sheet()
    if request.path_params["digest"] != digest:
        return PlainTextResponse("There is no such style sheet.\n", status_code=404)
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(text, media_type="text/css", headers=headers)
