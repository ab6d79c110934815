"""What all pages share: the store, keys, sessions, templates; and one visit to a page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import cascade
from cascade.accounts.key import Key
from cascade.calibration.reporting.theme import DARK, LIGHT, variables
from cascade.core.chain import Chain
from cascade.core.trace_text import shorten
from cascade.dashboard import words
from cascade.dashboard.drawing import Draughtsman
from cascade.dashboard.keys import Keys
from cascade.dashboard.recorded import Recordings
from cascade.dashboard.remembering import Remembered
from cascade.dashboard.sessions import Session, Sessions
from cascade.dashboard.tries import Tries
from cascade.dashboard.viewer import Traces, Viewer
from cascade.traces.page import fitted
from cascade.traces.page.frame import environment, part, visible
from cascade.traces.store import TraceStore

__all__ = ["Site", "Visit", "style_sheet"]

HERE = "cascade.dashboard.pages"

PAGES = ("", "traces", "trace", "chain", "keys")
"""Where a login may lead."""

LOCAL = Viewer("this machine", None, is_admin=True)


@dataclass(frozen=True, eq=False)
class Site:
    """Everything that pages are made of.

    Attributes:
        store: the traces.
        keys: of the gateway; `None` where there are none.
        chains: by name, for the order of their tiers.
        recordings: what is known of their quality.
        sessions: who a browser is.
        is_local: nobody logs in; the pages are for this machine.
        title: what the pages are of, e.g. the store's place.
    """

    store: TraceStore
    keys: Keys | None
    chains: Mapping[str, Chain]
    recordings: Recordings
    sessions: Sessions
    is_local: bool
    title: str
    tries: Tries = field(default_factory=Tries)
    draughtsman: Draughtsman = field(default_factory=Draughtsman)
    remembered: Remembered = field(default_factory=Remembered)

    def visit(self, request: Request, form: Mapping[str, str]) -> Visit:
        """A request with who makes it."""
        session = self.sessions.of(request)
        viewer = LOCAL if self.is_local else self._viewer(session)
        return Visit(self, request, form, session or self.sessions.new(), viewer)

    def _viewer(self, session: Session | None) -> Viewer | None:
        if session is None or session.key_id is None or self.keys is None:
            return None
        return viewer_of(self.keys.by_id(session.key_id))


def viewer_of(key: Key | None) -> Viewer | None:
    """The viewer that a key makes; none where it does not work any more."""
    if key is None or not key.works_at(datetime.now(UTC)):
        return None
    return Viewer(key.name, key.id, key.is_admin)


@dataclass(frozen=True, eq=False)
class Visit:
    """One request to one page.

    Attributes:
        site: whose page.
        request: as it came.
        form: what was filled in, for a form.
        session: of the browser; a new one where it had none.
        viewer: who looks; `None` before a login.
    """

    site: Site
    request: Request
    form: Mapping[str, str]
    session: Session
    viewer: Viewer | None

    @property
    def base(self) -> str:
        """Where the pages are mounted, e.g. "/ui"; "" at the root."""
        return quote(str(self.request.scope.get("root_path", "")).rstrip("/"))

    @property
    def section(self) -> str:
        """The part of the pages that this one belongs to: "keys" for "/ui/keys/revoke"."""
        return self.request.url.path.removeprefix(self.base).strip("/").partition("/")[0]

    @property
    def is_secure(self) -> bool:
        """Whether the browser came over TLS, to this server or to a proxy before it.

        Whoever only claims that keeps their own cookie from being sent without it.
        """
        told = self.request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
        return "https" in (self.request.url.scheme, told.lower())

    @cached_property
    def traces(self) -> Traces:
        """The traces that the viewer may see."""
        if self.viewer is None:
            raise PermissionError("nobody is logged in")
        return Traces(self.site.store, self.viewer)

    @cached_property
    def key_names(self) -> Mapping[str, str]:
        """Names of keys by id, for an administrator."""
        keys = self.site.keys
        if keys is None or self.viewer is None or not self.viewer.is_admin:
            return {}
        return keys.names()

    def asked(self, name: str) -> str:
        """A parameter of the address; "" where it is not there."""
        return self.request.query_params.get(name, "").strip()

    def href(self, page: str, **query: Any) -> str:
        """The address of a page; empty parameters are left out."""
        kept = {name: value for name, value in query.items() if value not in (None, "", False)}
        return f"{self.base}/{page}" + (f"?{urlencode(kept)}" if kept else "")

    def page(self, template: str, /, *, status: int = 200, **context: Any) -> Response:
        """A page of that template."""
        text = (
            templates()
            .get_template(template)
            .render(
                base=self.base,
                href=self.href,
                style=f"{self.base}/style-{style_sheet()[0]}.css",
                token=self.site.sessions.token(self.session),
                viewer=self.viewer,
                has_keys=self.site.keys is not None,
                is_local=self.site.is_local,
                place=self.site.title,
                version=cascade.__version__,
                here=self.section,
                **context,
            )
        )
        made = HTMLResponse(text.encode(errors="backslashreplace"), status_code=status)
        self.keep(made)
        return made

    def message(self, title: str, text: str, *, status: int) -> Response:
        """A page that says one thing."""
        return self.page("message.html", status=status, title=title, text=text)

    def go(self, page: str, **query: Any) -> Response:
        """Send the browser to a page, by GET."""
        made = RedirectResponse(self.href(page, **query), status_code=303)
        self.keep(made)
        return made

    def go_to(self, there: str) -> Response:
        """Send the browser to an address within these pages; to the first page for any other."""
        page, _, query = there.partition("?")
        if page not in PAGES:
            return self.go("")
        made = RedirectResponse(f"{self.base}/{page}" + (f"?{query}" if query else ""), 303)
        self.keep(made)
        return made

    def keep(self, response: Response, session: Session | None = None) -> None:
        """Let the browser remember a session, its own unless another is given."""
        if self.site.is_local:
            return  # nobody logs in and no form changes anything
        if session is None and self.site.sessions.of(self.request) is not None:
            return  # it has it, until it ends
        path = self.base or "/"
        self.site.sessions.keep(response, session or self.session, path=path, secure=self.is_secure)


@cache
def style_sheet() -> tuple[str, str]:
    """The one style sheet, behind its digest."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
    text = "\n".join(
        (
            part("cascade.traces.page", "page.css"),
            part("cascade.traces.page", "trace.css"),
            f":root {{ {variables(LIGHT)} }}\n{dark}",
            part(HERE, "dashboard.css"),
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16], text


@cache
def templates() -> Environment:
    """All pages, by the names of their files without ".j2"."""
    found = {
        item.name.removesuffix(".j2"): item.read_text("utf-8")
        for item in files(HERE).iterdir()
        if item.name.endswith(".j2")
    }
    found["trace_body.html"] = part("cascade.traces.page", "trace_body.html.j2")
    layout = found.pop("layout.html")
    made = fitted(environment("layout.html", layout, found))
    made.globals["named"] = lambda names: [(name, name) for name in names]
    made.filters.update(
        about=words.about,
        count=words.count,
        day=words.day,
        part=words.share,
        rounded=words.rounded,
        short=shorten,
        times=words.times,
        visible=visible,
    )
    return made
