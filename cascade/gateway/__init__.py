"""OpenAI's endpoints over HTTP, answered by chains: an ASGI app and the server around it.

`create_app` makes the app, `GatewayServer` serves it; the command is `cascade serve`.
"""

from __future__ import annotations

from cascade.gateway.app import Gateway, create_app
from cascade.gateway.limits import Limits

__all__ = ["Gateway", "Limits", "create_app"]
