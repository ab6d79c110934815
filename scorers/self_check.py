"""Asking a model whether an answer is right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from cascade import Abstained, Chain, ConfigError, Draft, Reply, Score, Scoring, Tier, ask
from scorers.answers import shown_answer
from scorers.token_mass import normal_label, true_share
from scorers.verdicts import unpriced

__all__ = ["SelfCheck"]

Mode = Literal["auto", "logprobs", "stated"]

QUESTIONS: Mapping[Mode, str] = {
    "auto": (
        "Is your answer above correct and complete? Reply with Yes or No, then the probability "
        "in percent, from 0 to 100, that it is correct. Examples: 'Yes 90', 'No 15'. Nothing else."
    ),
    "logprobs": "Is your answer above correct and complete? Reply with one word: Yes or No.",
    "stated": (
        "How probable is it that your answer above is correct and complete? Reply with one whole "
        "number from 0 (surely wrong) to 100 (surely correct). Nothing else."
    ),
}

LEAST_TOKENS = 16
"""GPT-5.x cannot finish a message in a single token, and Responses takes no fewer than 16."""

REASONING_ROOM = 2_048
"""Added to the limit where the draft shows that the model reasons: its thinking counts too, and a
limit that cuts it leaves no answer."""

READ_CHARS = 200
"""How much of a verdict is read; a longer one is no verdict."""

LEFT_OUT = frozenset(
    {
        "messages",
        "model",
        "response_format",  # would force the verdict into the answer's schema
        "tool_choice",  # "none" instead
        "function_call",
        "max_tokens",  # a limit of our own instead
        "max_completion_tokens",
        "stop",  # chosen for the answer; could cut the verdict
        "logit_bias",
        "prediction",
        "logprobs",  # asked for as needed
        "top_logprobs",
        "stream",
        "stream_options",
        "n",
        "modalities",
        "audio",
        "web_search_options",  # searching again is billed per search
        "metadata",
        "extra_headers",
        "extra_query",
        # the same of the Responses API
        "input",
        "instructions",
        "text",  # its verbosity is kept
        "max_output_tokens",
        "max_tool_calls",
        "include",
        "conversation",  # the check would become a part of it
        "prompt",
        "store",
    }
)
"""Parameters of the draft that a check of the same model does not repeat. All others are: tools,
reasoning effort and verbosity are part of the cached prefix, unknown ones may be."""

_STATED = re.compile(r"(?<![\d.-])(?<!\d,)(\d{1,3}(?:\.\d{1,9})?)(?![\d,])\s?(%|percent|/\s?100)?")


_DENIAL = re.compile(
    r"\b(?:not?|nope|never|incorrect|wrong|false|untrue)\b|n['\u2019]t\b", re.IGNORECASE
)
"""Words that deny: "Incorrect 95" states how sure the denial is, not how right the answer."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """P(True): the probability with which a model says that the draft is right.

    The question follows the conversation and the draft as another user message. The verdict is
    read in one of three ways:
    - `logprobs`: it answers Yes or No, and the score is the mass of yes words over yes, no and
      unlisted mass at the first token; abstains when no log-probabilities come back;
    - `stated`: it states a number from 0 to 100;
    - `auto`: it does both in one reply ("Yes 90"); log-probabilities are read where they came, the
      stated number otherwise. One call in any case, and no memory of what a model can do, so
      replays are exact.
    An unreadable or contradictory verdict ("No 90") abstains and is quoted.

    Costs one call: the whole conversation again, about 10 output tokens. Asking the same model
    (`model=None`) repeats the draft's parameters, so that a prompt cache can serve the prefix:
    same messages, tools, reasoning effort. Dropping `response_format`, which would force the
    verdict into the answer's schema, breaks that cache for structured answers. Tools are kept with
    `tool_choice="none"`; a tool call in the draft is shown as text. Another model gets none of the
    draft's parameters; give it its own in `params`, for example `{"reasoning_effort": "none"}`
    where log-probabilities are wanted.

    Pitfalls: small models cannot judge themselves (AUROC 0.52 and 0.54 in our runs of a tiny
    model: chance); ask a stronger one and measure. Stated numbers cluster at 80 to 95. Put the
    check last in a `first_reject`.

    Args:
        model: a model id or the name of a tier; `None` asks the model that wrote the draft.
        question: replaces the question; it must ask for what `mode` reads.
        mode: see above.
        yes: words for yes at the start of the verdict.
        no: words for no.
        max_completion_tokens: limit of the verdict, at least 16. A model that reasons gets 2,048
            more when it wrote the draft itself; for another model, allow for its thinking here.
        params: further wire parameters of the check; they win.

    Source: Kadavath et al., "Language Models (Mostly) Know What They Know", arXiv 2207.05221,
    section 4; stated numbers: Tian et al., "Just Ask for Calibration", arXiv 2305.14975.

    Raises:
        ConfigError: an unknown mode, no question, a limit below 16, words that are both.
    """

    model: str | None = None
    question: str | None = None
    mode: Mode = "auto"
    yes: Sequence[str] = ("yes", "true")
    no: Sequence[str] = ("no", "false")
    max_completion_tokens: int = LEAST_TOKENS
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.mode not in QUESTIONS:
            raise ConfigError(
                f"SelfCheck: mode {self.mode!r} is unknown; use one of {', '.join(QUESTIONS)}"
            )
        for name in ("model", "question"):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, str) and given.strip()):
                raise ConfigError(
                    f"SelfCheck: {name} {given!r} is no text; leave it out or name one"
                )
        limit = self.max_completion_tokens
        if type(limit) is not int or limit < LEAST_TOKENS:
            raise ConfigError(
                f"SelfCheck: max_completion_tokens {limit!r} is below {LEAST_TOKENS}, "
                "with which models fail to finish; raise it"
            )
        object.__setattr__(self, "yes", _words("yes", self.yes))
        object.__setattr__(self, "no", _words("no", self.no))
        both = set(self.yes) & set(self.no)
        if both:
            raise ConfigError(f"SelfCheck: {sorted(both)} mean both yes and no; keep them in one")
        if not isinstance(self.params, Mapping) or {"messages", "model"} & set(self.params):
            raise ConfigError(
                f"SelfCheck: params {self.params!r} are no wire parameters; "
                "write params={'reasoning_effort': 'none'}"
            )
        object.__setattr__(self, "params", dict(self.params))

    def fits(self, chain: Chain, tier: Tier) -> str | None:  # noqa: ARG002  the protocol's form
        """Refuses a model whose calls nobody could price."""
        return None if self.model is None else unpriced(chain, self.model)

    def __call__(self, draft: Draft) -> Scoring:
        """Ask, and read the verdict."""
        reply = yield from ask(self.model, self._messages(draft), **self._wire_params(draft))
        return self._read(reply)

    def _messages(self, draft: Draft) -> list[Mapping[str, Any]]:
        return [
            *draft.messages,
            {"role": "assistant", "content": shown_answer(draft.reply)},
            {"role": "user", "content": self.question or QUESTIONS[self.mode]},
        ]

    def _wire_params(self, draft: Draft) -> dict[str, Any]:
        params: dict[str, Any] = {}
        limit, limit_name = self.max_completion_tokens, "max_completion_tokens"
        if self.model is None:
            sent = draft.payload
            params.update((key, value) for key, value in sent.items() if key not in LEFT_OUT)
            text = sent.get("text")
            if isinstance(text, Mapping) and text.get("verbosity"):
                params["verbosity"] = text["verbosity"]
            if params.get("tools"):
                params["tool_choice"] = "none"
            if params.get("functions"):
                params["function_call"] = "none"
            if "max_tokens" in sent and "max_completion_tokens" not in sent:
                limit_name = "max_tokens"  # the only limit that some servers know
            if _reasons(draft):
                limit += REASONING_ROOM
        params[limit_name] = limit
        if self.mode != "stated":
            params.update(logprobs=True, top_logprobs=5)
        params.update(self.params)
        return params

    def _read(self, reply: Reply) -> Score | Abstained:
        text = reply.text.strip()
        if not text:
            cut = f" ({reply.finish_reason})" if reply.finish_reason else ""
            return Abstained(f"the check came back without a verdict{cut}")
        if self.mode != "stated":
            share = self._mass(reply)
            if share is not None:
                return Score(share, f"P(true) = {share:.4g}, said {text[:20]!r}")
        if self.mode == "logprobs":
            return Abstained(f"no log-probabilities of a verdict in {text[:40]!r}")
        return self._stated(text)

    def _mass(self, reply: Reply) -> float | None:
        for token in reply.logprobs or ():
            if normal_label(token.token):
                return true_share(token, self.yes, self.no)
        return None

    def _stated(self, text: str) -> Score | Abstained:
        numbers = _STATED.findall(text[:READ_CHARS])
        unreadable = Abstained(f"cannot read the verdict {text[:60]!r}")
        if len(numbers) != 1:
            return unreadable
        digits, unit = numbers[0]
        value = float(digits) / 100
        if value > 1 or ("." in digits and not unit and float(digits) <= 1):
            return unreadable  # a bare "0.9" may mean 0.9 or 90 percent
        if self.mode == "auto":
            said = normal_label(text.split(maxsplit=1)[0])
            denies = said in self.no or _DENIAL.search(text[:READ_CHARS]) is not None
            if (said in self.yes and value < 0.5) or (denies and value > 0.5):  # noqa: PLR2004
                return Abstained(f"the verdict contradicts itself: {text[:60]!r}")
        return Score(value, f"stated {value:.4g}")


def _reasons(draft: Draft) -> bool:
    """Whether the model thought before it wrote the draft, or was told to."""
    usage = draft.reply.usage
    if usage is not None and usage.reasoning_tokens > 0:
        return True
    inner = draft.payload.get("reasoning")
    effort = inner.get("effort") if isinstance(inner, Mapping) else None
    return draft.payload.get("reasoning_effort", effort) not in (None, "none")


def _words(name: str, given: object) -> tuple[str, ...]:
    listed = (given,) if isinstance(given, str) else given
    if not isinstance(listed, Sequence) or not all(isinstance(word, str) for word in listed):
        raise ConfigError(
            f"SelfCheck: {name} {given!r} is no list of words; write {name}=['{name}']"
        )
    words = tuple(dict.fromkeys(normal_label(word) for word in listed))
    if not words or not all(words):
        raise ConfigError(f"SelfCheck: {name} {given!r} holds no word; write {name}=['{name}']")
    return words
