"""The job of the demo: sort support tickets into four categories, and count what that cost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any

from cascade.config import registered_scorers
from cascade.core.chain import Chain
from cascade.core.pricing import model_table
from cascade.core.request import Message
from cascade.core.tier import Capabilities, Endpoint, Tier
from cascade.demo.servers import LocalModel
from cascade.engine import Cascade, Completion
from cascade.errors import RunError

__all__ = [
    "LABELS",
    "STANDS_IN_FOR",
    "Answered",
    "Summary",
    "Ticket",
    "TierShare",
    "local_chain",
    "openai_chain",
    "run",
    "summarise",
    "tickets",
]

LABELS = ("payment", "delivery", "account", "technical")

INSTRUCTION = f"Each customer message is sorted into one category: {', '.join(LABELS)}."

GRAMMAR = " | ".join(f'" {label}"' for label in LABELS)
"""llama.cpp's own constraint: one of the labels and nothing else."""

STANDS_IN_FOR = {"small": "gpt-5.4-nano", "medium": "gpt-5.4-mini", "large": "gpt-5.4"}
"""Each local tier is charged at the list price of an OpenAI tier."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A customer's message and its category."""

    id: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A ticket and what a cascade made of it; `completion` is `None` where nothing answered."""

    ticket: Ticket
    completion: Completion | None
    error: str = ""

    @property
    def label(self) -> str:
        """The category that was answered."""
        text = self.completion.text if self.completion else ""
        return re.sub(r"[^a-z]", "", text.lower())

    @property
    def right(self) -> bool:
        """Whether it is the ticket's own category."""
        return self.label == self.ticket.label


@dataclass(frozen=True, slots=True)
class TierShare:
    """One tier's part of the job.

    Attributes:
        name: the tier.
        stands_in_for: the model whose list price it is charged at.
        asked: requests that reached it.
        answered: requests whose answer was its.
        right: how many of those were right.
        input_tokens: in all its calls; `output_tokens` likewise.
        cost_usd: of all its calls; `None` where one is unknown.
    """

    name: str
    stands_in_for: str
    asked: int
    answered: int
    right: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the whole job came to.

    Attributes:
        requests: how many were asked.
        right: how many answers match their label.
        cost_usd: everything, scorers included; `None` where a part is unknown.
        top_cost_usd: measured: the same tickets, all asked of the last tier alone.
        top_right: how many of those answers match.
        wall_s: seconds for the cascade; `top_wall_s` for the last tier alone.
    """

    requests: int
    right: int
    cost_usd: Decimal | None
    tiers: tuple[TierShare, ...]
    wall_s: float
    top_tier: str
    top_cost_usd: Decimal | None
    top_right: int
    top_wall_s: float

    @property
    def saved(self) -> Decimal | None:
        """Share of the last tier's cost that was saved, up to 1; negative where it cost more."""
        if self.cost_usd is None or not self.top_cost_usd:
            return None
        return 1 - self.cost_usd / self.top_cost_usd


def tickets(limit: int | None = None) -> list[Ticket]:
    """The labelled tickets, at most `limit` of them."""
    return [Ticket(**row) for row in _rows("tickets.jsonl")][:limit]


def local_chain(models: Mapping[str, LocalModel]) -> Chain:
    """Three tiers of two local models; they differ in model and in their worked examples.

    Args:
        models: running servers, from `local_models()`.
    """
    settings = json.loads(_file("tiers.json"))
    sure = registered_scorers()["logprob_confidence"].load()(labels=list(LABELS))
    tiers = []
    for tier in settings["tiers"]:
        info = model_table().find(STANDS_IN_FOR[tier["name"]])
        last = tier is settings["tiers"][-1]
        tiers.append(
            Tier(
                tier["model"],
                name=tier["name"],
                scorer=None if last else sure,
                threshold=tier["threshold"] or 0.5,
                params={
                    "temperature": 0,
                    "max_tokens": 4,
                    "stop": ["\n"],
                    "logprobs": True,
                    "top_logprobs": 10,  # beside the labels these models weigh many other words
                    "grammar": f"root ::= {GRAMMAR}",
                    "id_slot": tier["slot"],  # llama.cpp keeps one prompt per slot: one per tier
                },
                preamble=tuple(tier["messages"]),
                price=info.price if info else None,
                capabilities=Capabilities(logprobs=True, max_top_logprobs=20, max_output_tokens=4),
                client=Endpoint(models[tier["model"]].base_url),
            )
        )
    return Chain(tuple(tiers), name="demo")


def openai_chain() -> Chain:
    """The same job on OpenAI's tiers: nano, mini, 5.4 and 5.5."""
    sure = registered_scorers()["logprob_confidence"].load()(labels=list(LABELS))
    ask_for_one = {"role": "system", "content": f"{INSTRUCTION} Answer with the category alone."}
    preamble = (ask_for_one, *_turns(_rows("examples.jsonl")[:8]))
    short: dict[str, Any] = {"max_completion_tokens": 16}
    tiers = [
        Tier(model, scorer=sure, threshold=0.9, preamble=preamble, params=short)
        for model in ("gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.4")
    ]
    top = Tier("gpt-5.5", preamble=preamble, params={**short, "reasoning_effort": "none"})
    return Chain((*tiers, top), name="demo-openai")


def run(llm: Cascade, work: Iterable[Ticket]) -> Iterator[Answered]:
    """Ask every ticket, one after the other; a request without an answer is counted, not raised."""
    for ticket in work:
        try:
            yield Answered(ticket, llm.complete(ticket.text, metadata={"ticket": ticket.id}))
        except RunError as error:
            yield Answered(ticket, None, str(error))


def summarise(
    chain: Chain,
    answered: Sequence[Answered],
    wall_s: float,
    top: Sequence[Answered],
    top_wall_s: float,
) -> Summary:
    """Add up a run of the chain and a run of its last tier alone."""
    return Summary(
        requests=len(answered),
        right=sum(item.right for item in answered),
        cost_usd=_total(answered),
        tiers=tuple(_share(tier, answered) for tier in chain.tiers),
        wall_s=wall_s,
        top_tier=chain.top.name,
        top_cost_usd=_total(top),
        top_right=sum(item.right for item in top),
        top_wall_s=top_wall_s,
    )


def _share(tier: Tier, answered: Sequence[Answered]) -> TierShare:
    traces = [item.completion.trace for item in answered if item.completion is not None]
    attempts = [a for trace in traces for a in trace.attempts if a.tier == tier.name]
    mine = [item for item in answered if item.completion and item.completion.tier == tier.name]
    usages = [charge.usage for a in attempts for charge in a.charges if charge.usage is not None]
    return TierShare(
        name=tier.name,
        stands_in_for=STANDS_IN_FOR.get(tier.name, tier.model),
        asked=len(attempts),
        answered=len(mine),
        right=sum(item.right for item in mine),
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cost_usd=_sum([attempt.cost_usd for attempt in attempts]),
    )


def _total(answered: Sequence[Answered]) -> Decimal | None:
    return _sum([item.completion.cost_usd if item.completion else None for item in answered])


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def _turns(examples: Iterable[Mapping[str, str]]) -> list[Message]:
    turns: list[Message] = []
    for example in examples:
        turns.append({"role": "user", "content": example["text"]})
        turns.append({"role": "assistant", "content": example["label"]})
    return turns


def _rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in _file(name).splitlines() if line.strip()]


def _file(name: str) -> str:
    return files("cascade.data").joinpath("demo", name).read_text(encoding="utf-8")
