"""Whether an answer is the JSON that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cascade import ConfigError, Draft, Score
from scorers.schema_birth import copied, validator_of
from scorers.schema_rules import first_error
from scorers.strict_json import JsonTextError, broken_prefix, read_json

__all__ = ["JsonSchema"]


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Whether the answer is strict JSON that fits a schema: 1 or 0.

    A gate, not a confidence: validity alone hardly tells right from wrong (AUROC 0.575 in our
    extraction runs), so put a `LogprobConfidence(over="json_values")` behind it. The reason names
    the place and the rule: "$.urgency: 'hi' is not one of ['low', 'high'] (enum)".

    Strict means: nothing but white space around it (a code fence fails), no key twice, no NaN or
    Infinity, no raw control character in a string, at most 1,000,000 characters, 100 levels and
    308 digits. A tool call or a refusal scores 0.

    Costs no money. The validator is built once; a nested document of 20 items then takes 2 ms.
    Hostile answers are bounded by 200,000 counted steps (0.7 s in the worst case we could build)
    and 0.25 s for all patterns together; beyond either the score is 0 and the reason says so. An
    honest answer of 2,000 records stays below the bound.

    Pitfalls: references are followed within the schema only and never fetched. Patterns are
    Python's (package `regex`), unanchored as the standard says. `format` is not asserted unless
    asked for.

    Args:
        schema: a JSON Schema as a dict (or boolean); draft 2020-12 unless `$schema` names another.
        raw_newlines: let unescaped line breaks and tabs stand inside strings.
        formats: assert `format`; a format that nothing installed can check is refused.

    Source: JSON Schema 2020-12, Core and Validation; RFC 8259.

    Raises:
        ConfigError: the schema is none, or has a reference that leads outside, nowhere or back to
            itself, or a pattern that does not compile.
    """

    schema: Mapping[str, Any] | bool = field(hash=False)
    raw_newlines: bool = False
    formats: bool = False
    _validator: Any = field(init=False, repr=False, compare=False)

    inline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("raw_newlines", "formats"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"JsonSchema: {name} is {getattr(self, name)!r}; pass true or false"
                )
        schema = copied(self.schema)
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "_validator", validator_of(schema, formats=self.formats))

    def __call__(self, draft: Draft) -> Score:
        """Read the answer and check it."""
        if draft.reply.refusal:
            return Score(0.0, f"the model declined: {draft.reply.refusal[:80]!r}")
        if draft.reply.tool_calls and not draft.text.strip():
            return Score(0.0, "the answer is a tool call, not JSON text")
        try:
            document = read_json(draft.text, raw_newlines=self.raw_newlines)
        except JsonTextError as error:
            return Score(0.0, str(error))
        problem = first_error(self._validator, document)
        return Score(1.0, "fits the schema") if problem is None else Score(0.0, problem)

    def hopeless(self, text: str, _tokens: object, threshold: float) -> str | None:
        """Why an answer that begins like this cannot become JSON, for `Policy.stop_early`."""
        if threshold <= 0 or self.raw_newlines:
            return None
        return broken_prefix(text)
