"""Everything but the two endpoints: models, health, readiness, metrics, description, pages.

Starlette's router is quick enough here; nothing of it stands in the way of a request to a model.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

import cascade
from cascade.endpoint.calls import ENDPOINTS, Endpoint
from cascade.gateway import refusals
from cascade.gateway.guard import Caller, Guard, caller_of
from cascade.gateway.health import Health
from cascade.gateway.metrics import Metrics
from cascade.gateway.openapi import description
from cascade.gateway.refusals import Refusal
from cascade.gateway.turns import Turns

__all__ = ["HOT", "Routes", "routes_app"]

HOT: dict[str, Endpoint] = {f"/v1{path}": api for path, api in ENDPOINTS.items()}
"""What `Gateway` answers itself."""

OWNER = "cascade"


class Routes:
    """The answers.

    Args:
        chains: names that chains answer to.
        plain: names of plain models.
        guard: knows the callers.
        turns: says whether the gateway is stopping.
        metrics: for `/metrics`.
        metrics_open: whether everybody may read them.
        health: of the database.
    """

    def __init__(
        self,
        chains: tuple[str, ...],
        plain: tuple[str, ...],
        guard: Guard,
        turns: Turns,
        metrics: Metrics,
        *,
        metrics_open: bool,
        health: Health,
    ) -> None:
        self._chains = chains
        self._plain = plain
        self._guard = guard
        self._turns = turns
        self._metrics = metrics
        self._metrics_open = metrics_open
        self._health = health
        self._since = int(time.time())
        self._description = json.dumps(description(cascade.__version__)).encode()

    async def models(self, request: Request) -> Response:
        """The chains and models that a key may use."""
        caller = await self._taken_on(request)
        data = [self._model(name) for name in self._open_to(caller)]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """One of them."""
        name = request.path_params["model"]
        if not name:
            raise refusals.no_such_url(request.method, _path(request))
        if name not in self._open_to(await self._taken_on(request)):
            raise refusals.no_such_model(name)
        return JSONResponse(self._model(name))

    async def health(self, _request: Request) -> Response:
        """The process runs, and its event loop turns."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Whether requests should be sent here."""
        draining = self._turns.draining
        reachable = await self._health.reachable()
        database = "unreachable" if not reachable else "away" if self._guard.is_cut_off else "ok"
        fit = not draining and (database == "ok" or not self._guard.needs_database)
        state = {
            "status": "draining" if draining else "ok" if fit else f"database {database}",
            "database": database,
            "in_flight": self._turns.in_flight,
        }
        return JSONResponse(state, 200 if fit else 503)

    async def metrics(self, request: Request) -> Response:
        """Counts, for Prometheus."""
        if not self._metrics_open and not (await self._caller(request)).is_admin:
            raise refusals.not_an_admin()
        return Response(self._metrics.text(), media_type=self._metrics.content_type)

    async def openapi(self, _request: Request) -> Response:
        """The description of all this."""
        return Response(self._description, media_type="application/json")

    def routes(self) -> list[BaseRoute]:
        """Where each of them is found."""
        found: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/v1/models": self.models,
            "/v1/models/{model:path}": self.model,
            "/healthz": self.health,
            "/readyz": self.ready,
            "/metrics": self.metrics,
            "/openapi.json": self.openapi,
        }
        return [
            *(Route(path, answer, methods=["GET"]) for path, answer in found.items()),
            *(Route(path, _elsewhere, methods=["POST"]) for path in HOT),
        ]

    async def _taken_on(self, request: Request) -> Caller:
        """Who asks, where the gateway is not about to end: clients begin with such questions."""
        if self._turns.draining:
            raise refusals.stopping()
        return await self._caller(request)

    async def _caller(self, request: Request) -> Caller:
        return await caller_of(self._guard, dict(request.scope["headers"]))

    def _open_to(self, caller: Caller) -> list[str]:
        chains = [name for name in self._chains if caller.may_use(name, is_chain=True)]
        return chains + [name for name in self._plain if caller.may_use(name, is_chain=False)]

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": OWNER}


def routes_app(routes: Routes, pages: Any = None) -> Starlette:
    """The ASGI app of all that.

    Args:
        routes: the answers.
        pages: an ASGI app for `/ui`.
    """
    mounted: list[BaseRoute] = (
        [Route("/", _to_pages), Route("/ui", _to_pages), Mount("/ui", app=pages)]
        if pages is not None
        else []
    )
    app = Starlette(
        routes=[*routes.routes(), *mounted],
        exception_handlers={
            Refusal: _refused,
            404: _not_found,
            405: _wrong_method,
            HTTPException: _refused_by_starlette,
            Exception: _refused,
        },
    )
    app.router.redirect_slashes = False  # it would name a scheme and a host, which may be a proxy's
    return app


def _answer(why: Refusal) -> Response:
    closing = {"connection": "close"} if why.closes else {}
    return Response(why.body, why.status, {**why.headers, **closing}, media_type="application/json")


async def _to_pages(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/ui/")


async def _elsewhere(_request: Request) -> Response:
    """Only its other methods come here: `Gateway` answers POST before any route is looked up."""
    return _answer(refusals.broken())


async def _refused(_request: Request, error: Exception) -> Response:
    return _answer(error) if isinstance(error, Refusal) else _answer(refusals.broken())


async def _not_found(request: Request, _error: Exception) -> Response:
    return _answer(refusals.no_such_url(request.method, _path(request)))


async def _wrong_method(request: Request, error: Exception) -> Response:
    found = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    allowed = ", ".join(sorted(method.strip() for method in found.split(",")))
    return _answer(refusals.wrong_method(request.method, _path(request), allowed))


async def _refused_by_starlette(_request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    return _answer(refusals.refuse(status, "The request cannot be answered."))


def _path(request: Request) -> str:
    return request.url.path[:200]
