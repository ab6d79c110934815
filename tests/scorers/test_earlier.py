"""AgreesWithEarlier: matches over usable earlier drafts, whole or per field."""

import pytest
from scoring_help import draft_of, tool_call

from cascade import Abstained, ConfigError
from scorers import AgreesWithEarlier


def agreement(text, *earlier, **settings):
    drafts = [other if not isinstance(other, str) else draft_of(other) for other in earlier]
    return AgreesWithEarlier(**settings)(draft_of(text, earlier=drafts))


def test_the_score_is_the_share_of_earlier_drafts_that_agree():
    """Two of three equal answers score 2/3, however they are written."""
    score = agreement("The total is 1,000", "1000.0 euros", "so 999", "1e3", canonical="number")
    assert score.value == pytest.approx(2 / 3)
    assert score.reason == "2 of 3 earlier drafts agree (number)"


@pytest.mark.parametrize(
    ("text", "other", "value"),
    [
        ("(B)", "The answer is (b)", 1.0),
        ("(B)", "The answer is C.", 0.0),
        ("Paris.", "paris", 1.0),
        ("Paris", "Lyon", 0.0),
        ('{"a": 1}', '{ "a": 1.0 }', 1.0),
        ("42", "It is 42", 1.0),
    ],
)
def test_the_draft_chooses_the_form(text, other, value):
    """In "auto" both answers are read in the form that suits the draft."""
    assert agreement(text, other).value == value


def test_without_earlier_drafts_there_is_nothing_to_say():
    """On the first tier the scorer abstains."""
    assert isinstance(agreement("42"), Abstained)


def test_unusable_earlier_answers_do_not_count():
    """Empty, refused, cut and formless answers are left out; with none left it abstains."""
    unusable = [
        draft_of(""),
        draft_of("42", refusal="no"),
        draft_of("42", finish_reason="length"),
        draft_of("42", finish_reason="content_filter"),
        draft_of("no idea"),
    ]
    assert isinstance(agreement("42", *unusable), Abstained)
    assert agreement("42", *unusable, "41").value == 0.0
    assert agreement("42", *unusable, "42").value == 1.0


def test_an_answer_without_the_form_abstains():
    """No number in the draft means nothing can be compared."""
    assert "no number" in agreement("none", "42", canonical="number").reason


def test_records_agree_field_by_field():
    """With per_field the score is the mean over fields, and the weakest field is named."""
    score = agreement(
        '{"name": "Ann", "total": 10}',
        '{"name": "ann", "total": 10.0}',
        '{"name": "Bo", "total": 10}',
        per_field=True,
    )
    assert score.value == pytest.approx(0.75)
    assert score.reason == "2 fields; least agreed: 'name', by 1 of 2"


def test_a_missing_field_disagrees():
    """A field that only one record has counts as disagreement, whoever has it."""
    assert agreement('{"a": 1, "b": 2}', '{"a": 1}', per_field=True).value == 0.5
    assert agreement('{"a": 1}', '{"a": 1, "b": 2}', per_field=True).value == 0.5


def test_only_the_named_fields_count():
    """Fields may be nested; others are ignored; a field that nobody has agrees."""
    mine, other = (
        '{"c": {"id": 7}, "note": "x", "k.l": 1}',
        '{"c": {"id": 7.0}, "note": "y", "k.l": 1}',
    )
    assert agreement(mine, other, fields=["c.id"]).value == 1.0
    assert agreement(mine, other, fields=["c.id", "note"]).value == 0.0
    assert agreement(mine, other, fields=["c.id", "note"], per_field=True).value == 0.5
    assert agreement(mine, other, fields=["k.l", "c.id.x"]).value == 1.0
    unknown = agreement(mine, other, fields=["k.x", "c.id.x"])
    assert unknown == Abstained("no answer has any of the fields k.x, c.id.x")


def test_what_is_no_record_has_no_fields():
    """Field agreement needs JSON objects with fields on both sides."""
    assert isinstance(agreement("[1]", '{"a": 1}', per_field=True), Abstained)
    assert isinstance(agreement("text", '{"a": 1}', per_field=True), Abstained)
    assert isinstance(agreement('{"a": 1}', "text", per_field=True), Abstained)
    assert isinstance(agreement("{}", "{}", per_field=True), Abstained)


def test_tool_calls_agree_by_name_and_arguments():
    """Calls are compared decoded: layout and key order of the arguments do not matter."""

    def calling(name, arguments):
        return draft_of("", tool_calls=(tool_call(name, arguments),))

    def share(one, two):
        draft = draft_of("", tool_calls=one.reply.tool_calls, earlier=[two])
        return AgreesWithEarlier()(draft).value

    assert share(calling("f", '{"a":1, "b":2}'), calling("f", '{"b": 2, "a": 1.0}')) == 1.0
    assert share(calling("f", {"a": 1}), calling("f", {"a": 2})) == 0.0
    assert share(calling("f", {}), calling("g", {})) == 0.0
    assert share(calling("f", "{broken"), calling("f", "{broken")) == 1.0
    odd = draft_of("", tool_calls=({"type": "custom"},))
    assert share(odd, odd) == 1.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"canonical": "ast"}, "canonical 'ast'"),
        ({"canonical": "text", "per_field": True}, "fields belong to JSON"),
        ({"fields": "total"}, "no list of names"),
        ({"fields": []}, "no list of names"),
        ({"fields": [1]}, "no list of names"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        AgreesWithEarlier(**settings)
