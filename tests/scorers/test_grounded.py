"""Grounded: which values count, where they are looked up, what is forgiven and what is not."""

import json
import time

import pytest
from scoring_help import tool_call

from cascade import Abstained, ConfigError, Draft, Reply, Request, Score
from scorers import Grounded

ORDER = (
    "Hello, Ann Müller here. I bought two lamps on 12 March 2026 for $1,249.50 (order A-0042, "
    "invoice 0815). Please send them to 14 Elm Street, Springfield. I paid 15% less in 2025."
)


def judged(answer, asked=ORDER, *, reply=None, payload=None, **settings):
    if not isinstance(answer, str):
        answer = json.dumps(answer)
    request = Request.build(asked)
    return Grounded(**settings)(
        Draft(request, Reply(answer, **(reply or {})), payload=payload or request.payload)
    )


def test_the_score_is_the_share_of_values_that_occur():
    """Two of three values stand in the request; the third is named."""
    outcome = judged({"name": "Ann Müller", "street": "14 Elm Street", "city": "Boston"})
    assert outcome.value == pytest.approx(2 / 3)
    assert outcome.reason == "2 of 3 values occur in the request; not city 'Boston'"


@pytest.mark.parametrize(
    "value",
    [
        "ann  müller",  # case and white space
        "A\N{NON-BREAKING HYPHEN}0042",  # kinds of dashes
        1249.5,
        "1249.50",
        "$1,249.50",
        2,  # written out
        0.15,  # of 15%
        15,
        "0815",
        "12 March 2026",
        2026,
    ],
)
def test_another_form_of_the_same_value_is_found(value):
    """Case, white space, dashes and the ways to write a number do not count."""
    assert judged({"x": value}) == Score(1.0, "1 of 1 values occur in the request")


@pytest.mark.parametrize(
    "value",
    [
        "an",  # inside a word only
        "Elm Str",
        "2026-03-12",  # dates are literal
        1249,
        12495,
        42,  # part of a code
        "815",
        -2,
        3,
        "Ann Miller",
        "lampsx",
    ],
)
def test_another_value_is_not_found(value):
    """Parts of words and codes, other numbers and rewritten dates are not in the request."""
    assert judged({"x": value}).value == 0.0


@pytest.mark.parametrize(
    ("asked", "value", "expected"),
    [
        ("It costs 1.234,50 EUR", 1234.5, 1.0),
        ("It costs 12,5 EUR", 12.5, 1.0),
        ("It costs 12,5 EUR", 125, 0.0),
        ("1,000 pieces", 1000, 1.0),
        ("1.000 Stück", 1000, 1.0),
        ("1 000 pièces", 1000, 1.0),
        ("room 12 345", 345, 1.0),
        ("1'000'000 Franken", 1_000_000, 1.0),
        ("about .5 litres", 0.5, 1.0),
        ("\N{MINUS SIGN}5 degrees", -5, 1.0),
        ("5 degrees", 5.0, 1.0),
        ("pages 3-5", 5, 1.0),
        ("東京都港区に住んでいます", "港区", 1.0),  # no white space between words
        ("ราคาสินค้า", "สินค้า", 1.0),
        ("", 5, None),
    ],
)
def test_numbers_and_scripts_of_other_places(asked, value, expected):
    """Both kinds of decimal points are read; scripts without spaces have no whole words."""
    request = Request.build([{"role": "user", "content": asked}, {"role": "user", "content": " "}])
    outcome = Grounded()(Draft(request, Reply(json.dumps({"x": value}))))
    assert getattr(outcome, "value", None) == expected


def test_what_is_nobodys_word_is_left_out():
    """Booleans, null and empty texts cannot be looked up; with nothing else it abstains."""
    outcome = judged({"a": True, "b": None, "c": "", "d": [], "e": {}})
    assert outcome == Abstained("the answer holds nothing to look up")


def test_a_choice_from_a_list_is_no_copy():
    """Texts that the request's own schema lists are left out."""
    schema = {"properties": {"kind": {"enum": ["complaint", "order"]}, "who": {"const": "shop"}}}
    payload = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    answer = {"kind": "complaint", "who": "shop", "name": "Ann Müller"}
    assert judged(answer, payload=payload).reason.startswith("1 of 1 values")
    assert judged(answer).reason.startswith("1 of 3 values")


def test_fields_choose_and_leave_out():
    """Named fields count with what is in them; a named one that is missing is not grounded."""
    answer = {"id": "x1", "items": [{"name": "lamps", "note": "shiny"}, {"name": "sofa"}]}
    assert judged(answer, fields=["items.name"]).value == 0.5
    assert judged(answer, leave_out=["id", "items.note"]).value == 0.5
    assert judged(answer, fields=["items"], leave_out="items.note").value == 0.5
    outcome = judged({"name": "Ann"}, fields=["name", "address.city"])
    assert outcome == Score(0.5, "1 of 2 values occur in the request; not address.city 'missing'")
    assert judged([{"name": "Ann"}], fields=["name"]).value == 1.0


def test_distinct_values_need_places_of_their_own():
    """A value that was copied into two fields needs two places in the text."""
    answer = {"sender": "Ann", "receiver": "ann", "floor": 2, "pieces": 2}
    assert judged(answer).value == 1.0
    assert judged(answer, distinct=True).value == 0.5
    assert judged(answer, f"{ORDER} Ann lives on floor 2.", distinct=True).value == 1.0


def test_all_values_makes_it_a_gate():
    """One value that is nowhere rejects the whole."""
    answer = {"name": "Ann", "city": "Boston"}
    assert judged(answer, all_values=True).value == 0.0
    assert judged({"name": "Ann"}, all_values=True).value == 1.0


def test_prose_is_looked_up_by_its_numbers_and_quotations():
    """Without JSON, `auto` looks at numbers and quotations; names only on demand."""
    said = 'Ann paid $1,249.50 and wrote "send them to 14 Elm Street". He owes 77 to Bob Ray.'
    assert judged(said).reason == "3 of 4 values occur in the request; not number '77'"
    assert judged(said, look_for="quotes").value == 1.0
    outcome = judged(said, look_for=["names"])
    assert outcome.reason == "1 of 2 values occur in the request; not name 'Bob Ray'"
    assert judged("No idea.").reason == "the answer holds nothing to look up"
    assert judged("„two lamps” and «invoice 0815» and “Elm Street.”", look_for="quotes").value == 1


def test_values_are_demanded_where_they_are_asked_for():
    """`values` of prose is no JSON; a code fence is read."""
    assert isinstance(judged("Ann Müller", look_for="values"), Abstained)
    assert judged('```json\n{"name": "Ann"}\n```').value == 1.0
    assert isinstance(judged('{"name": "Ann'), Abstained)


def test_arguments_of_tool_calls_are_values():
    """A call's arguments are looked up; unreadable ones count as one text."""
    calls = (tool_call("ship", {"to": "Springfield", "from": "Boston"}),)
    assert judged("", reply={"tool_calls": calls}).value == 0.5
    assert judged("", reply={"tool_calls": (tool_call("ship", "{bad"),)}).value == 0.0
    custom = {"type": "custom", "custom": {"name": "note", "input": "two lamps"}}
    assert judged("", reply={"tool_calls": (custom,)}).value == 1.0
    assert isinstance(judged("", reply={"tool_calls": (tool_call("now", ""),)}), Abstained)


def test_the_roles_say_which_messages_are_the_text():
    """User and tool messages by default; the model's own words prove nothing."""
    messages = [
        {"role": "system", "content": "The shop is in Oslo."},
        {"role": "assistant", "content": "Bergen?"},
        {"role": "tool", "tool_call_id": "c", "content": "Stock: Turin"},
        {"role": "user", "content": [{"type": "text", "text": "And Rome?"}]},
    ]
    answer = {"a": "Oslo", "b": "Bergen", "c": "Turin", "d": "Rome"}
    assert judged(answer, messages).value == 0.5
    assert judged(answer, messages, roles=["system"]).value == 0.25
    assert judged({"a": "Oslo"}, messages, roles="user", also="Oslo, Norway").value == 1.0
    assert judged({"a": 1}, [{"role": "system", "content": "x"}]).reason == (
        "the request has no text of user, tool to look in"
    )


def test_a_responses_payload_is_read_too():
    """`input` as text or items, `instructions`, and outputs of tools."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Rome"}]},
        {"type": "function_call", "name": "f", "arguments": '{"x": "Bergen"}', "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "Turin"},
    ]
    answer = Reply(json.dumps({"a": "Rome", "b": "Turin", "c": "Bergen", "d": "Oslo"}))
    request = Request({"input": items, "instructions": "Oslo"})
    assert Grounded()(Draft(request, answer)).value == 0.5
    assert Grounded(roles=["system"])(Draft(request, answer)).value == 0.25
    assert Grounded()(Draft(Request({"input": "Rome"}), answer)).value == 0.25


def test_every_kind_of_message_and_item_is_read():
    """Old function results, plain parts, tools that a server ran; a screenshot cannot be read."""
    messages = [
        {"role": "function", "name": "f", "content": "Turin"},
        {"role": "user", "content": ["Rome", 5, {"type": "text", "text": "Oslo"}]},
        {"role": "developer", "content": "Lyon"},
        {"role": "user", "content": None},
        "junk",
    ]
    answer = Reply(json.dumps({"a": "Turin", "b": "Rome", "c": "Oslo", "d": "Lyon"}))
    assert Grounded()(Draft(Request({"messages": messages}), answer)).value == 0.75
    assert Grounded(roles="system")(Draft(Request({"messages": messages}), answer)).value == 0.25
    items = [
        {"type": "mcp_call", "name": "find", "arguments": "{}", "output": "Turin"},
        {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
    ]
    outcome = Grounded()(Draft(Request({"input": items}), answer))
    assert outcome.reason.endswith("cannot be read here: computer_screenshot")


def test_arguments_may_come_decoded():
    """Some servers send arguments as an object."""
    call = {"type": "function", "function": {"name": "f", "arguments": {"to": "Springfield"}}}
    assert judged("", reply={"tool_calls": (call,)}).value == 1.0


def test_what_may_stand_in_an_image_is_unknown():
    """A value that is not in the text is no mistake while an image was sent along."""
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Read the receipt of Ann."},
                {"type": "image_url", "image_url": {"url": "https://shop.test/1.png"}},
            ],
        }
    ]
    outcome = judged({"total": 12}, messages)
    assert outcome == Abstained("total '12' may stand in what cannot be read here: image_url")
    assert judged({"name": "Ann"}, messages).value == 1.0


def test_a_refusal_is_not_grounded():
    """Words of refusal are no values."""
    assert judged("", reply={"refusal": "I cannot"}).value == 0.0


def test_hostile_texts_take_bounded_time():
    """Many values, and texts made to nearly match everywhere, do not hold up a request."""
    begun = time.perf_counter()
    assert isinstance(judged({str(n): f"v{n}" for n in range(2_000)}), Abstained)
    values = {str(n): "a" * (n + 1) for n in range(500)}
    judged(values, "a" * 50_000)
    judged("Ab " * 20_000, look_for=["names", "numbers", "quotes"])
    judged("1 000" * 20_000, "1 000 " * 20_000)
    judged({"x": "e" + "\u0301" * 20_000}, "e" + "\u0301" * 20_000)
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"look_for": "truth"}, "look_for 'truth' is unknown"),
        ({"look_for": []}, "look_for"),
        ({"roles": ["users"]}, "roles 'users'"),
        ({"fields": [1]}, "fields"),
        ({"leave_out": 5}, "leave_out 5"),
        ({"also": ["a"]}, "also is list"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        Grounded(**settings)


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ([1, 5, 7], "sizes:[1,5,7]"),
        ([20, 30], '{"sizes":[20,30]}'),
        ([2026, 19.99, 3], "year,price,count\n2026,19.99,3\n"),
        ([-1, -5, 1.5], "-1,-5,1.5"),
        ([3, 5, 2026], "on 03.05.2026."),
        ([1_000_000], "[1,000,000]"),
        ([350_000, 100_000, 2_500.5], "for $350,000. Then 100,000, and 2,500.5."),
        ([3, 4, 5], "the points 3,4,5, in order; 1.2.3, too"),
        ([500, 7, 5], "Rs.500 for no.7, EUR5"),
        ([0.15], "15 percent"),
        ([123456789012345678901234567890123], "id 123456789012345678901234567890123"),
        (["15%"], "a rate of 0.15"),
    ],
)
def test_numbers_are_found_in_lists_dates_and_rows(values, asked):
    """Without spaces too, as programs write them; with all their digits."""
    assert judged(values, asked).value == 1.0


@pytest.mark.parametrize(
    ("value", "asked"),
    [(5, "A5 paper"), (234, "1,234 pieces"), (567, "1.234.567 pieces"), (3, "it costs 12,3 or so")],
)
def test_parts_of_numbers_and_codes_are_no_numbers(value, asked):
    """A group of thousands, a decimal and a size of paper say something else."""
    assert judged([value], asked).value == 0.0


def test_the_numbers_of_listed_items_claim_nothing():
    """The mark before an item is form: nothing that an answer says."""
    found = judged("1. Add 250 g flour\n2) Wait 9 minutes\n- 7 eggs", "250 g flour, 7 eggs")
    assert found.reason.startswith("2 of 3 values")


def test_numbers_to_choose_from_are_no_copies():
    """A grade from a list of grades is not looked for in the text."""
    schema = {"properties": {"grade": {"enum": [1, 2, 3]}, "name": {"type": "string"}}}
    payload = {
        "messages": [{"role": "user", "content": "Anna did well."}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    draft = Draft(Request(payload), Reply('{"grade": 2, "name": "Anna"}'), payload=payload)
    assert Grounded()(draft) == Score(1.0, "1 of 1 values occur in the request")


def test_fields_with_dots_in_their_keys_are_there():
    """A key "a.b" is found as well as a field b of a."""
    assert judged({"a.b": "x"}, "x", fields=["a.b"]).value == 1.0
    assert judged({"a": {"b": "x"}}, "x", fields=["a.b"]).value == 1.0


def test_a_text_that_takes_too_long_is_no_evidence():
    """What could not be looked up does not count as missing, and takes about a second at most."""
    begun = time.perf_counter()
    values = {str(n): "a" * (n + 5) + "!" for n in range(1_000)}
    assert isinstance(judged(values, "a" * 1_000_000), Abstained)
    judged("“" * 200_000 + "„ab " * 100_000, "x", look_for="quotes")
    assert time.perf_counter() - begun < 3


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"tools": [{"type": "web_search_preview"}]},
        {"tools": [{"type": "mcp", "server_label": "crm"}]},
        {"web_search_options": {}},
    ],
)
def test_what_a_server_keeps_or_finds_may_hold_the_value(more):
    """Earlier turns and findings that are not in the request make a missing value no evidence."""
    payload = {"input": "Where does Ann live?", **more}
    draft = Draft(Request(payload), Reply('{"name": "Ann", "city": "Boston"}'), payload=payload)
    [word] = more
    assert isinstance(found := Grounded()(draft), Abstained)
    assert found.reason.startswith("city 'Boston' may stand in what cannot be read here: ")
    assert word in found.reason or more[word][0]["type"] in found.reason
    known = Draft(Request(payload), Reply('{"name": "Ann"}'), payload=payload)
    assert Grounded()(known).value == 1.0


def test_words_before_a_call_are_not_looked_up():
    """A model may say what it will do; its call is what counts."""
    call = tool_call("find", {"street": "14 Elm Street", "city": "Boston"})
    found = judged("Let me look up all 7 of them.", reply={"tool_calls": (call,)})
    assert found.reason == "1 of 2 values occur in the request; not city 'Boston'"
