"""The job of the demo: sort support tickets into four categories.

`data/demo/` holds it in the forms that anyone's job has: a labelled data set and a chain for each
kind of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from cascade.calibration.files.datasets import Example, read_examples
from cascade.config import load_chain
from cascade.core.chain import Chain
from cascade.core.tier import Endpoint

if TYPE_CHECKING:
    from cascade.demo.servers import LocalModel

__all__ = ["LABELS", "STANDS_IN_FOR", "chain_text", "local_chain", "openai_chain", "tickets"]

LABELS = ("payment", "delivery", "account", "technical")

STANDS_IN_FOR = {
    "small": "gpt-5.4-nano",
    "medium": "gpt-5.4-mini",
    "large": "gpt-5.4",
    "top": "gpt-5.5",
}
"""Each local tier is charged at the list price of an OpenAI tier; `local.toml` holds the prices."""


def tickets(limit: int | None = None) -> list[Example]:
    """The labelled tickets, at most `limit` of them; any first ones are a random sample of all."""
    with _data("tickets.jsonl") as path:
        return read_examples(path)[:limit]


def local_chain(models: Mapping[str, LocalModel] | None = None) -> Chain:
    """Four tiers of two local models; they differ in model and in their worked examples.

    Args:
        models: running servers, from `local_models()`; without them the chain can be looked at and
            compared, and asks nobody.
    """
    with _data("local.toml") as path:
        chain = load_chain(path)
    if models is None:
        return chain
    tiers = (replace(t, client=Endpoint(models[t.model].base_url)) for t in chain.tiers)
    return replace(chain, tiers=tuple(tiers))


def openai_chain() -> Chain:
    """The same job on OpenAI's tiers: nano, mini, 5.4 and 5.5."""
    with _data("openai.toml") as path:
        return load_chain(path)


def chain_text(*, openai: bool) -> str:
    """The chain as TOML, for the commands that take it from a file."""
    with _data("openai.toml" if openai else "local.toml") as path:
        return path.read_text(encoding="utf-8")


@contextmanager
def _data(name: str) -> Iterator[Path]:
    with as_file(files("cascade.data").joinpath("demo", name)) as path:
        yield path
