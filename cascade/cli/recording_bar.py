"""How far a recording has come, while it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cascade.core.dollars import dollars

if TYPE_CHECKING:
    from cascade.calibration import Standing

__all__ = ["recording_bar"]


@contextmanager
def recording_bar(standing: Standing) -> Iterator[Callable[[Standing], object]]:
    """Tells how far it has come: a bar on terminals, nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("recording"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=standing.total, completed=standing.done, spent="")

        def tell(now: Standing) -> None:
            more = f" + {now.unknown_costs} unknown" if now.unknown_costs else ""
            spent = f"{dollars(now.spent_usd)}{more}"
            bar.update(task, completed=now.done, spent=spent)

        yield tell
