"""What may be asked of a promise: a margin and an error that are shares."""

from __future__ import annotations

from numbers import Real

from cascade.errors import ConfigError

__all__ = ["check_delta", "check_epsilon", "shown"]


def check_epsilon(epsilon: object) -> None:
    """Raise `ConfigError` unless a margin is a share in [0, 1)."""
    if not isinstance(epsilon, Real) or not 0 <= float(epsilon) < 1:
        raise ConfigError(
            f"epsilon is {shown(epsilon)}: expected a share in [0, 1), e.g. 0.02 for two points"
        )


def check_delta(delta: object) -> None:
    """Raise `ConfigError` unless an error is a share in (0, 1)."""
    if not isinstance(delta, Real) or not 0 < float(delta) < 1:
        raise ConfigError(
            f"delta is {shown(delta)}: expected a share in (0, 1), e.g. 0.05 for 95 % confidence"
        )


def shown(value: object) -> str:
    """A number as people write it, whatever its type."""
    return f"{float(value):g}" if isinstance(value, Real) else repr(value)
