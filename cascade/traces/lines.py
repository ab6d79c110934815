"""Foreign text made safe for a terminal, and the numbers of traces made short."""

from __future__ import annotations

from decimal import Decimal

from rich.text import Text

from cascade.core.clean import on_one_line
from cascade.core.dollars import dollars

__all__ = ["cost_text", "line", "seconds", "short_dollars"]

SMALLEST = Decimal("0.000000001")
"""A billionth of a dollar: one token at the lowest cached rate costs twenty of them."""


def line(text: str | None, style: str = "") -> Text:
    """Foreign text on one line: markup in it has no effect, characters that act are taken out."""
    return Text(on_one_line(text), style=style, no_wrap=True, overflow="ellipsis")


def cost_text(amount: Decimal | None, basis: str, *, style: str = "") -> Text:
    """An amount in at most nine digits after the point; "~" marks an estimate."""
    if amount is None:
        return Text("unknown", style="yellow")
    return Text(f"{'~' if basis == 'estimated' else ''}{short_dollars(amount)}", style=style)


def short_dollars(amount: Decimal | None) -> str:
    """Nine digits after the point; an amount too small for them is not shown as nothing."""
    if amount is None:
        return "unknown"
    if amount and abs(amount) < SMALLEST:
        return "<$0.000000001" if amount > 0 else "-<$0.000000001"
    return dollars(amount.quantize(SMALLEST) if amount else Decimal(0))


def seconds(value: float) -> str:
    """Seconds in about three digits."""
    return f"{value:.2f}s" if value < 100 else f"{value:.0f}s"  # noqa: PLR2004  three digits do
