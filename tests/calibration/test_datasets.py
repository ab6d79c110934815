"""Data sets become examples, and every row that is none is named."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cascade.calibration import Example, read_examples
from cascade.calibration.files import datasets as datasets_module
from cascade.calibration.files.datasets import request_digest
from cascade.core.request import Request
from cascade.errors import RequestError


@pytest.fixture
def file(tmp_path):
    """Writes lines, or a table, and reads them as examples."""

    def write(name, content, **options):
        path = tmp_path / name
        if name.endswith(".parquet"):
            pq.write_table(pa.table(content), path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_examples(path, **options)

    return write


class TestJsonLines:
    @pytest.mark.parametrize(
        ("line", "request_"),
        [
            ('"hello"', "hello"),
            ('{"prompt": "hello"}', "hello"),
            ('{"question": "hello", "difficulty": 3}', "hello"),
            ('{"query": "hello", "temperature": 0}', {"messages": [{"role": "user", "content": "hello"}], "temperature": 0}),
            ('{"messages": [{"role": "user", "content": "x"}]}', {"messages": [{"role": "user", "content": "x"}]}),
            ('{"input": "x", "instructions": "y"}', {"input": "x", "instructions": "y"}),
            ('{"payload": {"input": "x", "user": "u"}}', {"input": "x", "user": "u"}),
            ('{"prompt": "x", "system": "s"}', [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}]),
            ('{"custom_id": "a", "url": "/v1/responses", "body": {"input": "x"}}', {"input": "x"}),
        ],
    )  # fmt: skip
    def test_ways_to_ask(self, file, line, request_):
        """What `cascade run` understands is an example, with known parameters beside it."""
        assert file("a.jsonl", line)[0].request == request_

    def test_what_is_known(self, file):
        """Id, reference, group, weight, slice and split come along."""
        line = {"id": 7, "prompt": "x", "answer": {"a": 1}, "group": "u", "weight": 2}
        found = file("a.jsonl", json.dumps({**line, "slice": "s", "split": "test"}))[0]
        assert found == Example("7", "x", '{"a": 1}', "u", 2.0, "s", "test")

    def test_without_ids(self, file):
        """An id follows from what is asked; the same asked twice is one group."""
        one, two, three = file(
            "a.jsonl", '"x"\n\n{"prompt": "y"}\n{"messages": [{"role": "user", "content": "x"}]}\n'
        )
        assert one.id == one.group == request_digest("x")
        assert two.id != one.id
        assert (three.id, three.group) == (f"{one.id}-2", one.id)

    def test_bad_rows_are_named_by_line(self, file):
        """All bad rows are told at once, each with what was expected."""
        lines = ['{"id": "a", "prompt": "x"}', '{"id": "a", "prompt": "y"}', "no", "3", '{"x": 1}',
                 '{"prompt": 3}', '{"prompt": "x", "weight": -1}', '{"prompt": "x", "weight": "heavy"}',
                 '{"prompt": "x", "messages": []}', '{"prompt": ""}', '{"a": 1, "a": 2}']  # fmt: skip
        with pytest.raises(RequestError, match="10 rows are no examples") as caught:
            file("a.jsonl", "\n".join(lines))
        for words in (
            "line 2: id 'a' stands in line 1 already",
            "line 3: this is no JSON",
            "line 4: expected a JSON string or object, got int",
            "line 5: it asks nothing: expected one of 'body', 'payload', 'prompt'",
            "line 6: prompt is 3; expected text",
            ": weight is -1.0; expected a number > 0; line 8: weight is 'heavy'",
            "line 9: prompt and messages are both given",
            "line 10: the prompt is empty",
            "line 11: the key 'a' stands twice",
        ):
            assert words in str(caught.value)

    def test_many_bad_rows(self, file):
        """A file of nothing but bad rows makes a short message."""
        with pytest.raises(RequestError, match=r"line 10: [^;]*; and 20 more$"):
            file("a.jsonl", "3\n" * 30)
        with pytest.raises(RequestError, match="1 row is no example: line 1"):
            file("a.jsonl", "3\n")

    def test_standard_input(self, monkeypatch):
        """A dash reads JSON lines from standard input."""
        stream = io.TextIOWrapper(io.BytesIO(b'"hello"\n'))
        monkeypatch.setattr("sys.stdin", stream)
        assert read_examples("-")[0].request == "hello"


class TestCsv:
    def test_cells(self, file):
        """Cells may hold line ends and JSON; empty ones say nothing; lines are counted truly."""
        text = 'id,question,answer,weight,temperature,messages\n1,"a\nb",007,,0,\n\n2,,x,2,,"[{""role"": ""user"", ""content"": ""c""}]"\n'
        one, two = file("a.csv", "\ufeff" + text)
        assert one.request == {"messages": [{"role": "user", "content": "a\nb"}], "temperature": 0}
        assert (one.reference, one.weight) == ("007", 1.0)
        assert two.request == {"messages": [{"role": "user", "content": "c"}]}
        assert two.weight == 2.0

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("prompt,id\na,1\nb\n", "line 3: it has 1 cells; expected 2"),
            ('prompt\n"a\nb"\n"c', "line 4: this is no CSV from here on"),
            ("prompt,prompt\na,b\n", "two columns are called 'prompt'"),
            ("messages\n[nope\n", "line 2: messages is '\\[nope', which is no JSON"),
            ("prompt\n", "holds no example"),
            ("", "holds no example"),
        ],
    )
    def test_bad_rows(self, file, text, words):
        """Rows of another length, and what is no CSV, are named by line."""
        with pytest.raises(RequestError, match=words):
            file("a.csv", text)

    def test_no_utf8(self, file):
        """Text in another encoding is refused."""
        with pytest.raises(RequestError, match="is no UTF-8 text"):
            file("a.csv", b"prompt\n\xff\xfe\n")

    def test_columns_by_other_names(self, file):
        """A column may be named; a name that is nowhere, or no meaning, is refused."""
        text = "headline,label,prompt\ngold up,up,ignored\n"
        assert file("a.csv", text, columns={"prompt": "headline"})[0].request == "gold up"
        with pytest.raises(RequestError, match="there is no 'title', which is to be the prompt"):
            file("a.csv", text, columns={"prompt": "title"})
        with pytest.raises(RequestError, match="'promt' is none of 'prompt'"):
            file("a.csv", text, columns={"promt": "headline"})


class TestParquet:
    def test_structs_and_texts(self, file):
        """Messages may be lists of structs; keys that a message lacks do not appear."""
        found = file("a.parquet", {
            "messages": [[{"role": "user", "content": "x", "name": None}], [{"role": "user", "content": "y", "name": "n"}]],
            "gold": [1, 2],
            "tool_choice": ["auto", None],
        })  # fmt: skip
        assert found[0].request == {
            "messages": [{"role": "user", "content": "x"}],
            "tool_choice": "auto",
        }
        assert found[1].request["messages"][0]["name"] == "n"
        assert [one.reference for one in found] == ["1", "2"]

    def test_bad_rows(self, file, tmp_path):
        """Rows are counted; a damaged file is refused."""
        with pytest.raises(RequestError, match="row 2: it asks nothing"):
            file("a.parquet", {"prompt": ["x", None]})
        path = tmp_path / "b.parquet"
        path.write_bytes(b"PAR1nothing")
        with pytest.raises(RequestError, match="is no Parquet, or a damaged one"):
            read_examples(path)


@pytest.mark.parametrize(
    ("name", "words"), [("x.jsonl", "cannot be read"), ("x.txt", "ends in '.txt'")]
)
def test_files_that_are_none(tmp_path, name, words):
    """A missing file and one of another kind are refused by name."""
    with pytest.raises(RequestError, match=words):
        read_examples(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"id": ""}, "id is ''"),
        ({"request": ""}, "asks nothing"),
        ({"weight": True}, "expected a number > 0"),
        ({"weight": float("inf")}, "expected a finite one"),
    ],
)
def test_examples_are_checked(given, words):
    """An example cannot be made without an id, a request and a weight that counts."""
    with pytest.raises(RequestError, match=words):
        Example(**{"id": "a", "request": "x", **given})


def test_a_digest_is_of_what_is_asked():
    """Prompt, messages and payload that ask the same have one digest; it is a hashed trace's."""
    messages = [{"role": "user", "content": "é"}]
    assert request_digest("é") == request_digest(messages) == request_digest({"messages": messages})
    from cascade.traces.content import _digest

    whole = _digest(Request.build("é").payload, None)
    assert whole.startswith(request_digest("é"))
    assert len(request_digest("é")) == datasets_module.DIGITS


def test_columns_that_are_not_used_are_told_once(tmp_path):
    """A misspelt column is named; known names, parameters and given names are not."""
    path = tmp_path / "data.jsonl"
    rows = [
        {"headline": "a", "refrence": "x", "temperature": 0, "weight": None},
        {"headline": "b", "reference": "y", "refrence": "z", "note": 1},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    told = []
    read_examples(path, columns={"prompt": "headline"}, unused=told.append)
    assert told == [["refrence", "note"]]
    path.write_text('{"prompt": "a", "reference": "x"}\n"b"')
    read_examples(path, unused=told.append)
    assert len(told) == 1
