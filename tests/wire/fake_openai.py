"""What OpenAI's APIs send, built piece by piece: replies, errors, streams.

Statuses, types, params, codes and words are the API's own as of 2026-11-22. Builders give plain
data; `answer`, `refuse` and `events` make it into responses for a respx route.
"""

from __future__ import annotations

import json
import math

import httpx

URL = "https://api.openai.com/v1/chat/completions"
RESPONSES_URL = "https://api.openai.com/v1/responses"
DECISIONS_URL = "https://api.openai.com/v1/decisions"
KEY = "sk-proj-abcDEF0123456789secret"


# Replies --------------------------------------------------------------------------------------


def usage(prompt=100, completion=10, *, cached=None, written=None, reasoning=None, details=True):
    """A usage object; without details as compatible servers send it."""
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if details:
        counts["prompt_tokens_details"] = {"cached_tokens": cached or 0, "audio_tokens": 0}
        counts["completion_tokens_details"] = {
            "reasoning_tokens": reasoning or 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
        if written is not None:
            counts["prompt_tokens_details"]["cache_write_tokens"] = written
    return counts


def token(text, logprob, top=(), *, raw="as text"):
    """One entry of a logprobs list; `top` holds (token, logprob) pairs."""
    data = list(text.encode()) if raw == "as text" else raw
    listed = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in top]
    return {"token": text, "logprob": logprob, "bytes": data, "top_logprobs": listed}


def tool_call(name="lookup", arguments='{"city":"Oslo"}', call_id="call_1"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(
    text="Paris",
    *,
    model="gpt-5.4-mini-2026-03-17",
    logprobs=None,
    counts="usual",
    finish_reason="stop",
    refusal=None,
    tool_calls=None,
    service_tier="default",
    **more,
):
    """A `chat.completion` object; `logprobs` is a list of `token(...)`."""
    message = {"role": "assistant", "content": text, "refusal": refusal, "annotations": []}
    if tool_calls is not None:
        message["tool_calls"] = tool_calls
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None if logprobs is None else {"content": logprobs, "refusal": None},
        "finish_reason": finish_reason,
    }
    body = {
        "id": "chatcmpl-CfPqN1",
        "object": "chat.completion",
        "created": 1795300000,
        "model": model,
        "choices": [choice],
        "usage": usage() if counts == "usual" else counts,
        "service_tier": service_tier,
        "system_fingerprint": None,
    }
    return {**body, **more}


def sure(text="Paris", p=0.99, **more):
    """A reply whose one token has probability `p`."""
    return completion(text, logprobs=[token(text, math.log(p))], **more)


def answer(body, *, status=200, headers=None):
    """A JSON response with the headers that OpenAI sends."""
    return httpx.Response(status, json=body, headers={"x-request-id": "req_1", **(headers or {})})


LOGPROBS = {
    "saturated": [token("Paris", -0.0, [("Paris", -0.0)])],
    "two candidates": [token("Paris", -0.34, [("Paris", -0.34), ("paris", -1.25)])],
    "no alternatives": [token("Paris", -0.2)],
    "sentinel": [token("Paris", -9999.0, [("Lyon", -0.1), ("Paris", -9999.0)])],
    "bytes null": [token("Paris", -0.2, raw=None)],
    "logprob null": [token("Par", None), token("is", -0.2)],
}


# Errors ---------------------------------------------------------------------------------------


def error_body(message, *, kind="invalid_request_error", param=None, code=None):
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refuse(status, message, *, headers=None, **error):
    """An error response; `error` are `kind`, `param` and `code`."""
    return answer(error_body(message, **error), status=status, headers=headers)


NO_LOGPROBS = refuse(
    400,
    "Unsupported parameter: 'logprobs' is not supported with this model.",
    param="logprobs",
    code="unsupported_parameter",
)
CAPPED = refuse(
    400,
    "Invalid value for 'top_logprobs': must be less than or equal to 5.",
    param="top_logprobs",
)
TOP_ALONE = refuse(
    400,
    "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
    param="top_logprobs",
)
LOGPROBS_FORBIDDEN = refuse(403, "You are not allowed to request logprobs from this model")
UNKNOWN_LOGPROBS = refuse(
    400, "Unknown parameter: 'logprobs'.", param="logprobs", code="unknown_parameter"
)
NO_TEMPERATURE = refuse(
    400,
    "Unsupported value: 'temperature' does not support 0 with this model. "
    "Only the default (1) value is supported.",
    param="temperature",
    code="unsupported_value",
)
NO_TEMPERATURE_NULL = refuse(
    400,
    "Unsupported parameter: 'temperature' is not supported with this model.",
    param="temperature",
)
NO_EFFORT = refuse(
    400,
    "Unsupported value: 'reasoning_effort' does not support 'max' with this model. "
    "Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'.",
    param="reasoning_effort",
    code="unsupported_value",
)
TOOLS_AND_EFFORT = refuse(
    400,
    "Function tools with reasoning_effort are not supported for gpt-5.5 in /v1/chat/completions. "
    "To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
    param="reasoning_effort",
)
NO_MAX_TOKENS = refuse(
    400,
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    param="max_tokens",
    code="unsupported_parameter",
)
NO_STOP = refuse(
    400,
    "Unsupported parameter: 'stop' is not supported with this model.",
    param="stop",
    code="unsupported_parameter",
)
UNKNOWN_KEY = refuse(
    400, "Unknown parameter: 'zzz_unknown'.", param="zzz_unknown", code="unknown_parameter"
)
SHUT_DOWN = refuse(
    404,
    "The model `gpt-4.1-nano` has been deprecated, learn more here: "
    "https://platform.openai.com/docs/deprecations",
    code="model_not_found",
)
TOO_LONG = refuse(
    400,
    "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in "
    "300000 tokens. Please reduce the length of the messages.",
    param="messages",
    code="context_length_exceeded",
)
FILTERED = refuse(
    400,
    "The response was filtered due to the prompt triggering the content management policy.",
    param="prompt",
    code="content_filter",
)
WRONG_KEY = refuse(
    401,
    f"Incorrect API key provided: {KEY}. You can find your API key at "
    "https://platform.openai.com/account/api-keys.",
    code="invalid_api_key",
)

BILLING_CODES = (
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)


def broke(code="insufficient_quota", *, kind="insufficient_quota", headers=None):
    """A 429 that says the account cannot pay."""
    words = "You exceeded your current quota, please check your plan and billing details."
    return refuse(429, words, kind=kind, code=code, headers=headers)


def limited(*, code="rate_limit_exceeded", headers=None):
    """A 429 that passes: too many tokens per minute."""
    words = (
        "Rate limit reached for gpt-5.4-nano in organization org-x on tokens per min (TPM): "
        "Limit 200000, Used 199000, Requested 5000. Please try again in 1.2s."
    )
    return refuse(429, words, kind="tokens", code=code, headers=headers)


FLEX_FULL = refuse(
    429, "Resource Unavailable", kind="resource_unavailable", code="resource_unavailable"
)
OVERLOADED = refuse(
    503,
    "The server is currently overloaded with other requests.",
    kind="server_error",
    code="server_is_overloaded",
)
BROKEN = refuse(500, "The server had an error while processing your request.", kind="server_error")
GATEWAY_HTML = httpx.Response(
    502, text="<html><body>502 Bad Gateway</body></html>", headers={"content-type": "text/html"}
)
HTML = httpx.Response(
    200, text="<!DOCTYPE html><html>Log in</html>", headers={"content-type": "text/html"}
)


# Streams --------------------------------------------------------------------------------------


def chunk(delta=None, *, finish_reason=None, logprobs=None, counts=None, **more):
    """A `chat.completion.chunk`; without a delta the usage chunk, whose choices are empty."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": logprobs}
    body = {
        "id": "chatcmpl-CfPqN1",
        "object": "chat.completion.chunk",
        "created": 1795300000,
        "model": "gpt-5.4-mini-2026-03-17",
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": [] if delta is None else [choice],
        "usage": counts,
    }
    return {**body, **more}


def text_chunks(*texts, finish_reason="stop", counts="usual", logprobs=False):
    """The chunks of a streamed text: role, text, finish reason, usage."""
    found = [chunk({"role": "assistant", "content": "", "refusal": None})]
    for text in texts:
        given = {"content": [token(text, -0.1)], "refusal": None} if logprobs else None
        found.append(chunk({"content": text}, logprobs=given))
    found.append(chunk({}, finish_reason=finish_reason))
    if counts is not None:
        found.append(chunk(counts=usage() if counts == "usual" else counts))
    return found


def tool_chunks():
    """Two tool calls, their arguments cut into pieces."""
    first = {"index": 0, "id": "call_1", "type": "function"}
    second = {"index": 1, "id": "call_2", "type": "function"}
    deltas = [
        {"role": "assistant", "content": None, "refusal": None},
        {"tool_calls": [{**first, "function": {"name": "lookup", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]},
        {"tool_calls": [{**second, "function": {"name": "clock", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]
    last = chunk({}, finish_reason="tool_calls")
    return [*map(chunk, deltas), last, chunk(counts=usage())]


def sse(chunks, *, done=True):
    """Chunks as the bytes of an event stream."""
    lines = [f"data: {json.dumps(item)}\n\n" for item in chunks]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def events(chunks, *, done=True):
    """A response that streams chunks."""
    headers = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1"}
    return httpx.Response(200, content=sse(chunks, done=done), headers=headers)


ERROR_FRAME = error_body("The server had an error processing your request.", kind="server_error")


# Responses --------------------------------------------------------------------------------------


def response_usage(given=100, made=10, *, cached=0, written=0, reasoning=0):
    """A usage object of Responses and of Decisions."""
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given + made,
    }


def text_part(text, logprobs=()):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def message_item(*parts, status="completed", item_id="msg_1"):
    """An assistant's message; parts are texts or part objects."""
    content = [text_part(part) if isinstance(part, str) else part for part in parts]
    return {
        "id": item_id, "type": "message", "status": status, "role": "assistant", "content": content,
    }  # fmt: skip


def call_item(name="lookup", arguments='{"city":"Oslo"}', call_id="call_1", item_id="fc_1"):
    return {
        "id": item_id, "type": "function_call", "status": "completed", "call_id": call_id,
        "name": name, "arguments": arguments,
    }  # fmt: skip


REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAB"}


def response(*items, status="completed", counts="usual", reason=None, error=None, **more):
    """A `response` object; items are texts or output items."""
    output = [message_item(item) if isinstance(item, str) else item for item in items]
    body = {
        "id": "resp_67cb",
        "object": "response",
        "created_at": 1795300000,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-5.4-mini-2026-03-17",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "none", "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": response_usage() if counts == "usual" else counts,
        "user": None,
        "metadata": {},
    }
    return {**body, **more}


def sure_response(text="Paris", p=0.99, **more):
    """A response whose one token has probability `p`."""
    return response(message_item(text_part(text, [token(text, math.log(p))])), **more)


NO_LOGPROBS_RESPONSES = refuse(
    400,
    "logprobs are not supported with reasoning models.",
    param="include",
    code="unsupported_parameter",
)
NO_TOP_LOGPROBS_RESPONSES = refuse(
    400,
    "logprobs are not supported with reasoning models.",
    param="top_logprobs",
    code="unsupported_parameter",
)
NO_EFFORT_RESPONSES = refuse(
    400,
    "Unsupported value: 'max' is not supported with the 'gpt-5.4-mini' model. Supported values "
    "are: 'none', 'low', 'medium', 'high', and 'xhigh'.",
    param="reasoning.effort",
    code="unsupported_value",
)
NO_ENCRYPTED = refuse(400, "Encrypted content is not supported with this model.", param="include")


def response_events(*texts, body=None, item=None):
    """The events of a streamed text, or of one that makes the given item."""
    whole = body or response("".join(texts))
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    made = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    made += _call_events(item) if item else _text_events(texts)
    ended = "incomplete" if whole["status"] == "incomplete" else "completed"
    made.append({"type": f"response.{ended}", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(made)]


def _text_events(texts):
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    empty = {**message_item(status="in_progress"), "content": []}
    whole = "".join(texts)
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    yield {"type": "response.content_part.added", **place, "part": text_part("")}
    for text in texts:
        delta = {"delta": text, "logprobs": [], "obfuscation": "x"}
        yield {"type": "response.output_text.delta", **place, **delta}
    yield {"type": "response.output_text.done", **place, "text": whole, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": text_part(whole)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": message_item(whole)}


def _call_events(item):
    place = {"item_id": item["id"], "output_index": 0}
    half = len(item["arguments"]) // 2
    empty = {**item, "arguments": "", "status": "in_progress"}
    name = "response.function_call_arguments"
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    yield {"type": f"{name}.delta", **place, "delta": item["arguments"][:half]}
    yield {"type": f"{name}.delta", **place, "delta": item["arguments"][half:]}
    yield {"type": f"{name}.done", **place, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}


def response_stream(events_, *, keep=None):
    """A response that streams events, as Responses frames them; `keep` cuts it after so many."""
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events_[:keep]]
    headers = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1"}
    return httpx.Response(200, content="".join(lines).encode(), headers=headers)


# Decisions ----------------------------------------------------------------------------------------


def decision(*answers, counts="usual", model="gpt-6-luna"):
    """What the Decisions API answers."""
    return {
        "answers": list(answers),
        "model": model,
        "usage": response_usage(200, 4) if counts == "usual" else counts,
    }


# Batch files ------------------------------------------------------------------------------------


def batch_line(custom_id, body, *, status=200):
    """A line of a batch's output file."""
    response = {"status_code": status, "request_id": f"req_{custom_id}", "body": body}
    return json.dumps(
        {
            "id": f"batch_req_{custom_id}",
            "custom_id": custom_id,
            "response": response,
            "error": None,
        }
    )


def batch_failed(custom_id, status, body):
    """A line of the error file: the request was sent and refused."""
    return batch_line(custom_id, body, status=status)


def batch_expired(custom_id):
    """A line of the error file: the batch ended before the request was sent."""
    error = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return json.dumps(
        {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": error}
    )
