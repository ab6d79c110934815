"""Lines of Batch API files: read as any reply is, billed at batch prices. No job reads files yet."""

import json
from decimal import Decimal

import pytest
from fake_openai import batch_expired, batch_failed, batch_line, completion, error_body, usage

from cascade.core.pricing import cost_of, model_table
from cascade.wire.faults import MalformedReply
from cascade.wire.replies import read_reply

NANO = model_table().find("gpt-5.4-nano").price

# Any order; one line failed with a status, one never ran because the batch expired.
OUTPUT = [
    batch_line("c", completion("third", counts=usage(3000, 30))),
    batch_failed("d", 400, error_body("Unknown parameter: 'zzz'.", param="zzz")),
    batch_line("a", completion("first", counts=usage(1000, 10))),
    batch_expired("e"),
    batch_line("b", completion("second", counts=usage(2000, 20))),
]


def parsed():
    """The lines as a file's reader gets them, by custom id."""
    lines = [json.loads(line) for line in OUTPUT]
    return {line["custom_id"]: line for line in lines}


def test_lines_belong_to_their_id_whatever_their_order():
    """A shuffled output gives each request its own answer."""
    texts = {
        name: read_reply(line["response"]["body"]).text
        for name, line in parsed().items()
        if line["response"] and line["response"]["status_code"] == 200
    }
    assert texts == {"a": "first", "b": "second", "c": "third"}


def test_a_line_is_billed_at_batch_prices_although_it_says_default():
    """Finished lines of an expired batch are billed: 0.10 and 0.625 dollars per million tokens."""
    body = parsed()["a"]["response"]["body"]
    answer = read_reply(body)
    assert answer.service_tier == "default"
    cost = cost_of(answer.usage, NANO, service_tier=answer.service_tier, batch=True)
    # (1000 * 0.10 + 10 * 0.625) / 1000000
    assert (cost.usd, cost.basis) == (Decimal("0.00010625"), "exact")


def test_both_forms_of_a_failed_line_are_no_answer():
    """A status of 400 carries an error body; a line that never ran carries no response at all."""
    lines = parsed()
    with pytest.raises(MalformedReply, match="Unknown parameter: 'zzz'"):
        read_reply(lines["d"]["response"]["body"])
    assert lines["e"]["error"]["code"] == "batch_expired"
    with pytest.raises(MalformedReply, match="expected a JSON object"):
        read_reply(lines["e"]["response"])
