"""What a caller marks a request with: tags, and the parent that it is made for."""

from __future__ import annotations

from collections.abc import Iterable

from cascade.errors import RequestError

__all__ = ["parent_id_of", "tags_of"]

MAX_TAG = 200
"""Characters of a tag or a parent's id: they are looked up, not read."""


def tags_of(tags: object) -> tuple[str, ...]:
    """Tags as given, checked; raises `RequestError` unless they are short texts."""
    if tags is None:
        return ()
    if isinstance(tags, str) or not isinstance(tags, (tuple, list, Iterable)):
        words = f"tags is {tags!r}: expected a list of short texts, e.g. ['billing']"
        raise RequestError(words, param="tags")
    found = tuple(tags)
    for tag in found:
        if not isinstance(tag, str) or not tag.strip() or len(tag) > MAX_TAG:
            words = f"tag {tag!r} is no text of 1 to {MAX_TAG} characters"
            raise RequestError(words, param="tags")
    return found


def parent_id_of(parent: object) -> str:
    """The id of a parent: itself, a trace's, a completion's; raises `RequestError` for others."""
    trace = getattr(parent, "trace", parent)
    found = parent if isinstance(parent, str) else getattr(trace, "id", None)
    if not isinstance(found, str) or not found.strip() or len(found) > MAX_TAG:
        raise RequestError(
            f"parent is {parent!r}: expected the id of a trace or a run (1 to {MAX_TAG} "
            "characters), a Trace, or a Completion",
            param="parent",
        )
    return found
