"""Pages over a trace store: where the money goes, and why each request escalated.

Server-rendered, without scripts and without other hosts. The gateway mounts them at /ui, and
`cascade ui` serves them over a store. Needs the extra `gateway`.
"""

from cascade.dashboard.app import dashboard_app
from cascade.dashboard.secret import kept_secret

__all__ = ["dashboard_app", "kept_secret"]
