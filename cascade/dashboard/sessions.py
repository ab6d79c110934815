"""Who a browser is: one signed cookie, and the token that each of its forms must carry.

The cookie holds a random name for the session, the id of the key that logged in, and when it ends;
no secret. It is signed, HttpOnly and SameSite=Strict. Before a login there is a cookie too, without
a key, so that the login form has a token like every other.

Browsers send a cookie to every port of a host and to all paths below its own. So the name of ours
follows from the secret: pages of another server on this host have another, and neither is taken
for the other or written over it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Session", "Sessions"]

COOKIE = "cascade_ui"

LASTS_S = 12 * 3600
"""A working day; a revoked key ends its sessions at once."""

SALT = "cascade ui session"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser.

    Attributes:
        name: random, anew at each login.
        key_id: whose key logged in; `None` before that.
        ends_at: seconds since 1970.
    """

    name: str
    key_id: str | None
    ends_at: int


class Sessions:
    """Makes, signs and reads sessions.

    Args:
        secret: signs them; the same for all replicas.
        now: the time, in seconds since 1970.

    Attributes:
        cookie: its name.
    """

    def __init__(self, secret: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now
        self.cookie = f"{COOKIE}_{self._digest('cookie')[:12]}"
        self._signer = URLSafeSerializer(
            secret, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )

    def new(self, key_id: str | None = None) -> Session:
        """A session of its own, for a login or for a visitor who has none."""
        return Session(secrets.token_urlsafe(16), key_id, int(self._now()) + LASTS_S)

    def of(self, request: Request) -> Session | None:
        """The session that a request's cookie proves; `None` without one, or after its end."""
        try:
            data = self._signer.loads(request.cookies.get(self.cookie, ""))
            found = Session(*data)
        except (BadData, TypeError):
            return None
        return found if found.ends_at > self._now() else None

    def token(self, session: Session) -> str:
        """What each form of that session carries."""
        return self._digest(f"form {session.name}")

    def is_own(self, session: Session, token: str) -> bool:
        """Whether a form came from a page of that session; takes the same time either way."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def keep(self, response: Response, session: Session, *, path: str, secure: bool) -> None:
        """Give the browser its cookie.

        Args:
            response: that carries it.
            session: that it proves.
            path: of the dashboard; other pages of the host do not get it.
            secure: sent over TLS only.
        """
        response.set_cookie(
            self.cookie,
            str(self._signer.dumps([session.name, session.key_id, session.ends_at])),
            max_age=LASTS_S,
            path=path,
            secure=secure,
            httponly=True,
            samesite="strict",
        )

    def end(self, response: Response, *, path: str, secure: bool) -> None:
        """Take the cookie away."""
        response.delete_cookie(
            self.cookie, path=path, secure=secure, httponly=True, samesite="strict"
        )

    def _digest(self, words: str) -> str:
        return hmac.new(self._secret, words.encode(), hashlib.sha256).hexdigest()
