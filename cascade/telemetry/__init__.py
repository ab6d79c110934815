"""OpenTelemetry: spans and metrics of every request, made from its trace.

`import cascade.telemetry` imports nothing of OpenTelemetry; `OpenTelemetry()` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascade.telemetry.setup import if_configured

if TYPE_CHECKING:
    from cascade.telemetry.observer import OpenTelemetry

__all__ = ["OpenTelemetry", "if_configured"]


def __getattr__(name: str) -> Any:
    if name != "OpenTelemetry":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cascade.errors import ConfigError  # noqa: PLC0415

    try:
        from cascade.telemetry.observer import OpenTelemetry  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"OpenTelemetry needs a package that is not here: {error}; "
            "pip install frugal-cascade[otel]"
        ) from error
    return OpenTelemetry


def __dir__() -> list[str]:
    return sorted(__all__)
