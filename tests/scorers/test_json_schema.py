"""JsonSchema: strict reading, reasons, schemas refused at birth, and bounded work."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of, tool_call

from cascade import ConfigError
from scorers import JsonSchema
from scorers.strict_json import JsonTextError, json_path, read_json

TICKET = {
    "type": "object",
    "properties": {
        "urgency": {"enum": ["low", "high"]},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["urgency"],
    "additionalProperties": False,
}


def checked(schema, text, **settings):
    return JsonSchema(schema, **settings)(draft_of(text))


def refused(schema, text, **settings):
    score = checked(schema, text, **settings)
    assert score.value == 0.0
    return score.reason


# Reasons ---------------------------------------------------------------------------------------


def test_a_fitting_answer_scores_one():
    """A valid document scores 1, white space around it included."""
    assert checked(TICKET, ' {"urgency": "low", "tags": ["a", "b"]}\n').value == 1.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"urgency": "hi"}', "$.urgency: 'hi' is not one of ['low', 'high'] (enum)"),
        ("{}", "$: 'urgency' is a required property (required)"),
        ('{"urgency": "low", "x": 1}', "$: property 'x' is not allowed (additionalProperties)"),
        ('{"urgency": "low", "tags": [1]}', "$.tags[0]: 1 is not of type 'string' (type)"),
        (
            '{"urgency": "low", "tags": ["a", "b", "a"]}',
            "$.tags: items 0 and 2 are equal (uniqueItems)",
        ),
    ],
)
def test_the_reason_names_place_and_rule(text, reason):
    """A reason is path, problem and rule."""
    assert refused(TICKET, text) == reason


def test_reasons_stay_short():
    """A long value or key does not flood the trace."""
    assert len(refused({"type": "integer"}, json.dumps("x" * 5000))) < 200
    assert len(refused({"additionalProperties": False}, json.dumps({"k" * 5000: 1}))) < 200
    assert len(refused({"items": {"type": "null"}}, json.dumps([{"a": list(range(99))}]))) < 200
    assert (
        len(refused({"additionalProperties": {"type": "null"}}, json.dumps({"k" * 999: 1}))) < 200
    )


def test_any_of_names_the_closest_branch():
    """Inside anyOf the reason is the branch's own, not a dump of all."""
    schema = {
        "anyOf": [{"type": "null"}, {"properties": {"a": {"type": "integer"}}, "type": "object"}]
    }
    assert refused(schema, '{"a": "x"}') == "$.a: 'x' is not of type 'integer' (type)"


def test_boolean_schemas_work():
    """`true` accepts all JSON, `false` none."""
    assert checked(True, "[]").value == 1.0
    assert refused(False, "[]").startswith("$: False schema")


def test_a_tool_call_or_refusal_is_no_json():
    """Without text there is nothing to validate, and that is a 0 with words."""
    call = draft_of("", tool_calls=(tool_call("f", {}),))
    assert "tool call" in JsonSchema(True)(call).reason
    assert "declined" in JsonSchema(True)(draft_of("", refusal="I can't.")).reason


# Strict reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "key 'a' stands twice"),
        ("[NaN]", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ("1e999", "out of range"),
        ("1" * 309, "309 digits"),
        ('"a\nb"', "control character"),
        ('"a\tb"', "control character"),
        ('{"a": 1} so', "not JSON"),
        ("```json\n{}\n```", "not JSON"),
        ("", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ("\u00a0{}", "not JSON"),
        ("[" * 10_000 + "]" * 10_000, "deeper than 100"),
        ("[" * 200 + '"' + '\\"' * 100_000, "deeper than 100"),
        ("[" * 101 + "]" * 101, "deeper than 100"),
        (" " * 1_000_001, "1,000,001 characters"),
    ],
)
def test_what_is_not_json_is_said_so(text, words):
    """Python's leniencies and the bounds are reported in words."""
    assert words in refused(True, text)


def test_brackets_inside_strings_are_no_nesting():
    """Only real containers count towards the depth."""
    assert checked(True, json.dumps(["[" * 500, '"{' * 500])).value == 1.0
    assert checked(True, "[" * 100 + "]" * 100).value == 1.0
    assert checked(True, "[" + "[]," * 500 + "[]]").value == 1.0


def test_raw_newlines_are_a_choice():
    """With raw_newlines, line breaks and tabs may stand in strings; other control characters not."""
    assert checked({"const": "a\n\tb"}, '"a\n\tb"', raw_newlines=True).value == 1.0
    assert "control character" in refused(True, '"a\x00b"', raw_newlines=True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(JSON, st.sampled_from([None, 1]))
def test_strict_reading_agrees_with_json_on_valid_documents(value, indent):
    """Whatever Python writes is read back the same."""
    text = json.dumps(value, indent=indent)
    assert read_json(text) == json.loads(text)


@given(st.text(st.sampled_from('{}[]",:\\ 1ean\n'), max_size=30))
def test_strict_reading_accepts_no_more_than_json(text):
    """Nothing is accepted that Python's reader refuses, and nothing but JsonTextError is raised."""
    try:
        value = read_json(text)
    except JsonTextError:
        return
    assert value == json.loads(text)


@given(JSON, JSON)
def test_unique_items_agrees_with_the_standard(one, two):
    """Our linear uniqueness says what jsonschema's says."""
    from jsonschema import Draft202012Validator

    text = json.dumps([one, two])
    expected = Draft202012Validator({"uniqueItems": True}).is_valid(json.loads(text))
    assert checked({"uniqueItems": True}, text).value == float(expected)


def test_paths_are_readable():
    """Plain keys get a dot, others brackets, and a path stays short."""
    assert len(json_path(["key", 0] * 99)) < 125
    assert json_path(["a", 0, "b c", "x" * 99]) == f"$.a[0]['b c']['{'x' * 37}...']"


# Schemas refused at birth ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": "object"}', "the schema is text"),
        ([], "the schema is list"),
        (None, "the schema is NoneType"),
        ({"type": "strin"}, r"\$\.type"),
        ({"properties": {"a": {"minimum": "1"}}}, r"\$\.properties\.a\.minimum: .*\(type\)"),
        ({"x": float("nan")}, "is no JSON"),
        ({"x": {1, 2}}, "is no JSON"),
        ({"$ref": "http://example.com/s.json"}, "'http://example.com/s.json' leads to the network"),
        ({"$dynamicRef": "https://example.com/s#a"}, "leads to the network"),
        ({"$id": "https://example.com/", "$ref": "other.json"}, "leads nowhere"),
        ({"items": {"$ref": "#/$defs/nope"}}, r"at \$\.items\['\$ref'\]: .*leads nowhere"),
        ({"$ref": "#"}, "refers to itself"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself"),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}},
            },
            "refers to itself",
        ),
        ({"pattern": "("}, "'\\(' is no regular expression"),
        ({"patternProperties": {"[": {}}}, "no regular expression"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "time limit"),
        ({"$schema": "https://example.com/mine"}, "not known here"),
        ({"$schema": 7}, "not known here"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "below the root"),
    ],
)
def test_a_schema_that_cannot_work_is_refused(schema, words):
    """Mistakes are named when the scorer is made, before any answer is paid for."""
    with pytest.raises(ConfigError, match=words):
        JsonSchema(schema)


def test_a_cyclic_or_bottomless_schema_is_refused():
    """Python objects that are no finite JSON are refused."""
    cyclic = {}
    cyclic["properties"] = {"a": cyclic}
    deep = {}
    for _ in range(300):
        deep = {"items": deep}
    deeper = deep
    for _ in range(5000):
        deeper = {"items": deeper}
    for schema in (cyclic, deep, deeper):
        with pytest.raises(ConfigError):
            JsonSchema(schema)


def test_flags_are_booleans():
    """A string from a configuration file is no flag."""
    with pytest.raises(ConfigError, match="formats is 'false'"):
        JsonSchema(True, formats="false")


def test_an_unchecked_format_is_refused_when_formats_count():
    """A format that nothing can check must not look checked."""
    with pytest.raises(ConfigError, match="format 'no-such'"):
        JsonSchema({"format": "no-such"}, formats=True)
    assert checked({"format": "no-such"}, '"x"').value == 1.0


def test_formats_are_asserted_on_request():
    """formats=True refuses what formats=False lets pass."""
    assert checked({"format": "ipv4"}, '"x"').value == 1.0
    assert refused({"format": "ipv4"}, '"x"', formats=True) == "$: 'x' is not a ipv4 (format)"
    assert checked({"format": "ipv4"}, '"10.0.0.1"', formats=True).value == 1.0
    assert checked({"format": "ipv4"}, "7", formats=True).value == 1.0
    assert "too long" in refused({"format": "regex"}, json.dumps("(" * 9999), formats=True)


def test_the_schema_is_copied():
    """Changing the dict later changes nothing."""
    schema = {"type": "integer"}
    scorer = JsonSchema(schema)
    schema["type"] = "string"
    assert scorer(draft_of("1")).value == 1.0
    assert scorer == JsonSchema({"type": "integer"})
    assert isinstance(hash(scorer), int)


def test_names_that_look_like_keywords_are_names():
    """Properties called $ref or pattern, and data that look like schemas, are left alone."""
    schema = {
        "properties": {
            "$ref": {"type": "string"},
            "pattern": {"type": "string"},
            "c": {"const": {"$ref": "http://example.com"}},
        },
    }
    assert (
        checked(schema, '{"$ref": "x", "pattern": "(", "c": {"$ref": "http://example.com"}}').value
        == 1.0
    )


# References ------------------------------------------------------------------------------------

TREE = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}


@pytest.mark.parametrize(
    "schema",
    [
        TREE,
        {"$schema": "http://json-schema.org/draft-07/schema#", **TREE},
        {"$id": "https://example.com/tree", **TREE},
        {
            "$schema": "https://json-schema.org/draft/2019-09/schema",
            "$recursiveAnchor": True,
            "type": "object",
            "properties": {"kids": {"items": {"$recursiveRef": "#"}}},
        },
        {
            "$dynamicAnchor": "n",
            "type": "object",
            "properties": {"kids": {"items": {"$dynamicRef": "#n"}}},
        },
    ],
)
def test_a_schema_may_refer_to_itself_for_deeper_values(schema):
    """Recursive references work in every draft, to any depth that is read."""
    scorer = JsonSchema(schema)
    assert scorer(draft_of('{"kids": [{"kids": []}]}')).value == 1.0
    assert scorer(draft_of('{"kids": [{"kids": [3]}]}')).reason.startswith("$.kids[0].kids[0]: 3")


def test_an_embedded_resource_is_found():
    """A relative reference to an embedded $id is local."""
    schema = {
        "$id": "https://example.com/s",
        "$defs": {"a": {"$id": "a", "type": "integer"}},
        "properties": {"x": {"$ref": "a"}},
    }
    assert checked(schema, '{"x": 1}').value == 1.0
    assert checked(schema, '{"x": "1"}').value == 0.0


def test_pattern_properties_and_additional_properties_work_together():
    """Keys that match a pattern are checked by it; the others are additional."""
    schema = {
        "properties": {"id": {}},
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": {"type": "string"},
    }
    assert checked(schema, '{"id": [], "x-a": 1, "other": "s"}').value == 1.0
    assert refused(schema, '{"x-a": "s"}').startswith("$['x-a']: 's' is not of type 'integer'")
    assert refused(schema, '{"other": 1}').startswith("$.other: 1 is not of type 'string'")
    assert checked(schema, "[]").value == 1.0
    assert checked({"uniqueItems": True, "pattern": "a"}, "{}").value == 1.0
    assert checked({"uniqueItems": False}, "[1, 1]").value == 1.0


def test_rules_of_our_own_agree_with_the_standard():
    """Rewritten rules say what jsonschema's say, for values they do not apply to as well."""
    from jsonschema import Draft202012Validator

    schemas = [
        {"additionalProperties": True},
        {"anyOf": [{"uniqueItems": True}, {"unevaluatedItems": False}]},
        {"unevaluatedProperties": False, "properties": {"a": {}}},
        {"patternProperties": {"a": False}},
        {"pattern": "^b"},
    ]
    for schema in schemas:
        for text in ("[1, 1]", "[]", "3", '{"a": 1}', '{"b": 1}', '"a"', '"b"', "null"):
            expected = Draft202012Validator(schema).is_valid(json.loads(text))
            assert checked(schema, text).value == float(expected), (schema, text)


# Hostile answers -------------------------------------------------------------------------------

NESTED = "[" * 60 + "]" * 60
REF = {"$ref": "#/$defs/t"}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "^(a|aa)+$"}, json.dumps("a" * 60 + "!")),
        ({"patternProperties": {"^(a|aa)+$": {}}}, json.dumps({"a" * 60 + "!": 1, "b": 2})),
        (
            {"additionalProperties": False, "patternProperties": {"^(a|aa)+$": {}}},
            json.dumps({"a" * 60 + "!": 1}),
        ),
        ({"items": {"not": {"pattern": "^(a|aa)+$"}}}, json.dumps(["a" * 24 + "!"] * 5000)),
        (
            {
                **REF,
                "$defs": {
                    "t": {"anyOf": [{"items": REF, "minItems": 1}, {"items": REF, "minItems": 1}]}
                },
            },
            NESTED,
        ),
        ({**REF, "$defs": {"t": {"oneOf": [{"items": REF}, {"prefixItems": [REF]}]}}}, NESTED),
        ({"items": {}}, json.dumps([1] * 300_000)),
        ({"uniqueItems": True}, json.dumps(list(range(120_000)))),
        ({"unevaluatedItems": False, "contains": {"type": "integer"}}, json.dumps([1] * 30_000)),
        (
            {"unevaluatedProperties": False, "additionalProperties": True},
            json.dumps(dict.fromkeys(map(str, range(30_000)))),
        ),
    ],
)
def test_hostile_answers_end_soon_and_do_not_pass(schema, text):
    """Runaway patterns, exponential branches and huge arrays stop at the bound, with a reason."""
    reason = refused(schema, text)  # without bounds: minutes to centuries
    assert "too long" in reason or "stopped after" in reason


def test_the_classic_catastrophe_is_harmless():
    """`^(a+)+$` on 40 a's and a mark is settled, not hung."""
    assert refused({"pattern": "^(a+)+$"}, json.dumps("a" * 40 + "!"))


def test_running_out_of_stack_is_an_outcome(monkeypatch):
    """A document too deep for its schema scores 0 instead of raising."""
    import scorers.strict_json

    monkeypatch.setattr(scorers.strict_json, "MAX_DEPTH", 400)
    assert "nested too deep" in refused({"items": {"$ref": "#"}}, "[" * 300 + "]" * 300)


def test_the_same_scorer_can_be_used_again_after_a_bound_was_hit():
    """Each draft has its own allowance."""
    scorer = JsonSchema({"items": {}})
    assert scorer(draft_of(json.dumps([1] * 300_000))).value == 0.0
    assert scorer(draft_of("[1]")).value == 1.0


def test_lone_surrogates_do_not_break_the_reason():
    """A reason can always be encoded."""
    assert refused({"type": "integer"}, '"\\ud800"').encode()
