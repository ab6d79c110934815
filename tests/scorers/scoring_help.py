"""Drafts, tokens and a hand that drives generator scorers; no engine, no network."""

from __future__ import annotations

import json
import math

from cascade import Draft, Reply, Request, evaluate


def entry(token, logprob=-0.1, top=(), raw=...):
    """One wire entry of `logprobs.content`."""
    data = list(token.encode()) if raw is ... else raw
    listed = [{"token": t, "logprob": lp, "bytes": None} for t, lp in top]
    return {"token": token, "logprob": logprob, "bytes": data, "top_logprobs": listed}


def spelled(text, *probabilities):
    """Wire entries that spell a text, one per probability; the last takes the rest."""
    count = max(1, len(probabilities))
    size = max(1, math.ceil(len(text) / count))
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    return [entry(piece, math.log(p)) for piece, p in zip(pieces, probabilities, strict=True)]


def draft_of(text, logprobs=None, *, earlier=(), payload=None, **reply):
    """A draft with this text; `logprobs` are wire entries."""
    return Draft(
        request=Request.build("What is it?"),
        reply=Reply(text, raw_logprobs=logprobs, **reply),
        payload=payload or {},
        earlier=tuple(earlier),
    )


def tool_call(name, arguments):
    """A tool call as on the wire."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"type": "function", "id": "c1", "function": {"name": name, "arguments": text}}


def judged(scorer, draft, *replies):
    """Drive `evaluate`: questions get `replies` in turn, functions run here.

    Several questions at once get a list of replies.

    Returns:
        (outcome, questions asked)
    """
    answers, asked = list(replies), []
    scoring = evaluate(scorer, draft)
    try:
        item = next(scoring)
        while True:
            if type(item).__name__ == "Run":
                item = scoring.send(_ran(item))
            else:
                asked.append(item)
                answer = answers.pop(0)
                raising = isinstance(answer, Exception)
                item = scoring.throw(answer) if raising else scoring.send(answer)
    except StopIteration as stop:
        return stop.value, asked


def _ran(item):
    from cascade.core.wishes import Ran

    try:
        return Ran(item.function())
    except Exception as error:
        return Ran(error=error)
