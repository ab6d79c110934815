"""What one API can say and the other cannot."""

from __future__ import annotations

from cascade.forms.api import Api

__all__ = ["LONG_NAMES", "NoEquivalent"]

LONG_NAMES = {"chat": "Chat Completions", "responses": "the Responses API"}


class NoEquivalent(ValueError):  # noqa: N818  becomes a RequestError that names the tier
    """A part of a request that the other API has no equivalent for.

    Attributes:
        param: the top-level parameter that holds it.
        what: the part, with its path, e.g. "tools[1] of type 'web_search'".
        api: the API that has no equivalent.
    """

    def __init__(self, param: str, what: str, api: Api) -> None:
        super().__init__(f"{what} has no equivalent in {LONG_NAMES.get(api, api)}")
        self.param = param
        self.what = what
        self.api = api
