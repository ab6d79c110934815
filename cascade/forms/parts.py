"""The parts of a message's content, in either form: text, images, files, refusals.

Both directions take parts that are in the wanted form already, so that a conversation put together
from both is read as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cascade.forms.api import Api
from cascade.forms.equivalent import NoEquivalent

__all__ = ["part_for_chat", "part_for_responses", "parts_of", "text_in"]

Part = Mapping[str, Any]

TEXTS = frozenset({"text", "input_text", "output_text"})

CACHE_MARK = "prompt_cache_breakpoint"
"""The same on the parts of both APIs."""

FILE_KEYS = ("file_data", "file_id", "filename")

READ = frozenset(
    {"type", CACHE_MARK, "text", "image_url", "detail", "file", "file_url", *FILE_KEYS}
)
"""Keys of a part that are carried over, or looked at."""

FOREIGN: Mapping[Api, frozenset[str]] = {
    "chat": frozenset({"input_text", "output_text", "input_image", "input_file"}),
    "responses": frozenset({"text", "image_url", "file"}),
}
"""Parts in the other API's form; those in its own pass with all that they hold."""

SERVERS_OWN = frozenset({"annotations", "logprobs"})
"""What a server wrote beside its text, handed back as it came."""


def parts_of(content: object) -> list[Any]:
    """Content as a list of parts; text becomes a single one."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content) if isinstance(content, list | tuple) else [content]


def text_in(content: object) -> str:
    """The text of content in either form; other parts say nothing."""
    found = (part for part in parts_of(content) if isinstance(part, Mapping))
    return "".join(
        part["text"]
        for part in found
        if part.get("type") in TEXTS and isinstance(part.get("text"), str)
    )


def part_for_responses(given: object, where: str, *, answered: bool) -> dict[str, Any]:
    """A part for Responses.

    Args:
        given: a part in either form.
        where: its path, for errors.
        answered: whether the assistant said it: what it says is output.

    Raises:
        NoEquivalent: audio, or a part of an unknown type.
    """
    part, kind = _known(given, where, "responses")
    kept = {CACHE_MARK: part[CACHE_MARK]} if CACHE_MARK in part else {}
    if kind in TEXTS:
        name = "output_text" if answered else "input_text"
        return {"type": name, "text": part.get("text", ""), **kept}
    if kind == "image_url":
        image = part.get("image_url")
        image = image if isinstance(image, Mapping) else {"url": image}
        _check_rest(image, ("url", "detail"), f"{where}.image_url", "responses")
        detail = image.get("detail") or "auto"
        return {"type": "input_image", "image_url": image.get("url"), "detail": detail, **kept}
    if kind == "file":
        file = part.get("file")
        file = file if isinstance(file, Mapping) else {}
        _check_rest(file, FILE_KEYS, f"{where}.file", "responses")
        return {"type": "input_file", **_file(file), **kept}
    if kind in ("refusal", "input_image", "input_file"):
        return part
    raise NoEquivalent(_root(where), f"{where} of type {kind!r}", "responses")


def part_for_chat(given: object, where: str) -> dict[str, Any]:
    """A part for Chat Completions; raises as `part_for_responses`."""
    part, kind = _known(given, where, "chat")
    kept = {CACHE_MARK: part[CACHE_MARK]} if CACHE_MARK in part else {}
    if kind in ("input_text", "output_text"):
        return {"type": "text", "text": part.get("text", ""), **kept}
    if kind == "input_image" and isinstance(part.get("image_url"), str) and not part.get("file_id"):
        image = {"url": part["image_url"]}
        if part.get("detail"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image, **kept}
    if kind == "input_image":
        raise NoEquivalent(_root(where), f"{where}.file_id: an uploaded image", "chat")
    if kind == "input_file":
        lost = "file_url" if part.get("file_url") else "detail"
        if part.get(lost) not in (None, "", "auto"):
            raise NoEquivalent(_root(where), f"{where}.{lost}", "chat")
        return {"type": "file", "file": _file(part), **kept}
    if kind in ("text", "refusal", "image_url", "file", "input_audio"):
        return part
    raise NoEquivalent(_root(where), f"{where} of type {kind!r}", "chat")


def _known(part: object, where: str, api: Api) -> tuple[dict[str, Any], str]:
    if not isinstance(part, Mapping):
        raise NoEquivalent(_root(where), f"{where}, a {type(part).__name__},", api)
    kind = str(part.get("type"))
    if kind in FOREIGN.get(api, ()):
        _check_rest(part, READ | SERVERS_OWN, where, api)
    return dict(part), kind


def _check_rest(part: Part, known: Collection[str], where: str, api: Api) -> None:
    """Raise where a part says something that would be lost."""
    for key, value in part.items():
        if key not in known and value is not None:
            raise NoEquivalent(_root(where), f"{where}.{key}", api)


def _file(given: Part) -> dict[str, Any]:
    return {key: given[key] for key in FILE_KEYS if given.get(key) is not None}


def _root(where: str) -> str:
    return where.partition("[")[0]
