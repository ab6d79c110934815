"""What decides a score or an answer has a hash that changes with it, and with nothing else."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import pytest

from cascade import Tier
from cascade.calibration.fingerprint import scorer_fingerprint, tier_fingerprint
from scorers import JsonSchema, LogprobConfidence, Reference, calibrated, first_reject


def above(limit):
    def scorer(draft):
        return len(draft.text) > limit

    return scorer


def shorter(draft, limit=3):
    return len(draft.text) < limit


def longer(draft, limit=3):
    return len(draft.text) > limit


class Plain:
    """A scorer that is no dataclass."""

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, draft):
        return len(draft.text) < self.limit


@dataclass(frozen=True)
class Held:
    """A scorer that holds a function."""

    by: object

    def __call__(self, draft):
        return self.by(draft)


OTHERS = [
    (above(3), above(4)),
    (partial(shorter, limit=3), partial(shorter, limit=4)),
    (shorter, longer),
    (Plain(3), Plain(4)),
    (Held(shorter), Held(longer)),
    (Held(above(3)), Held(above(4))),
    (JsonSchema({"type": "object"}), JsonSchema({"type": "array"})),
    (LogprobConfidence("min"), LogprobConfidence("mean")),
    (first_reject(shorter, above(1)), first_reject(shorter, above(2))),
    (calibrated(shorter, lambda p: p), calibrated(shorter, lambda p: p * p)),
    (Reference(lambda d: "a"), Reference(lambda d: "b")),
]


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_what_scores_otherwise_has_another_hash(one, other):
    """Another body, closure, argument, attribute, setting or part is noticed."""
    assert scorer_fingerprint(one) != scorer_fingerprint(other)
    assert scorer_fingerprint(one) == scorer_fingerprint(one)


def test_equal_scorers_have_one_hash():
    """Two of the same are the same, and no scorer is none."""
    assert scorer_fingerprint(above(3)) == scorer_fingerprint(above(3))
    assert scorer_fingerprint(Plain(3)) == scorer_fingerprint(Plain(3))
    assert scorer_fingerprint(None) == ""


def test_the_hash_is_the_same_in_another_process():
    """Nothing in it depends on where objects lie in memory."""
    code = (
        "from tests.calibration.test_fingerprint import OTHERS\n"
        "from cascade.calibration.fingerprint import scorer_fingerprint\n"
        "print([scorer_fingerprint(one) for one, _ in OTHERS])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str([scorer_fingerprint(one) for one, _ in OTHERS])


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "gpt-5.4-mini"},
        {"params": {"reasoning_effort": "low"}},
        {"params": {"response_format": {"type": "json_object"}}},
        {"preamble": ({"role": "system", "content": "Be brief."},)},
        {"api": "responses"},
        {"base_model": "gpt-5.4"},
    ],
)
def test_what_answers_otherwise_has_another_hash(changed):
    """Model, effort, schema, prompt and API decide answers; threshold and retry do not."""
    plain = {"model": "gpt-5.4-nano", "name": "nano"}
    assert tier_fingerprint(Tier(**{**plain, **changed})) != tier_fingerprint(Tier(**plain))
    assert tier_fingerprint(Tier(**plain, timeout_s=9)) == tier_fingerprint(Tier(**plain))
