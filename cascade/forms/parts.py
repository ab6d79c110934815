"""The parts of a message's content, in either form: text, images, files, refusals.

Both directions take parts that are in the wanted form already, so that a conversation put together
from both is read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.forms.api import Api
from cascade.forms.equivalent import NoEquivalent

__all__ = ["part_for_chat", "part_for_responses", "parts_of", "text_in"]

Part = Mapping[str, Any]

TEXTS = frozenset({"text", "input_text", "output_text"})

CACHE_MARK = "prompt_cache_breakpoint"
"""The same on the parts of both APIs."""

FILE_KEYS = ("file_data", "file_id", "filename")


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
        detail = image.get("detail") or "auto"
        return {"type": "input_image", "image_url": image.get("url"), "detail": detail, **kept}
    if kind == "file":
        file = part.get("file")
        file = file if isinstance(file, Mapping) else {}
        return {"type": "input_file", **{k: file[k] for k in FILE_KEYS if k in file}, **kept}
    if kind in ("refusal", "input_image", "input_file"):
        return part
    raise NoEquivalent(_root(where), f"{where} of type {kind!r}", "responses")


def part_for_chat(given: object, where: str) -> dict[str, Any]:
    """A part for Chat Completions; raises as `part_for_responses`."""
    part, kind = _known(given, where, "chat")
    kept = {CACHE_MARK: part[CACHE_MARK]} if CACHE_MARK in part else {}
    if kind in TEXTS:
        return {"type": "text", "text": part.get("text", ""), **kept}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        image = {"url": part["image_url"]}
        if part.get("detail"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image, **kept}
    if kind == "input_image":
        raise NoEquivalent(_root(where), f"{where}.file_id: an uploaded image", "chat")
    if kind == "input_file" and not part.get("file_url"):
        return {"type": "file", "file": {k: part[k] for k in FILE_KEYS if k in part}, **kept}
    if kind == "input_file":
        raise NoEquivalent(_root(where), f"{where}.file_url", "chat")
    if kind in ("refusal", "image_url", "file", "input_audio"):
        return part
    raise NoEquivalent(_root(where), f"{where} of type {kind!r}", "chat")


def _known(part: object, where: str, api: Api) -> tuple[dict[str, Any], str]:
    if not isinstance(part, Mapping):
        raise NoEquivalent(_root(where), f"{where}, a {type(part).__name__},", api)
    return dict(part), str(part.get("type"))


def _root(where: str) -> str:
    return where.partition("[")[0]
