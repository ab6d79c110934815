"""The OpenAPI 3.1 description of what the gateway answers; tests send requests made from it.

Written by hand and no longer than it must be: request bodies are OpenAI's own and pass through, so
that only what the gateway itself reads is described.
"""

from __future__ import annotations

from typing import Any

from cascade.core.labels import MAX_TAG

__all__ = ["description"]

JSON = "application/json"

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        },
        "cascade": {"$ref": "#/components/schemas/Cascade"},
    },
}

CASCADE: dict[str, Any] = {
    "type": "object",
    "description": "How the answer came about; amounts are decimal strings, null where unknown.",
    "properties": {
        "trace_id": {"type": "string"},
        "chain": {"type": "string"},
        "tier": {"type": ["string", "null"]},
        "accepted": {"type": "boolean"},
        "cost_usd": {"type": ["string", "null"]},
        "basis": {"enum": ["exact", "estimated", "unknown"]},
        "saved_usd": {"type": ["string", "null"]},
        "attempts": {"type": "integer"},
    },
}

NAME = {"type": "string", "maxLength": MAX_TAG, "pattern": r"\S"}

NAME_OR_NOTHING = {**NAME, "type": ["string", "null"]}

ASKED: dict[str, Any] = {
    "type": "object",
    "description": "What this gateway reads for itself; it is never sent on.",
    "additionalProperties": False,
    "properties": {
        "budget": {"type": ["string", "null"], "description": 'US dollars, e.g. "0.05".'},
        "deadline_s": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "start_at": NAME_OR_NOTHING,
        "stop_at": NAME_OR_NOTHING,
        "conversation": NAME_OR_NOTHING,
        "tags": {"type": ["array", "null"], "items": NAME},
        "parent": NAME_OR_NOTHING,
        "metadata": {"type": ["object", "null"]},
    },
}

ASKED_OR_NOTHING = {"anyOf": [{"$ref": "#/components/schemas/Asked"}, {"type": "null"}]}

MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}

MODELS: dict[str, Any] = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    },
}

MESSAGE: dict[str, Any] = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": {"type": "string"}, "content": {"not": {"const": ""}}},
}

CHAT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string", "description": "Name of a chain, or of a plain model."},
        "messages": {"type": "array", "minItems": 1, "items": MESSAGE},
        "stream": {"type": ["boolean", "null"]},
        "cascade": ASKED_OR_NOTHING,
    },
}

RESPONSES: dict[str, Any] = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "description": "Name of a chain, or of a plain model."},
        "input": {"type": "string", "minLength": 1},
        "stream": {"type": ["boolean", "null"]},
        "cascade": ASKED_OR_NOTHING,
    },
}

CHAT_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "model", "choices"],
    "properties": {
        "object": {"const": "chat.completion"},
        "choices": {"type": "array", "minItems": 1},
        "cascade": {"$ref": "#/components/schemas/Cascade"},
    },
}

RESPONSES_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "model", "output"],
    "properties": {
        "object": {"const": "response"},
        "output": {"type": "array"},
        "cascade": {"$ref": "#/components/schemas/Cascade"},
    },
}

REFUSED = {
    "400": "The request is none that can be answered.",
    "401": "No key, or one that does not work.",
    "403": "The provider refuses the request.",
    "404": "No such model, or not for this key.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The body is compressed.",
    "422": "The provider cannot process the request.",
    "429": "Over a budget or a rate; the provider's own included.",
    "500": "Something went wrong on the way.",
    "502": "The provider could not be reached, or answered with garbage.",
    "503": "Overloaded, stopping, or without the database that keeps the books.",
    "504": "No answer within the deadline.",
}

REQUEST_ID = {
    "x-request-id": {"description": "Names this answer.", "schema": {"type": "string"}},
}


def description(version: str) -> dict[str, Any]:
    """The document, for `/openapi.json`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cascade gateway",
            "version": version,
            "description": "OpenAI's endpoints, answered by cascades.",
        },
        "paths": {
            "/v1/chat/completions": {"post": _endpoint("createChatCompletion", "Chat")},
            "/v1/responses": {"post": _endpoint("createResponse", "Responses")},
            "/v1/models": {"get": _read("listModels", "Models", "The models this key may use.")},
            "/v1/models/{model}": {
                "parameters": [
                    {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "get": _read("retrieveModel", "Model", "One of them.", missing=True),
            },
            "/healthz": {"get": _state("health", "The process runs.")},
            "/readyz": {"get": _state("ready", "Requests can be answered.", unready=True)},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _state("openapi", "This description.")},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
            "schemas": {
                "Error": ERROR,
                "Cascade": CASCADE,
                "Asked": ASKED,
                "Chat": CHAT,
                "ChatAnswer": CHAT_ANSWER,
                "Responses": RESPONSES,
                "ResponsesAnswer": RESPONSES_ANSWER,
                "Model": MODEL,
                "Models": MODELS,
            },
        },
    }


def _schema(name: str) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _answer(words: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "headers": REQUEST_ID, "content": content}


def _refused(*statuses: str) -> dict[str, Any]:
    return {status: _answer(REFUSED[status], _schema("Error")) for status in statuses}


SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]


def _endpoint(name: str, schema: str) -> dict[str, Any]:
    streamed: dict[str, Any] = {"text/event-stream": {}}
    return {
        "operationId": name,
        "security": SECURITY,
        "requestBody": {"required": True, "content": _schema(schema)},
        "responses": {
            "200": _answer("The answer.", {**_schema(f"{schema}Answer"), **streamed}),
            **_refused(*REFUSED),
        },
    }


def _read(name: str, schema: str, words: str, *, missing: bool = False) -> dict[str, Any]:
    refused = ("401", "404", "503") if missing else ("401", "503")
    return {
        "operationId": name,
        "security": SECURITY,
        "responses": {"200": _answer(words, _schema(schema)), **_refused(*refused)},
    }


def _state(name: str, words: str, *, unready: bool = False) -> dict[str, Any]:
    anything = {JSON: {"schema": {"type": "object"}}}
    unfit = {"503": _answer("Not now; the body says why.", anything)} if unready else {}
    return {"operationId": name, "responses": {"200": _answer(words, anything), **unfit}}


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "security": SECURITY,
        "responses": {"200": _answer("For Prometheus.", text), **_refused("401", "403", "503")},
    }
