"""A recording's file gives back what was written, and whatever is wrong with one is named."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from cascade.calibration import (
    Charges,
    RecordedTier,
    gaps,
    read_recording,
    write_recording,
)
from cascade.calibration.files import parquet_rows
from cascade.calibration.money import UNKNOWN
from cascade.errors import RecordingError
from tests.calibration.builders import recording
from tests.calibration.recordings import any_recordings, assert_same, objects

ROWS = {
    "request_id": ["a", "a", "b", "b"],
    "tier": ["nano", "top", "nano", "top"],
    "quality": [1.0, 1.0, 0.0, 1.0],
    "cost_usd": [0.000001, 0.00002, 1.33e-05, None],
}


CHARGES = Charges(
    *(np.array([0]), np.array([1]), objects(["draft"]), objects(["m"]), objects([""])),
    *(np.array([False]), np.array([False]), np.zeros((1, 5)), np.array([10**18])),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recording.parquet"


@pytest.fixture
def foreign(path):
    """Writes a file as another tool would, and reads it as a recording."""

    def write(**columns):
        made = {name: values for name, values in {**ROWS, **columns}.items() if values is not None}
        pq.write_table(pa.table(made), path)
        return read_recording(path)

    return write


@settings(max_examples=60)
@given(any_recordings())
def test_what_is_written_comes_back(tmp_path_factory, made):
    """Every recording survives the way through a file exactly, gaps, NaN and -inf included."""
    path = tmp_path_factory.mktemp("any") / "x.parquet"
    write_recording(made, path)
    assert_same(read_recording(path), made)


def test_many_row_groups(path, monkeypatch):
    """A file written and read in several pieces is the same recording."""
    monkeypatch.setattr(parquet_rows, "ROWS_AT_ONCE", 4)
    made = recording([[1, 0], [0.5, np.nan], [0, 1]], [[1, 2], [3, UNKNOWN], [5, 6]])
    made = replace(made, texts=objects([("x", None), ("y", "z"), (None, "w")]))
    write_recording(made, path)
    assert pq.ParquetFile(path).num_row_groups == 2
    assert_same(read_recording(path), made)


def test_other_tools_read_plain_columns(path):
    """The columns have plain names and types, and the rest is JSON in one key of the metadata."""
    write_recording(
        recording([[1, np.nan]], [[7, UNKNOWN]], signals={"x": np.array([[-1.5, 2]])}), path
    )
    table = pq.read_table(path)
    row = table.to_pylist()[0]
    assert str(table.schema.field("cost_usd").type) == "decimal128(18, 12)"
    assert (row["request_id"], row["tier"], str(row["cost_usd"])) == ("q0", "t0", "7E-12")
    assert (row["signal.x"], row["charges"], row["score_kind"]) == (-1.5, [], "none")
    assert (table.column("quality").null_count, table.column("cost_usd").null_count) == (1, 1)
    header = json.loads(table.schema.metadata[b"cascade.recording"])
    assert (header["format"], header["version"]) == ("cascade.recording", 1)
    assert [tier["name"] for tier in header["tiers"]] == ["t0", "t1"]


class TestForeignFiles:
    def test_essential_columns_are_enough(self, foreign):
        """Request, tier, quality and cost make a recording; the rest says that nothing is known."""
        found = foreign()
        assert (found.ids.tolist(), found.names) == (["a", "b"], ("nano", "top"))
        assert found.cost_pusd.tolist() == [[10**6, 2 * 10**7], [13_300_000, UNKNOWN]]
        assert found.quality.tolist() == [[1, 1], [0, 1]]
        assert found.answered.all()
        assert found.usable.all()
        assert found.groups.tolist() == ["a", "b"]
        assert found.score_kind.tolist() == [[0, 0], [0, 0]]
        assert found.about.source.startswith("file ")
        assert len(found.charges) == 0

    def test_rows_in_any_order_with_gaps(self, foreign):
        """A pair without a row was not recorded, which is something else than a failure."""
        found = foreign(
            request_id=["b", "a", "c"],
            tier=["top", "nano", "top"],
            quality=[1, 0, 1],
            cost_usd=[2, 1, 2],
        )
        assert (found.ids.tolist(), found.names) == (["b", "a", "c"], ("top", "nano"))
        assert gaps(found).tolist() == [[False, True], [True, False], [False, True]]
        assert found.cost_pusd.tolist() == [[2 * 10**12, -1], [-1, 10**12], [2 * 10**12, -1]]

    def test_types_that_others_use(self, foreign):
        """Whole numbers, booleans, categories and single precision are read as what they mean."""
        found = foreign(
            request_id=[7, 7, 8, 8],
            tier=pa.array(ROWS["tier"]).dictionary_encode(),
            quality=[True, None, False, True],
            cost_usd=pa.array([1.33e-05, 0.1, float("nan"), 0], pa.float32()),
            answered=[1, 1, 0, 1],
            weight=[2, 2, None, None],
            request=["hi", "hi", '{"messages": []}', '{"messages": []}'],
            score=[0.5, None, None, 1],
        )
        assert found.ids.tolist() == ["7", "8"]
        np.testing.assert_array_equal(found.quality, [[1, np.nan], [0, 1]])
        assert found.cost_pusd.tolist() == [[13_300_000, 10**11], [UNKNOWN, 0]]
        assert found.answered.tolist() == [[True, True], [False, True]]
        assert found.weights.tolist() == [2, 1]
        assert found.requests.tolist() == ["hi", {"messages": []}]
        assert found.score_kind.tolist() == [[1, 0], [0, 1]]

    def test_decimals_are_numbers(self, foreign):
        """Shares written as decimals are read as numbers."""
        shares = pa.array(["0.5", "1", "0", "0.25"]).cast(pa.decimal128(5, 2))
        assert foreign(quality=shares).quality.tolist() == [[0.5, 1], [0, 0.25]]

    @pytest.mark.parametrize("text", ["{not JSON", '{"a": 1}', "[1"])
    def test_prompts_that_look_like_data(self, foreign, text):
        """What is no payload is a prompt."""
        assert foreign(request=[text] * 4).requests[0] == text

    def test_roles_models_and_charges(self, foreign):
        """What the rows say of tiers and charges is taken; absent fields say "unknown"."""
        found = foreign(
            role=["tier", "tier", None, "tier"],
            model=["m1", "m2", "m1", "m2"],
            charges=[[{"cost_usd": 0.5}, {"cost_usd": None}], [], None, [{"cost_usd": 1.0}]],
        )
        assert [(tier.model, tier.role) for tier in found.tiers] == [("m1", "tier"), ("m2", "tier")]
        assert found.charges.request.tolist() == [0, 0, 1]
        assert found.charges.tier.tolist() == [0, 0, 1]
        assert found.charges.cost_pusd.tolist() == [5 * 10**11, UNKNOWN, 10**12]
        assert found.charges.purpose.tolist() == ["draft"] * 3
        assert np.isnan(found.charges.tokens).all()

    def test_a_tier_added_to_our_own_file(self, path):
        """Rows of a further tier, appended by another tool, come after the tiers of the header."""
        write_recording(recording([[1, 0]], 5, names=["nano", "top"]), path)
        table = pq.read_table(path)
        at = table.schema.get_field_index("tier")
        more = table.slice(1).set_column(at, "tier", pa.array(["extra"]))
        pq.write_table(pa.concat_tables([more, table]), path)
        assert read_recording(path).names == ("nano", "top", "extra")

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"quality": None}, "has no column 'quality'; it has 'request_id'"),
            ({"request_id": ["a", "a", "a", "b"], "tier": ["x", "y", "x", "y"]}, "request 'a', tier 'x' has 2 rows, again in row 3"),
            ({"quality": [1, 1.5, 0, 1]}, "quality of request 'a', tier 'top' is .*1.5"),
            ({"quality": ["1", "0", "1", "1"]}, "quality is of type string; expected numbers"),
            ({"cost_usd": [1, 2, -3, 4]}, "cost_usd of request 'b', tier 'nano' is -3.0; expected dollars"),
            ({"cost_usd": [1, 2, 3e9, 4]}, "tier 'nano' is 3000000000.0; expected dollars"),
            ({"cost_usd": pa.array(["1", "2", "-3", "4"]).cast(pa.decimal128(5, 2))}, "tier 'nano' is -3.0"),
            ({"cost_usd": pa.array(["0.0000000000001"] * 4).cast(pa.decimal128(20, 13))}, "finer than a picodollar"),
            ({"score": [0.1, float("-inf"), 0.2, 0.3]}, "score of request 'a', tier 'top' is .*-inf"),
            ({"score": [0.1, None, 0.2, 0.3], "score_kind": ["score"] * 4}, "'top' is 'score'; but there is no score"),
            ({"score": [0.1] * 4, "score_kind": ["abstained"] * 4}, "is 'abstained'; but there is a score"),
            ({"score_kind": ["maybe"] * 4}, "is 'maybe'; expected one of none, score"),
            ({"weight": [1, 1, 0, 0]}, "weights of request 'b' is .*0.0.*above 0"),
            ({"group": ["u", "v", "w", "w"]}, "group of request 'a', tier 'top' is 'v', and 'u' in an earlier row"),
            ({"weight": [1, 2, 1, 1]}, "weight of request 'a', tier 'top' is .*2.0"),
            ({"request_id": ["a", None, "b", "b"]}, "row 2 has no request_id"),
            ({"tier": ["", "x", "", "x"]}, "row 1 has no tier"),
            ({"tier": [1.5, 2, 1.5, 2]}, "tier is of type double; expected text"),
            ({"role": ["boss", "tier", "boss", "tier"]}, "role of tier 'nano' is 'boss'"),
            ({"answered": [1, 2, 1, 1]}, "answered of request 'a', tier 'top' is 2.0; expected true or false"),
            ({"request": [1, 1, 2, 2]}, "request is of type int64; expected text"),
            ({"charges": [1, 2, 3, 4]}, "column is of type int64; expected a list of structs"),
            ({"charges": [[{"cost_usd": -1.0}]] * 4}, "charges: an entry is -1.0"),
            ({name: values[:0] for name, values in ROWS.items()}, "holds no row"),
        ],
    )  # fmt: skip
    def test_what_cannot_be(self, foreign, path, columns, words):
        """A value that cannot be is refused by file, column, request and tier."""
        with pytest.raises(RecordingError, match=words) as caught:
            foreign(**columns)
        assert str(caught.value).startswith(repr(str(path)))


class TestBrokenFiles:
    def test_cut_off(self, path):
        """A file whose end is missing is told from one that is no Parquet."""
        write_recording(recording([[1, 0]], 5), path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(RecordingError, match="cut off after"):
            read_recording(path)

    @pytest.mark.parametrize("content", [b"", b"PK", b"request_id,tier\n1,2\n"])
    def test_no_parquet(self, path, content):
        """Other files are refused with the way to import them."""
        path.write_bytes(content)
        with pytest.raises(RecordingError, match="is no Parquet; import"):
            read_recording(path)

    @pytest.mark.parametrize("part", ["pages", "footer"])
    def test_damaged(self, path, part):
        """A changed byte is noticed, in the pages as in the footer."""
        write_recording(recording([[1, 0]] * 50, 5), path)
        data = bytearray(path.read_bytes())
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        place = 40 if part == "pages" else footer
        for i in range(8):
            data[place + i] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(RecordingError, match="damaged"):
            read_recording(path)

    def test_missing_or_a_folder(self, path):
        """What is not there, or no file, is named."""
        for wrong in (path, path.parent):
            with pytest.raises(RecordingError, match=f"{str(wrong)!r}: it cannot be read"):
                read_recording(wrong)

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            ('{"format": "cascade.recording", "version": 2}', "has version 2, .* reads up to 1; upgrade"),
            ('{"format": "x", "version": 1}', "damaged: format 'x'"),
            ('{"format": "cascade.recording", "version": "1"}', "damaged: format"),
            ("{", "damaged"),
            ('{"format": "cascade.recording", "version": 1, "tiers": [{}], "about": {}}', "damaged"),
            ('{"format": "cascade.recording", "version": 1, "tiers": []}', "damaged"),
        ],
    )  # fmt: skip
    def test_headers(self, path, header, words):
        """A newer version is refused by number, a damaged header by name."""
        table = pa.table(ROWS).replace_schema_metadata({"cascade.recording": header})
        pq.write_table(table, path)
        with pytest.raises(RecordingError, match=words):
            read_recording(path)

    def test_a_request_that_is_no_json(self, path):
        """In a file of ours every request is JSON."""
        write_recording(recording([[1, 0]], 5), path)
        table = pq.read_table(path)
        at = table.schema.get_field_index("request")
        pq.write_table(table.set_column(at, "request", pa.array(["{"] * 2)), path)
        with pytest.raises(RecordingError, match="request 'q0' is no JSON"):
            read_recording(path)


class TestWriting:
    def test_the_old_file_stays_until_the_new_one_is_whole(self, path, monkeypatch):
        """A write that fails leaves what was there, and nothing beside it."""
        write_recording(recording([[1, 0]], 5), path)
        before = path.read_bytes()
        monkeypatch.setattr("cascade.calibration.files.parquet.os.fsync", _full)
        with pytest.raises(RecordingError, match="cannot be written: No space left"):
            write_recording(recording([[0, 0]], 5), path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_no_folder(self, path):
        """A place that is not there is named."""
        with pytest.raises(RecordingError, match="cannot be written: No such file"):
            write_recording(recording([[1, 0]], 5), path / "x")

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"texts": objects([("x", 3)])}, "answer of request 'q0', tier 't1' is 3; expected text"),
            ({"requests": objects([{"a": object()}])}, "request 'q0' is no JSON"),
            ({"charges": CHARGES}, "charges of request 'q0', tier 't1' is 1000000000000000000 pico"),
            ({"tiers": (RecordedTier("a", "m", price={"id": object()}), RecordedTier("b", "m"))}, "a tier's settings are no plain data"),
            ({"cost_pusd": np.array([[1, 10**18]])}, "cost_usd of request 'q0', tier 't1' is 1000000000000000000 pico"),
        ],
    )  # fmt: skip
    def test_what_a_file_cannot_hold(self, path, given, words):
        """What cannot be written is refused by request and tier, and leaves no file."""
        with pytest.raises(RecordingError, match=words):
            write_recording(replace(recording([[1, 0]], 5), **given), path)
        assert not list(path.parent.iterdir())

    def test_half_a_surrogate_pair(self, path):
        """What no file can hold of an answer is replaced, as a terminal would."""
        write_recording(replace(recording([[1]], 5), texts=objects([("a\ud83d\u00e9",)])), path)
        assert read_recording(path).texts[0, 0] == "a\ufffd\u00e9"


def _full(_number):
    raise OSError(28, "No space left on device")
