"""Tables of other people's runs become recordings, and what they lack is said."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cascade import Price
from cascade.calibration import gaps, import_long_form, import_wide
from cascade.calibration.money import UNKNOWN, usd_of
from cascade.errors import ConfigError, RecordingError

ROWS = [
    {"query_id": "a", "model": "big", "output": "four", "correct": 1, "prompt_tokens": 10, "completion_tokens": 2, "cost_usd": 0.003, "conf_logprob": float("-inf"), "latency_ms": 1500},
    {"query_id": "a", "model": "small", "output": "4", "correct": 1, "prompt_tokens": 10, "completion_tokens": 1, "cost_usd": 0.001, "conf_logprob": -0.5, "latency_ms": 200},
    {"query_id": "b", "model": "big", "output": "", "correct": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": None, "conf_logprob": None, "latency_ms": None},
    {"query_id": "b", "model": "small", "output": "no", "correct": 0, "prompt_tokens": 20, "completion_tokens": 2, "cost_usd": 0.002, "conf_logprob": -2.0, "latency_ms": 250},
]  # fmt: skip
QUERIES = [
    {"query_id": "b", "query": "why?", "gold": "because", "task": "x", "split": "test", "system": "be brief"},
    {"query_id": "a", "query": "2 + 2?", "gold": "4", "task": "y", "split": "train", "system": None},
]  # fmt: skip


def rows(**changed):
    """The rows with some columns changed; `None` leaves one out."""
    made = [dict(row) for row in ROWS]
    for name, values in changed.items():
        for row, value in zip(made, values or [None] * len(made), strict=True):
            if values is None:
                row.pop(name, None)
            else:
                row[name] = value
    return made


class TestLongForm:
    def test_everything_comes_along(self):
        """Answers, quality, cost, time, tokens and signals; tiers from cheap to dear."""
        found = import_long_form(rows(), QUERIES)
        assert (found.names, found.ids.tolist()) == (("small", "big"), ["a", "b"])
        assert found.texts.tolist() == [["4", "four"], ["no", ""]]
        assert found.quality.tolist() == [[1, 1], [0, 0]]
        assert found.cost_pusd.tolist() == [[10**9, 3 * 10**9], [2 * 10**9, UNKNOWN]]
        assert found.latency_s.tolist()[0] == [0.2, 1.5]
        assert found.answered.tolist() == [[True, True], [True, False]]
        assert found.usable.tolist() == [[True, True], [True, False]]
        assert found.tokens.input[0].tolist() == [10, 10]
        assert np.isnan(found.tokens.input[1, 1])  # a prompt of no token was never counted
        assert found.signals["conf_logprob"].tolist()[0] == [-0.5, -np.inf]
        assert np.isnan(found.signals["conf_logprob"][1, 1])
        assert (found.score_kind == 0).all()
        assert len(found.charges) == 4
        assert found.charges.cost_pusd.tolist() == [10**9, 3 * 10**9, 2 * 10**9, UNKNOWN]

    def test_requests_are_joined(self):
        """What was asked, the right answer, task and split come from the table of requests."""
        found = import_long_form(rows(), QUERIES)
        assert found.requests[0] == "2 + 2?"
        assert [m["role"] for m in found.requests[1]["messages"]] == ["system", "user"]
        assert found.references.tolist() == ["4", "because"]
        assert found.slices.tolist() == ["y", "x"]
        assert found.splits.tolist() == ["train", "test"]
        missing = import_long_form(rows(), QUERIES[:1])
        assert missing.requests[0] is None
        assert (missing.references[0], missing.slices[0]) == (None, "")

    def test_tiers_are_chosen_named_and_ordered(self):
        """Tiers stand in the order that is asked for, under the names that are given."""
        found = import_long_form(rows(), tiers={"flagship": "big"}, witnesses=["small"])
        assert [(t.name, t.model, t.role) for t in found.tiers] == [
            ("flagship", "big", "tier"),
            ("small", "small", "witness"),
        ]
        assert found.texts[0].tolist() == ["four", "4"]
        assert import_long_form(rows(), tiers=["big", "small"]).names == ("big", "small")
        assert import_long_form(rows(), witnesses=["big"]).witnesses == (1,)

    def test_prices_of_what_a_model_stands_for(self):
        """A price takes the place of the table's cost, exactly, and is kept with the tier."""
        found = import_long_form(rows(), prices={"small": {"in": 0.1, "out": "0.4"}})
        small = found.index("small")
        assert usd_of(found.cost_pusd[1, small]) == Decimal("0.0000028")
        assert found.tiers[small].price["standard"] == {"input": "0.1", "output": "0.4"}
        assert found.tiers[found.index("big")].price is None
        whole = import_long_form(
            rows(), prices={"small": Price.of("1", "1"), "big": Price.of("2", "2").to_dict()}
        )
        assert usd_of(whole.cost_pusd[0, whole.index("big")]) == Decimal("0.000024")
        assert whole.cost_pusd[1, whole.index("big")] == UNKNOWN  # tokens are missing
        assert "at the prices given" in whole.about.source

    @pytest.mark.parametrize(
        ("price", "words"),
        [(3, "price of 'small' is 3"), ({"in": "x", "out": 1}, "price of 'small': input 'x'"), ({"in": 1}, "output missing")],
    )  # fmt: skip
    def test_prices_that_are_none(self, price, words):
        """A price that is none is refused by name."""
        with pytest.raises(ConfigError, match=words):
            import_long_form(rows(), prices={"small": price})

    def test_prices_that_are_not_used(self):
        """A price of no model here, such as of a misspelt name, is named."""
        prices = {"small": {"in": 1, "out": 2}, "typo-model": {"in": 1, "out": 2}}
        assert (
            "prices of 'typo-model' are of no model here"
            in import_long_form(rows(), prices=prices).about.source
        )

    def test_costs_that_tokens_do_not_tell(self):
        """Where a price is given and the cost unknown, it is said how that comes."""
        prices = {name: {"in": 1, "out": 2} for name in ("small", "big")}
        found = import_long_form(rows(prompt_tokens=[0, 10, None, 10]), prices=prices)
        assert (found.cost_pusd == UNKNOWN).sum() == 2
        assert "at the prices given, 2 unknown (a token count is missing, a" in found.about.source

    def test_spaces_around_models(self):
        """Spaces around a model's name are no part of it."""
        found = import_long_form(rows(model=[" big ", "small", "big", "small\t"]))
        assert set(found.names) == {"big", "small"}
        assert found.answered.shape == (2, 2)

    def test_estimated_tokens(self):
        """Missing counts stay unknown, unless an estimate from the texts is asked for."""
        bare = rows(prompt_tokens=None, completion_tokens=None, cost_usd=None)
        prices = {"small": {"in": 1, "out": 1}, "big": {"in": 1, "out": 1}}
        assert (import_long_form(bare, QUERIES, prices=prices).cost_pusd == UNKNOWN).all()
        found = import_long_form(bare, QUERIES, prices=prices, tokens="estimate")
        assert found.tokens.input[0].tolist() == [2, 2]  # six characters
        assert found.tokens.output[0].tolist() == [1, 1]
        assert "estimated tokens" in found.about.source

    def test_without_any_cost(self):
        """Where costs are unknown tiers are ordered by quality, and the source says so."""
        found = import_long_form(rows(cost_usd=None, correct=[0, 1, 1, 1]))
        assert found.names == ("big", "small")
        assert "costs are unknown: give prices" in found.about.source

    def test_missing_rows_are_gaps(self):
        """A pair without a row was not recorded."""
        found = import_long_form(rows()[:3])
        assert gaps(found).tolist() == [[False, False], [True, False]]

    def test_what_is_left_out_is_said(self):
        """Columns that mean nothing here, or might give the answer away, are named."""
        more = {"error_type": ["x"] * 4, "correct_prob": [1] * 4, "problem": [3] * 4}
        found = import_long_form(rows(**more))
        assert found.about.source.endswith("not used: error_type, correct_prob, problem")
        assert set(found.signals) == {"conf_logprob"}
        chosen = import_long_form(rows(problem=[3] * 4), signals=["problem"])
        assert set(chosen.signals) == {"problem"}
        assert "conf_logprob" in chosen.about.source

    def test_columns_by_other_names(self):
        """Any column may be named; "" says that there is none."""
        odd = [{"q": r["query_id"], "llm": r["model"], "right": bool(r["correct"])} for r in ROWS]
        names = {"id": "q", "model": "llm", "quality": "right", "prompt": "what"}
        odd = [{**row, "what": ["why", row["q"]]} for row in odd]
        found = import_long_form(odd, columns=names)
        assert found.quality.tolist() == [[1, 1], [0, 0]]
        assert found.requests[0] == '["why", "a"]'
        spelt = rows(cost_usd=None, cost_usd_api=[1.0] * 4)
        assert import_long_form(spelt).cost_pusd.tolist() == [[10**12] * 2] * 2
        assert (
            "costs are unknown" in import_long_form(rows(), columns={"cost_usd": ""}).about.source
        )

    def test_turns_complete_an_id(self):
        """Where an id alone is not unique, the turn completes it, and the id is the group."""
        made = [{**row, "turn": turn} for row in ROWS for turn in (1, 2)]
        found = import_long_form(made, QUERIES)
        assert found.ids.tolist() == ["a/1", "a/2", "b/1", "b/2"]
        assert found.groups.tolist() == ["a", "a", "b", "b"]
        assert found.references.tolist() == ["4", "4", "because", "because"]
        named = import_long_form(
            [{**row, "k": row.pop("turn")} for row in made], columns={"part": "k"}
        )
        assert named.ids.tolist() == ["a/1", "a/2", "b/1", "b/2"]

    def test_tasks_that_number_their_requests_alike(self):
        """Ids that repeat over tasks are joined by task and id."""
        made = [{**row, "task": task} for row in ROWS for task in ("x", "y")]
        asked = [{"query_id": i, "task": t, "query": f"{t}{i}"} for i in "ab" for t in "xy"]
        found = import_long_form(made, asked)
        assert found.ids.tolist() == ["a/x", "a/y", "b/x", "b/y"]
        assert found.requests.tolist() == ["xa", "ya", "xb", "yb"]

    @pytest.mark.parametrize(
        ("grades", "scale", "quality"),
        [
            ([0.5, 1, 0, 0.25], None, [1, 0.5]),
            ([8, 10, 1, 9.5], None, [1, 0.8]),
            ([80, 100, 1, 9.5], None, [1, 0.8]),
            ([1, 5, 3, 2], (1, 5), [1, 0]),
        ],
    )
    def test_grades(self, grades, scale, quality):
        """Grades come onto [0, 1]; out of 10 or 100 where that is plain, else by a given scale."""
        found = import_long_form(rows(correct=None, score=grades), scale=scale)
        assert found.quality[0].tolist() == quality

    def test_only_some_rows(self):
        """Rows may be chosen by a column of either table."""
        found = import_long_form(
            rows(contaminated=[0, 0, 1, 1]), QUERIES, where={"contaminated": "0"}
        )
        assert found.ids.tolist() == ["a"]
        assert import_long_form(rows(), QUERIES, where={"task": "x"}).ids.tolist() == ["b"]
        for where in ({"task": "z"}, {"latency_ms": "x"}):
            with pytest.raises(RecordingError, match=r"where \(--where\): no row has"):
                import_long_form(rows(), QUERIES, where=where)
        with pytest.raises(RecordingError, match=r"where \(--where\): there is no column 'nope'"):
            import_long_form(rows(), where={"nope": 1})

    def test_tools_and_messages(self):
        """Tools come into the request in the form of the API; messages stay as they are."""
        tool = {"name": "f", "parameters": {}}
        asked = [
            {"query_id": "a", "question": "x", "functions_json": json.dumps([tool])},
            {"query_id": "b", "question": "x", "functions_json": None},
        ]
        found = import_long_form(rows(), asked).requests
        assert found[0]["tools"] == [{"type": "function", "function": tool}]
        assert found[1] == "x"
        alone = import_long_form(
            rows(), [{**asked[0], "functions_json": json.dumps(tool)}, asked[1]]
        )
        assert alone.requests[0] == found[0]  # one function needs no list
        talk = [{"role": "user", "content": "hi"}]
        asked = [{"query_id": "a", "messages": talk}, {"query_id": "b", "messages": "no JSON"}]
        found = import_long_form(
            rows(), [{**asked[0], "messages": json.dumps(talk)}, asked[1]]
        ).requests
        assert found.tolist() == [{"messages": talk}, "no JSON"]

    def test_weights_and_groups(self):
        """Weights and groups of requests are taken where there are any."""
        asked = [
            {"query_id": "a", "weight": 2.0, "user_id": "u"},
            {"query_id": "b", "weight": None, "user_id": None},
        ]
        found = import_long_form(rows(), asked)
        assert (found.weights.tolist(), found.groups.tolist()) == ([2, 1], ["u", "b"])

    @pytest.mark.parametrize(
        ("made", "options", "words"),
        [
            (rows(correct=None), {}, "no column is the quality; expected one of correct, is_correct"),
            (rows(model=None), {}, "no column is the model"),
            (rows(correct=[1, 0, 2, 4]), {}, "'correct' goes up to 4; say on which scale it is: on the command line --scale WORST,BEST"),
            (rows(correct=[1, 0, -1, 0]), {}, "'correct' in row 3 is -1.0; expected a grade from 0 to 1"),
            (rows(correct=[1, 0, 500, 0]), {}, "goes up to 500"),
            (rows(correct=["1", "yes", "0", "1"]), {}, "'correct' in row 2 is 'yes'; expected a number"),
            (rows(correct=[[1], [1], [0], [1]]), {}, "column 'correct' is of type list"),
            (rows(cost_usd=[1, -1, 1, 1]), {}, "'cost_usd' in row 2 is -1.0; expected dollars"),
            (rows(query_id=["a", "a", "", "b"]), {}, "'query_id' in row 3 is empty; expected the id of the request that was answered; fill it in, or leave such rows out$"),
            (rows(prompt_tokens=[1, 1, -5, 1]), {}, "'prompt_tokens' in row 3 is -5; expected a count of tokens"),
            (rows() + rows()[:1], {}, "request 'a', tier 'big' has 2 rows, again in row 5.*--column part=NAME, in Python columns={'part'"),
            (rows(), {"tiers": ["smal"]}, "no model 'smal'; did you mean 'small'"),
            (rows(), {"tiers": ["small", "small"], "witnesses": ["small"]}, "each once"),
            (rows(), {"tiers": []}, "expected one or more models"),
            (rows(), {"columns": {"price": "x"}}, "'price' means nothing here"),
            (rows(), {"columns": {"text": "x"}}, "there is no column 'x' for 'text'; there are 'completion"),
            (rows(), {"signals": ["x"]}, "there is no column 'x' to signal"),
            (3, {}, "responses: int is no table"),
            (rows(), {"queries": [{"query_id": "a"}, {"query_id": "a"}]}, "id 'a' stands in row 1 and again in row 2"),
            (rows(), {"queries": [{"q": "a"}]}, "queries: no column is the id; expected 'query_id'"),
        ],
    )  # fmt: skip
    def test_what_cannot_be(self, made, options, words):
        """What cannot be read is refused by table, column and row, with the way out."""
        with pytest.raises(RecordingError, match=words):
            import_long_form(made, **options)

    def test_rows_are_those_of_the_source(self):
        """A message names the row of the table that was given, not of the part that was wanted."""
        made = [{**row, "kept": 1} for row in rows(correct=[1, 0, -1, 0])]
        made = [{**row, "kept": 0} for row in rows()] + made
        with pytest.raises(RecordingError, match=r"'correct' in row 7 is -1\.0"):
            import_long_form(made, where={"kept": 1})
        with pytest.raises(RecordingError, match="again in row 9"):
            import_long_form([*made[:4], *rows(), *made[:1]], tiers=["big"], where={"kept": 0})

    def test_a_row_without_anything_is_a_gap(self):
        """A pair whose row holds nothing was not asked; one that cost something failed."""
        table = rows(output=["4", "four", "no", None], correct=[1, 1, 0, None])
        nothing = {"cost_usd": None, "prompt_tokens": None, "completion_tokens": None}
        found = import_long_form([*table[:3], {**table[3], **nothing, "latency_ms": None}])
        assert gaps(found).tolist() == [[False, False], [True, False]]
        failed = import_long_form([*table[:3], {**table[3], **nothing, "cost_usd": 0.001}])
        assert (gaps(failed).any(), failed.quality.tolist()) == (False, [[1, 1], [0, 0]])

    def test_requests_without_any_answer_are_counted(self):
        """A request whose every row holds nothing is left out, and the recording says so."""
        blank = dict.fromkeys(ROWS[0])
        lost = [{**blank, "query_id": i, "model": m} for i in "cd" for m in ("small", "big")]
        found = import_long_form([*rows(), *lost])
        assert found.ids.tolist() == ["a", "b"]
        assert "; 2 requests left out: no model answered" in found.about.source
        one = import_long_form([*rows(), *lost[:2], {**blank, "model": "small"}])
        assert "; 1 request left out: no model answered" in one.about.source
        beside = import_long_form([*rows()[:3], {**lost[0], "query_id": "b"}])
        assert "left out" not in beside.about.source
        with pytest.raises(RecordingError, match="it holds no row"):
            import_long_form(lost)

    def test_quality_alone(self):
        """Where a table has nothing else of answers, a missing grade is an unknown one."""
        table = [{"id": i, "model": m, "correct": c} for i, m, c in [(1, "a", 1), (1, "b", None)]]
        found = import_long_form(table, tiers=["a", "b"])
        assert (gaps(found).any(), np.isnan(found.quality).tolist()) == (False, [[False, True]])


class TestFiles:
    def test_every_kind_of_file_is_the_same_recording(self, tmp_path):
        """Parquet, CSV and JSON lines of one table give one recording, -inf included."""
        table = pa.Table.from_pylist(rows())
        pq.write_table(table, tmp_path / "responses.parquet")
        (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(row) for row in rows()))
        names = list(ROWS[0])
        cells = [["" if row[n] is None else str(row[n]) for n in names] for row in ROWS]
        (tmp_path / "r.csv").write_text("\n".join(",".join(line) for line in [names, *cells]))
        found = [import_long_form(tmp_path / n) for n in ("responses.parquet", "r.csv", "r.jsonl")]
        found += [import_long_form(table), import_long_form(tmp_path)]
        words = [{**row, "correct": str(bool(row["correct"])).lower()} for row in ROWS]
        found.append(import_long_form(words))
        for one in found[1:]:
            for name in ("quality", "cost_pusd", "answered", "latency_s"):
                np.testing.assert_array_equal(getattr(one, name), getattr(found[0], name))
            np.testing.assert_array_equal(
                one.signals["conf_logprob"], found[0].signals["conf_logprob"]
            )
        assert f"{tmp_path.name}/responses.parquet" in found[0].about.source
        assert str(tmp_path) not in found[0].about.source

    def test_lines_of_texts(self, tmp_path):
        """In a CSV and JSON lines a row is named by the line that it begins in."""
        (tmp_path / "r.csv").write_text('id,model,answer,correct\n1,a,"4\n\n",1\n2,a,5,no\n')
        with pytest.raises(RecordingError, match="'correct' in line 5 is 'no'"):
            import_long_form(tmp_path / "r.csv")
        (tmp_path / "r.jsonl").write_text('\n\n{"id": 1, "model": "a", "correct": -1}\n')
        with pytest.raises(RecordingError, match=r"'correct' in line 3 is -1\.0"):
            import_long_form(tmp_path / "r.jsonl")

    def test_long_cells(self, tmp_path):
        """A cell of a CSV may be longer than the parser's own limit of 131,072 characters."""
        (tmp_path / "r.csv").write_text(f"id,model,answer,correct\n1,a,{'x' * 200_000},1\n")
        assert len(import_long_form(tmp_path / "r.csv").texts[0, 0]) == 200_000

    @pytest.mark.parametrize("separator", [";", "\t"])
    def test_separators_of_spreadsheets(self, tmp_path, separator):
        """Semicolons and tabs part cells where they part the first line; commas in cells stay."""
        table = ["query_id,model,answer,correct", '1,small,"a, b; c\td",1', "1,big,4,0"]
        (tmp_path / "r.csv").write_text("\n".join(table))
        swapped = [line.replace(",", separator).replace(f"a{separator}", "a,") for line in table]
        (tmp_path / "s.csv").write_text("\n".join(swapped))
        found, same = (import_long_form(tmp_path / name) for name in ("s.csv", "r.csv"))
        assert found.texts.tolist() == same.texts.tolist()
        assert found.texts[0, found.index("small")] == "a, b; c\td"

    def test_a_decimal_comma(self, tmp_path):
        """A comma in a number is not guessed at: what was expected is said."""
        (tmp_path / "r.csv").write_text("query_id;model;correct\n1;small;0,5\n")
        with pytest.raises(RecordingError, match=r"'0,5'; expected a number, with a point for its"):
            import_long_form(tmp_path / "r.csv")

    def test_values_of_several_types(self, tmp_path):
        """A column of JSON lines that mixes types is one of texts."""
        lines = [json.dumps({**row, "query_id": i or "x"}) for i, row in enumerate(ROWS)]
        (tmp_path / "r.jsonl").write_text("\n".join(lines))
        assert import_long_form(tmp_path / "r.jsonl").ids.tolist() == ["x", "1", "2", "3"]

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("r.txt", "", "ends in '.txt'; expected one of .parquet, .csv"),
            ("r.parquet", "PAR1", "cannot be read"),
            ("r.jsonl", "{}\nno\n", "line 2: this is no JSON"),
            ("r.jsonl", "3\n", "line 1: expected an object, got 3"),
            ("r.jsonl", "", "holds no row"),
            ("r.csv", "a,a\n", "two columns are called 'a'"),
        ],
    )
    def test_files_that_are_none(self, tmp_path, name, content, words):
        """A file that is no table is refused by name and line."""
        (tmp_path / name).write_text(content)
        with pytest.raises(RecordingError, match=words):
            import_long_form(tmp_path / name)

    def test_a_folder_without_answers(self, tmp_path):
        """A folder must hold the answers; a missing file is named."""
        with pytest.raises(RecordingError, match=r"holds no responses.parquet"):
            import_long_form(tmp_path)
        with pytest.raises(RecordingError, match="cannot be read"):
            import_long_form(tmp_path / "none.csv")


class TestWideForm:
    TABLE = [
        {"id": 1, "question": "?", "answer": "4", "a_1_correct": 1, "b.correct": 0, "a_1_answer": "4", "b.answer": "5", "used": 0},
        {"id": 2, "question": "!", "answer": "6", "a_1_correct": 0, "b.correct": 1, "a_1_answer": "5", "b.answer": "6", "used": 1},
    ]  # fmt: skip

    def test_models_are_found(self):
        """Each model has its columns; the others belong to the request."""
        found = import_wide(self.TABLE, tiers=["a_1", "b"])
        assert found.quality.tolist() == [[1, 0], [0, 1]]
        assert found.texts.tolist() == [["4", "5"], ["5", "6"]]
        assert found.references.tolist() == ["4", "6"]
        assert found.requests.tolist() == ["?", "!"]
        assert found.ids.tolist() == ["1", "2"]

    def test_models_are_named(self):
        """Beginnings of columns may be given; a model without some column has none of it."""
        table = [{k: v for k, v in row.items() if k != "b.answer"} for row in self.TABLE]
        found = import_wide(table, models={"a_1": "small", "b": "big"}, where={"used": 1})
        assert set(found.names) == {"small", "big"}
        assert found.texts[0, found.index("big")] is None
        assert found.quality[0, found.index("big")] == 1

    def test_a_model_by_its_name(self):
        """As RouterBench writes it: quality under the model's name, the rest after a bar."""
        table = [
            {"sample_id": "m.1", "prompt": "?", "eval_name": "mmlu", "a/b-1": 1.0, "c-2": 0.5,
             "a/b-1|model_response": "x", "c-2|model_response": "y", "a/b-1|total_cost": 1e-6,
             "c-2|total_cost": 2e-6, "oracle_model_to_route_to": "a/b-1"},
            {"sample_id": "m.2", "prompt": "!", "eval_name": "gsm", "a/b-1": 0.0, "c-2": None,
             "a/b-1|model_response": "z", "c-2|model_response": None, "a/b-1|total_cost": 1e-6,
             "c-2|total_cost": None, "oracle_model_to_route_to": "no model correct"},
        ]  # fmt: skip
        found = import_wide(table)
        assert (found.names, found.ids.tolist()) == (("a/b-1", "c-2"), ["m.1", "m.2"])
        assert (found.quality[:, 0].tolist(), found.quality[0, 1]) == ([1, 0], 0.5)
        assert found.texts.tolist() == [["x", "y"], ["z", None]]
        assert found.cost_pusd.tolist() == [[10**6, 2 * 10**6], [10**6, UNKNOWN]]
        assert gaps(found).tolist() == [[False, False], [False, True]]
        assert found.slices.tolist() == ["mmlu", "gsm"]

    def test_rows_of_requests(self):
        """A message names the row of the table with a row per request."""
        table = [{**self.TABLE[0], "b.correct": 7}, self.TABLE[1]]
        with pytest.raises(RecordingError, match="in row 1 is 7"):
            import_wide(table, scale=(0, 1))

    def test_no_model(self):
        """A table without a column of quality is refused with what was expected."""
        with pytest.raises(RecordingError, match="no column is a model's quality; expected"):
            import_wide(rows(correct=None))
