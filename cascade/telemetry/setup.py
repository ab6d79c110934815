"""Whether OpenTelemetry is wanted in this process: set up already, or asked for by environment.

Imports nothing of OpenTelemetry unless it is.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.telemetry.observer import OpenTelemetry

__all__ = ["if_configured", "is_real"]

SIGNALS = ("TRACES", "METRICS")

log = logging.getLogger("cascade")


def if_configured(*, content: bool = False) -> OpenTelemetry | None:
    """The observer for a process in which OpenTelemetry is set up; `None` for all others.

    It is where a provider of spans or metrics has been set, or where an `OTEL_*` variable names an
    exporter and the SDK is installed: then the SDK is set up from the environment, as
    `opentelemetry-instrument` does.

    Args:
        content: as for `OpenTelemetry`.

    Raises:
        ConfigError: the environment asks for an exporter that cannot be made.
    """
    if not _is_set() and not _set_up():
        return None
    from cascade.telemetry import OpenTelemetry  # noqa: PLC0415  loads OpenTelemetry

    return OpenTelemetry(content=content)


def _is_set() -> bool:
    """Whether somebody has set a provider."""
    traces = sys.modules.get("opentelemetry.trace")
    metrics = sys.modules.get("opentelemetry.metrics")
    found = (
        traces.get_tracer_provider() if traces is not None else None,
        metrics.get_meter_provider() if metrics is not None else None,
    )
    return any(is_real(item) for item in found)


def is_real(provider: object) -> bool:
    """Whether a provider is one that makes something, not a stand-in until one is set."""
    stands_in = type(provider).__name__.lstrip("_").startswith(("Proxy", "NoOp"))
    return provider is not None and not stands_in


def _set_up() -> bool:
    """Set the SDK up as the environment says; False where it asks for nothing."""
    wanted = [signal for signal in SIGNALS if _exports(signal)]
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    try:
        from opentelemetry.sdk._configuration import (  # noqa: PLC0415
            _OTelSDKConfigurator,
        )
    except ImportError:
        log.warning(
            "OTEL_* variables name an exporter, but the SDK is not installed, so no spans and no "
            "metrics are sent: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        )
        return False

    class Configurator(_OTelSDKConfigurator):  # its own note asks for a subclass
        """The SDK's reading of the environment, as it is."""

    for signal in wanted:
        os.environ.setdefault(f"OTEL_{signal}_EXPORTER", "otlp")
    os.environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", "cascade")
    try:
        Configurator().configure()  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ConfigError(
            f"OpenTelemetry cannot be set up as OTEL_* variables say: {error}; install that "
            "exporter, e.g. opentelemetry-exporter-otlp-proto-http, or unset the variable"
        ) from error
    return True


def _exports(signal: str) -> bool:
    """Whether the environment says where this signal goes."""
    named = os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if named:
        return named.lower() != "none"
    places = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    return any(os.environ.get(name, "").strip() for name in places)
