"""How long the numbers for learned scorers take, for an answer of 650 characters.

    python -m benchmarks.features                # 20,000 rounds
    python -m benchmarks.features --rounds 2000

Prints the median and the 99th percentile in microseconds. A machine with other work shows in the
99th percentile first.
"""

from __future__ import annotations

import argparse
import gc
import math
import platform
import time
from collections.abc import Callable

from cascade import Draft, Reply, Request
from scorers import Grounded, logprob_features, surface_features

CHARS = 650

SENTENCES = (
    "The parcel left the depot in Hamburg on 12 March and should arrive within 3 working days. "
    "If it has not come by Friday, please reply with your order number, A-4711, and I will open "
    "an inquiry with the carrier; that usually takes about two days. Would you prefer a refund of "
    "$24.90 instead? "
)
ASKED = (
    "Where is my parcel? I ordered two lamps on 5 March (order A-4711) and paid $24.90, and "
    "nothing has come so far. I need them before the weekend, so please tell me what to do."
)


def draft() -> Draft:
    """An answer of 650 characters in about 160 tokens, each with one alternative."""
    text = (SENTENCES * 4)[:CHARS]
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    entries = [
        {
            "token": piece,
            "logprob": math.log(0.5 + (place % 50) / 100),
            "top_logprobs": [{"token": "x", "logprob": -3.0}],
        }
        for place, piece in enumerate(pieces)
    ]
    reply = Reply(text, raw_logprobs=entries, finish_reason="stop")
    _ = reply.logprobs  # read once; scorers share it
    return Draft(Request.build(ASKED), reply)


def times_us(function: Callable[[], object], rounds: int) -> list[float]:
    """The time of each round in microseconds, sorted."""
    function()
    gc.disable()
    try:
        found = []
        for _ in range(rounds):
            begun = time.perf_counter_ns()
            function()
            found.append((time.perf_counter_ns() - begun) / 1_000)
    finally:
        gc.enable()
    return sorted(found)


def main() -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(description="Time the features for learned scorers.")
    parser.add_argument("--rounds", type=int, default=20_000)
    rounds = max(10, parser.parse_args().rounds)
    one = draft()
    text, asked = one.text, ASKED
    grounded = Grounded(look_for=["numbers", "quotes"])
    print(
        f"Python {platform.python_version()}, {CHARS} characters, {rounds:,} rounds, microseconds"
    )
    for name, function in (
        ("surface_features(text, request)", lambda: surface_features(text, asked)),
        ("surface_features(draft)", lambda: surface_features(one)),
        ("logprob_features(draft)", lambda: logprob_features(one)),
        ("Grounded, numbers and quotes", lambda: grounded(one)),
    ):
        found = times_us(function, rounds)
        median, high = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"{name:34} p50 {median:7.1f}   p99 {high:7.1f}")


if __name__ == "__main__":
    main()
