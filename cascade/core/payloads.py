"""What a tier is sent for a request: in the form its API takes, with its own parameters laid over.

Checked for every tier before the first call is made: a request that one tier cannot take is refused
before money flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cascade.core.plain_json import as_json
from cascade.core.request import Request, check_messages
from cascade.core.route import WHOLE, Route
from cascade.core.scoring import Ask
from cascade.core.tier import Tier
from cascade.errors import RequestError
from cascade.forms.api import Api, api_of
from cascade.forms.convert import PREAMBLE, convert, preamble_for, shaped, with_preamble
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.overlay import lay_over
from cascade.forms.params import OTHER_NAMES
from cascade.forms.reading import effort_of, tools_of

if TYPE_CHECKING:
    from cascade.core.chain import Chain

__all__ = ["check_payloads", "payload_for", "question_for", "question_of"]

PATHS: Mapping[Api, str] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}

CONVERSATION = frozenset({"messages", "input", "instructions"})
"""Parameters that a tier cannot drop."""

REFERENCES = ("previous_response_id", "conversation", "item_reference")
"""They stand for what Responses keeps of a conversation, which would be lost without them."""


def payload_for(tier: Tier, request: Request) -> dict[str, Any]:
    """The wire payload of a request on a tier: its preamble put in, its parameters laid over.

    Raises:
        RequestError: the tier is asked through an API that cannot say what the request says.
    """
    if tier.api is None and not tier.params and not tier.preamble:
        return dict(request.payload)
    api = tier.api or request.api
    try:
        payload = shaped(request.payload, tier.params, api)
        return with_preamble(payload, tier.preamble) if tier.preamble else payload
    except NoEquivalent as error:
        raise _not_sayable(tier, request, error) from error


def check_payloads(chain: Chain, request: Request, route: Route = WHOLE) -> None:
    """Refuse a request that a tier on its way cannot be sent.

    Raises:
        RequestError: names the tier, the parameter and the way out.
    """
    key = (request.api, "tools" in request.payload)
    doubtful = chain.doubtful.get(key)
    if doubtful is None:
        doubtful = chain.doubtful[key] = _doubtful(chain, *key)
    if not doubtful:
        return
    for leg in route.legs(chain, request.payload, request.size_bytes):
        if leg.skipped is None and leg.tier in doubtful:
            _check_tools(chain, leg.tier, request)


def _doubtful(chain: Chain, api: Api, with_tools: bool) -> tuple[Tier, ...]:
    """The tiers that may not take every request written for an API."""
    return tuple(
        tier
        for tier in chain.tiers
        if (tier.api is not None and tier.api != api)
        or (tier.params and not OTHER_NAMES[tier.api or api].isdisjoint(tier.params))
        or (tier.preamble and not _can_be_told(tier, api))
        or ((with_tools or "tools" in tier.params) and _refuses_tools(chain, tier))
    )


def _can_be_told(tier: Tier, api: Api) -> bool:
    """Whether a tier's preamble can be said in a request of an API."""
    try:
        preamble_for(tier.preamble, tier.api or api)
    except NoEquivalent:
        return False
    return True


def question_of(wanted: Ask) -> dict[str, Any]:
    """A scorer's question as a payload, checked.

    Raises:
        RequestError: it holds no messages, asks for a stream, or holds what JSON cannot.
    """
    params = {name: value for name, value in wanted.params.items() if value is not None}
    if wanted.payload is None:
        check_messages(list(wanted.messages), "messages")
        payload = {"messages": list(wanted.messages), **params}
    else:
        try:
            payload = shaped(wanted.payload, wanted.params, api_of(wanted.payload))
        except NoEquivalent as error:
            raise RequestError(str(error)) from error
    if payload.pop("stream", False):
        raise RequestError("stream=True; a scorer reads whole answers")
    as_json(payload, "payload")
    return payload


def question_for(
    tier: Tier, question: Mapping[str, Any], request: Request, *, whole: bool = False
) -> dict[str, Any]:
    """A scorer's question as the tier it goes to takes it.

    Args:
        tier: who is asked.
        question: a payload; parameters beside `messages` may have either API's names.
        request: what the question is about. Where it was meant for counts where the tier names no
            API; a question that this API cannot say goes to Chat then.
        whole: whether it is a payload of its own, e.g. a draft's, in the form it was sent in.

    Raises:
        RequestError: the tier's own API cannot say it.
    """
    written_for = api_of(question)
    api = tier.api or (written_for if whole else request.api)
    if "decisions" in (written_for, api) or (whole and written_for == api):
        return dict(question)
    said = {name: question[name] for name in CONVERSATION if name in question}
    params = {name: value for name, value in question.items() if name not in said}
    try:
        return lay_over(convert(said, api), params, api)
    except NoEquivalent as error:
        if tier.api is not None:
            raise RequestError(f"tier {tier.name!r} (api={tier.api!r}): {error}") from error
        return dict(question)


def _not_sayable(tier: Tier, request: Request, error: NoEquivalent) -> RequestError:
    is_told = error.param == PREAMBLE
    own = is_told or (error.param in tier.params and error.param not in request.payload)
    if is_told:
        ways = "say it otherwise in that tier's preamble"
    elif own:
        ways = f"take {error.param!r} out of that tier's params"
    elif error.param in CONVERSATION:
        ways = ""
    else:
        ways = f"set params={{{error.param!r}: None}} on that tier to drop it there"
    other: Api = "chat" if error.api == "responses" else "responses"
    fits = other if own else request.api
    ways += f"{', or ' if ways else ''}give the tier api={fits!r}"
    refers = any(name in error.what for name in REFERENCES)
    way = "send what it refers to instead" if refers else "leave it out"
    why = f"Unsupported parameter: {error}, through which this model is asked; {way}."
    if own:  # no caller's, but they may have a way round it
        why = f"This model cannot be asked through this endpoint; use {PATHS[other]}."
    return RequestError(
        f"tier {tier.name!r}: {error}; {ways}",
        param=None if own else error.param,
        code="unsupported_parameter",
        why=why,
    )


def _refuses_tools(chain: Chain, tier: Tier) -> bool:
    """Whether a tier's model is known to take tools beside reasoning on Responses only."""
    info = chain.info(tier)
    # On a server of the tier's own, the table may know another model of that name.
    return info is not None and info.chat_tools_with_effort is False and tier.client is None


def _check_tools(chain: Chain, tier: Tier, request: Request) -> None:
    payload = payload_for(tier, request)
    effort = effort_of(payload)
    asked = effort not in (None, "none") and bool(tools_of(payload))
    if not asked or api_of(payload) != "chat" or not _refuses_tools(chain, tier):
        return
    param = "reasoning_effort" if request.api == "chat" else "reasoning.effort"
    ways = [f"use {PATHS['responses']}"] if tier.api is None else []
    if effort_of(request.payload) == effort:
        ways.append(f"set {param} to 'none'")
    help_yourself = f"To use function tools, {' or '.join(ways)}." if ways else "Leave them out."
    raise RequestError(
        f"tier {tier.name!r}: {tier.model} takes no function tools beside reasoning_effort="
        f"{effort!r} on Chat Completions; give the tier api='responses', or "
        "params={'reasoning_effort': 'none'}",
        param=param if effort_of(request.payload) == effort else "tools",
        why="Function tools with reasoning_effort are not supported for this model on Chat "
        f"Completions. {help_yourself}",
    )
