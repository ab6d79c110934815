"""Spans of requests: their tree, times, names, and that nobody's words are in them."""

import asyncio
import json

import pytest

from cascade import Ask, AsyncCascade, Cascade, Price, RunError, Score, Tier, ask_all, telemetry
from cascade import ask as question
from cascade.core.chain import Chain
from cascade.testing import ManualClock, ScriptedModels, failure, reply

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is missing")
trace = pytest.importorskip("opentelemetry.trace")

PRICE = Price.of("0.20", "1.25")

# From OpenTelemetry's conventions for generative AI, and for OpenAI.
CONVENTIONS = {
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.output.type"),
    *("gen_ai.request.model", "gen_ai.request.temperature", "gen_ai.request.top_p"),
    *("gen_ai.request.max_tokens", "gen_ai.request.seed", "gen_ai.request.choice.count"),
    *("gen_ai.request.reasoning.level", "gen_ai.response.model", "gen_ai.response.id"),
    *("gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
    "gen_ai.usage.reasoning.output_tokens",
    *("openai.request.service_tier", "openai.response.service_tier"),
    "openai.response.system_fingerprint",
    *("gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"),
    "gen_ai.evaluation.explanation",
    *("gen_ai.input.messages", "gen_ai.output.messages"),
}

TREE = [
    (None, "cascade support"),
    ("cascade support", "tier nano"),
    ("tier nano", "chat nano"),
    ("tier nano", "chat nano"),
    ("tier nano", "score unsure"),
    ("cascade support", "tier big"),
    ("tier big", "chat big"),
]


def seconds(span):
    return (span.end_time - span.start_time) / 1e9


def test_a_request_has_a_span_for_each_tier_call_and_score(kept, ask):
    """The spans are the trace's own tree, its retries included."""
    ask(kept.observer)
    assert sorted(kept.tree(), key=str) == sorted(TREE, key=str)


def test_a_closed_trace_alone_gives_the_same_tree(kept, ask):
    """A trace shown to the observer afterwards makes the spans that following it makes."""
    seen = []
    ask(seen.append)
    kept.observer(seen[0])
    assert sorted(kept.tree(), key=str) == sorted(TREE, key=str)


def test_spans_carry_the_times_of_the_trace(kept, ask):
    """Each call took 0.25 s by the trace's clock, and so do the spans, one after the other."""
    done = ask(kept.observer)
    assert seconds(kept.named("cascade support")) == pytest.approx(done.trace.duration_s)
    first, second = [span for span in kept.spans if span.name == "chat nano"]
    assert seconds(first) == pytest.approx(0.25, abs=1e-6)
    assert second.start_time == pytest.approx(first.end_time, abs=1000)
    assert kept.named("tier big").start_time == pytest.approx(second.end_time, abs=1000)
    assert kept.named("tier big").end_time == kept.named("cascade support").end_time


def test_the_request_says_what_it_cost_and_how_it_ended(kept, ask):
    """Dollars are there to the digit, and as a number to add up."""
    done = ask(kept.observer, tags=["mail"], parent="run-7")
    said = kept.named("cascade support").attributes
    assert said["cascade.trace.id"] == done.trace.id
    assert said["cascade.cost.usd_exact"] == format(done.trace.cost_usd, "f")
    assert said["cascade.cost.usd"] == float(done.trace.cost_usd)
    assert said["cascade.saved.usd_exact"] == format(done.trace.saved_usd, "f")
    assert (said["cascade.chain"], said["cascade.tier"]) == ("support", "big")
    assert (said["cascade.status"], said["cascade.escalations"]) == ("accepted", 1)
    assert (said["cascade.tags"], said["cascade.parent.id"]) == (("mail",), "run-7")


def test_tier_and_score_say_why_it_moved_on(kept, ask):
    """The verdict is beside the score and the threshold, in the conventions' words too."""
    ask(kept.observer)
    tier, score = kept.named("tier nano").attributes, kept.named("score unsure").attributes
    assert (tier["cascade.score"], tier["cascade.threshold"]) == (0.41, 0.9)
    assert tier["cascade.verdict"] == "escalated"
    assert score["gen_ai.evaluation.name"] == "unsure"
    assert score["gen_ai.evaluation.score.value"] == 0.41
    assert score["gen_ai.evaluation.score.label"] == "escalated"


def test_a_call_is_named_as_the_conventions_name_it(kept, ask):
    """A call is a client span `chat MODEL` with its parameters, tokens and reply."""
    ask(kept.observer, max_completion_tokens=50, seed=7, response_format={"type": "json_object"})
    big = kept.named("chat big")
    assert big.kind is trace.SpanKind.CLIENT
    said = dict(big.attributes)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "big",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.seed": 7,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "big-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.output_tokens": 40,
    }
    assert {name: said[name] for name in expected} == expected
    nano = [span for span in kept.spans if span.name == "chat nano"][-1]
    assert nano.attributes["gen_ai.request.temperature"] == 0.2  # the tier's own parameter


def test_numbers_that_no_exporter_can_write_are_left_out(kept, ask):
    """A caller's number of more than 64 bits is in no span: an exporter would stumble over it."""
    ask(kept.observer, max_completion_tokens=10**30, seed=2**63, top_p=10**400)
    said = kept.named("chat big").attributes
    names = {"gen_ai.request.max_tokens", "gen_ai.request.seed", "gen_ai.request.top_p"}
    assert not names & set(said)


def test_every_name_is_of_the_conventions_or_ours(kept_with_content, ask):
    """No attribute is under a name that somebody else owns."""
    ask(kept_with_content.observer)
    names = {name for span in kept_with_content.spans for name in span.attributes}
    assert {name for name in names if name.startswith(("gen_ai.", "openai."))} <= CONVENTIONS
    rest = {name for name in names if not name.startswith(("gen_ai.", "openai.", "cascade."))}
    assert rest <= {"error.type", "http.response.status_code"}


def test_a_failed_call_and_a_failed_request_say_their_kind(kept):
    """What failed is an error of a bounded kind, not of somebody's words."""
    models = ScriptedModels({"nano": failure("not_found", "no such model: hush", status=404)})
    llm = Cascade([Tier("nano", price=PRICE)], models=models, observers=[kept.observer])
    with pytest.raises(RunError):
        llm.complete("hello")
    kinds = {span.name: span.attributes.get("error.type") for span in kept.spans}
    assert kinds == {
        "cascade chain": "refused",
        "tier nano": "not_found",
        "chat nano": "not_found",
    }
    assert {span.status.status_code for span in kept.spans} == {trace.StatusCode.ERROR}


def test_a_scorer_that_raises_is_an_error_of_its_class(kept, ask):
    """A broken scorer is told from one that rejects."""

    def unsure(_draft):
        raise KeyError("the customer's name")

    ask(kept.observer, scorer=unsure)
    score = kept.named("score unsure")
    assert score.attributes["error.type"] == "KeyError"
    assert score.status.status_code is trace.StatusCode.ERROR


def test_an_unknown_cost_is_no_zero(kept):
    """A cost that nobody knows is not in the spans; what is known of it is, as that."""
    models = ScriptedModels({"nano": reply("Hm.")})
    llm = Cascade(
        [Tier("nano")], models=models, observers=[kept.observer], allow_unknown_prices=True
    )
    assert llm.complete("hello").cost_usd is None
    said = kept.named("cascade chain").attributes
    assert "cascade.cost.usd" not in said
    assert said["cascade.cost.basis"] == "unknown"
    assert said["cascade.cost.known_usd"] == 0.0


MARK = "Zanzibar"


def talk(observer):
    """A request in which everything that people, models and servers write holds the mark."""

    def grade(draft):
        return Score(0.1, reason=f"{MARK} in {draft.text}")

    def broken(_draft):
        raise ValueError(f"no {MARK}")

    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": f'"{MARK}"'}}
    models = ScriptedModels(
        {
            "a": [failure("server", f"cannot say {MARK}", status=500), reply(f"{MARK}!")],
            "b": reply(f"{MARK}?", model=f"{MARK} the model"),
            "c": reply(f"{MARK}.", finish_reason="tool_calls", tool_calls=[call]),
        }
    )
    tiers = [
        Tier("a", scorer=grade, price=PRICE),
        Tier("b", scorer=broken, price=PRICE),
        Tier("c", price=PRICE),
    ]
    llm = Cascade(tiers, models=models, observers=[observer])
    return llm.complete(f"Tell me of {MARK}", metadata={"town": MARK}, stop=[MARK])


def told(spans):
    parts = [(s.name, dict(s.attributes), str(s.status.description)) for s in spans]
    return json.dumps([*parts, *[dict(e.attributes) for s in spans for e in s.events]])


def test_nobodys_words_are_in_spans(kept):
    """Prompts, answers, reasons, metadata and errors' words stay out unless asked for."""
    talk(kept.observer)
    assert len(kept.spans) >= 9
    assert MARK not in told(kept.spans)


def test_words_are_in_spans_where_they_are_asked_for(kept_with_content):
    """With content, messages have the conventions' form, and credentials are still hidden."""
    talk(kept_with_content.observer)
    calls = [span for span in kept_with_content.spans if span.name == "chat c"]
    asked = json.loads(calls[0].attributes["gen_ai.input.messages"])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": f"Tell me of {MARK}"}]}]
    (said,) = json.loads(calls[0].attributes["gen_ai.output.messages"])
    assert said["parts"][0] == {"type": "text", "content": f"{MARK}."}
    assert said["parts"][1]["name"] == "f"
    scores = [s for s in kept_with_content.spans if s.name == "score grade"]
    assert MARK in scores[0].attributes["gen_ai.evaluation.explanation"]


def test_credentials_are_hidden_in_content_too(kept_with_content, ask):
    """A key in a prompt does not leave with the spans."""
    ask(kept_with_content.observer, "my key is sk-abcdef1234567890abcdef")
    assert "sk-abcdef" not in told(kept_with_content.spans)
    assert "my key is" in told(kept_with_content.spans)


# Ids and parents -------------------------------------------------------------------------------


def test_a_request_that_begins_a_trace_gives_it_its_own_id(kept, ask):
    """The trace in OpenTelemetry is found by the id of ours."""
    done = ask(kept.observer)
    assert {f"{s.context.trace_id:032x}" for s in kept.spans} == {done.trace.id + "0000"}


def test_samplers_see_random_ids():
    """A ratio of a tenth takes about a tenth of the requests, though ids begin with the time."""
    tracers = sdk.TracerProvider(sampler=sdk.sampling.TraceIdRatioBased(0.1))
    observer = telemetry.OpenTelemetry(tracer_provider=tracers)
    models = ScriptedModels({"nano": "ok"})
    sampled = []

    def seen(_draft):
        sampled.append(trace.get_current_span().get_span_context().trace_flags.sampled)
        return 1.0

    llm = Cascade([Tier("nano", scorer=seen, price=PRICE)], models=models, observers=[observer])
    for _ in range(500):
        llm.complete("hello")
    assert 20 <= sum(sampled) <= 90


def test_a_request_within_a_span_goes_on_its_trace(kept, ask):
    """The caller's trace continues, and our id is on the span."""
    tracer = kept.tracers.get_tracer("caller")
    with tracer.start_as_current_span("work") as outer:
        done = ask(kept.observer)
    span = kept.named("cascade support")
    assert span.parent.span_id == outer.get_span_context().span_id
    assert span.context.trace_id == outer.get_span_context().trace_id
    assert span.attributes["cascade.trace.id"] == done.trace.id
    assert span.kind is trace.SpanKind.INTERNAL


def test_a_served_request_goes_on_the_trace_of_its_headers(kept, ask):
    """`traceparent` of the caller is the parent of a server span; nothing stays attached."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with kept.observer.serving({"traceparent": parent}):
        ask(kept.observer)
    span = kept.named("cascade support")
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.kind is trace.SpanKind.SERVER
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_served_request_with_bad_headers_begins_a_trace(kept, ask, header):
    """What is no `traceparent` is passed over, and the request has its own id."""
    with kept.observer.serving({"traceparent": header}):
        done = ask(kept.observer)
    span = kept.named("cascade support")
    assert f"{span.context.trace_id:032x}" == done.trace.id + "0000"
    assert (span.parent, span.kind) == (None, trace.SpanKind.SERVER)


def test_a_request_within_the_frameworks_span_leaves_it_the_header(kept, ask):
    """Where the web framework has its span already, that is the parent."""
    tracer = kept.tracers.get_tracer("framework")
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with (
        tracer.start_as_current_span("POST /v1/chat/completions") as outer,
        kept.observer.serving({"traceparent": parent}),
    ):
        ask(kept.observer)
    span = kept.named("cascade support")
    assert span.parent.span_id == outer.get_span_context().span_id
    assert span.kind is trace.SpanKind.INTERNAL


# Spans of scorers ------------------------------------------------------------------------------


def scripted():
    return ScriptedModels({"nano": "Hm.", "judge": "Yes", "big": "On Friday."})


def chain_with(scorer, **settings):
    return Chain(
        (Tier("nano", scorer=scorer, price=PRICE, **settings), Tier("big", price=PRICE)),
        allow_unknown_prices=True,
    )


def run_complete(llm):
    llm.complete("hello")


def run_stream(llm):
    for _ in llm.stream("hello"):
        assert not trace.get_current_span().get_span_context().is_valid


def run_many(llm):
    assert [result.error for result in llm.complete_many(["hello"])] == [None]


def run_rounds(llm):
    llm.complete_rounds(["hello"])


@pytest.mark.parametrize("run", [run_complete, run_stream, run_many, run_rounds])
@pytest.mark.parametrize("limit", [None, 5.0], ids=["here", "in a thread"])
@pytest.mark.parametrize("inline", [False, True], ids=["run", "inline"])
def test_spans_of_a_scorer_are_its_tiers_children(kept, run, limit, inline):
    """However a request is asked, a span that a scorer opens belongs under its tier."""
    tracer = kept.tracers.get_tracer("scorer")

    def grade(_draft):
        with tracer.start_as_current_span("look it up"):
            return 0.0

    grade.inline = inline
    chain = chain_with(grade, **({"scorer_timeout_s": limit} if limit else {}))
    run(Cascade(chain, models=scripted(), observers=[kept.observer]))
    parent = "tier nano" if inline else "score grade"
    assert (parent, "look it up") in kept.tree()


@pytest.mark.parametrize("streamed", [False, True])
async def test_spans_of_an_async_scorer_are_its_children(kept, streamed):
    """A coroutine scorer runs inside its span, and its caller does not."""
    tracer = kept.tracers.get_tracer("scorer")

    async def grade(_draft):
        with tracer.start_as_current_span("look it up"):
            await asyncio.sleep(0)
        return 0.0

    llm = AsyncCascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    if streamed:
        async with llm.stream("hello") as chunks:
            async for _ in chunks:
                assert not trace.get_current_span().get_span_context().is_valid
    else:
        await llm.complete("hello")
    assert ("score grade", "look it up") in kept.tree()


async def test_many_async_requests_keep_their_spans_apart(kept):
    """Requests under way at once do not become each other's children."""

    async def grade(_draft):
        await asyncio.sleep(0.001)
        return 1.0

    llm = AsyncCascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    await asyncio.gather(*(llm.complete("hello") for _ in range(20)))
    roots = [span for span in kept.spans if span.name == "cascade chain"]
    assert len({span.context.trace_id for span in roots}) == 20
    assert all(span.parent is None for span in roots)
    tiers = [span for span in kept.spans if span.name == "tier nano"]
    assert {span.parent.span_id for span in tiers} == {span.context.span_id for span in roots}


def test_the_questions_of_a_scorer_are_under_it(kept):
    """What a scorer asks a model is a call under what it scored."""

    def grade(_draft):
        answer = yield from question("judge", "good?")
        return answer.text == "Yes"

    llm = Cascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    llm.complete("hello")
    assert ("score grade", "chat judge") in kept.tree()


def test_a_coroutine_that_is_never_awaited_is_dropped_quietly(kept):
    """A sync cascade refuses a coroutine that turns up late, as it does without spans."""

    async def later():
        return 1.0

    llm = Cascade(chain_with(lambda _draft: later()), models=scripted(), observers=[kept.observer])
    assert llm.complete("hello").tier == "big"


def test_a_stream_left_half_way_ends_its_spans(kept):
    """A caller that stops reading leaves complete spans of what has been."""
    llm = Cascade(
        [Tier("big", price=PRICE)],
        models=ScriptedModels({"big": "a b c d"}),
        observers=[kept.observer],
    )
    stream = llm.stream("hello")
    next(stream)
    stream.close()
    assert kept.named("cascade chain").attributes["error.type"] == "cancelled"
    assert ("tier big", "chat big") in kept.tree()
    assert not kept.observer._open


def test_an_observer_that_cannot_follow_does_no_harm(caplog):
    """A request is answered although the observer that would follow it raises."""

    class Broken:
        def watch_request(self, decisions, **_):
            raise RuntimeError("no")

        def __call__(self, trace):
            """Take it."""

    llm = Cascade(
        [Tier("big", price=PRICE)], models=ScriptedModels({"big": "ok"}), observers=[Broken()]
    )
    assert llm.complete("hello").text == "ok"
    assert "could not follow request" in caplog.text


def test_replays_make_no_spans(kept, ask):
    """What only would have happened is neither shown nor counted."""
    from dataclasses import replace

    done = ask(lambda trace: None)
    kept.observer(replace(done.trace, replayed=True))
    assert not kept.spans


def test_the_time_of_a_real_clock_is_the_time_of_day(kept):
    """Spans stand where the wall clock was."""
    import time

    before = time.time_ns()
    Cascade(
        [Tier("big", price=PRICE)], models=ScriptedModels({"big": "ok"}), observers=[kept.observer]
    ).complete("x")
    span = kept.named("cascade chain")
    assert before - 2_000_000 <= span.start_time <= span.end_time <= time.time_ns() + 2_000_000


def test_manual_clock_is_used(kept):
    """The clock of the cascade measures, whatever it is."""
    clock = ManualClock()
    models = ScriptedModels({"big": "ok"}, clock=clock, latency_s=3.0)
    Cascade(
        [Tier("big", price=PRICE)], models=models, clock=clock, observers=[kept.observer]
    ).complete("x")
    assert seconds(kept.named("cascade chain")) == pytest.approx(3.0)


async def test_a_cancelled_request_ends_its_spans(kept, caplog):
    """A caller that leaves while a scorer waits leaves complete spans, and no noise."""
    begun = asyncio.Event()

    async def grade(_draft):
        begun.set()
        await asyncio.sleep(60)

    llm = AsyncCascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    task = asyncio.create_task(llm.complete("hello"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.named("cascade chain").attributes["error.type"] == "cancelled"
    assert {span.name for span in kept.spans} >= {"tier nano", "chat nano", "score grade"}
    assert not caplog.records
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_question_that_ends_the_request_ends_its_spans(kept):
    """Where a scorer's question finds the account empty, its span says so."""

    def grade(_draft):
        answer = yield from question("judge", "good?")
        return answer.text == "Yes"

    models = ScriptedModels({"nano": "Hm.", "judge": failure("billing", "empty", status=429)})
    llm = Cascade(chain_with(grade), models=models, observers=[kept.observer])
    with pytest.raises(RunError):
        llm.complete("hello")
    assert kept.named("score grade").attributes.get("gen_ai.evaluation.score.value") is None
    assert kept.named("score grade").status.description == "billing"
    assert kept.named("cascade chain").attributes["error.type"] == "billing_stopped"


def test_questions_asked_at_once_are_all_under_the_score(kept):
    """Several calls of one scorer are siblings with times of their own."""

    def grade(_draft):
        asked = ({"role": "user", "content": "good?"},)
        answers = yield from ask_all(Ask("judge", asked), Ask("judge", asked))
        return len(answers) / 2

    llm = Cascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    llm.complete("hello")
    assert kept.tree().count(("score grade", "chat judge")) == 2


def test_a_request_left_under_way_ends_its_spans(kept):
    """Leaving a request that waits in another thread closes its spans."""
    import threading

    gate = threading.Event()

    def grade(_draft):
        gate.wait(10)
        return 1.0

    llm = Cascade(chain_with(grade), models=scripted(), observers=[kept.observer])
    many = llm.complete_many(["a"])
    threading.Timer(0.2, many.stop, [0.0]).start()
    assert list(many) == []
    gate.set()
    assert kept.named("cascade chain").attributes["error.type"] == "cancelled"
    assert kept.named("tier nano").attributes["cascade.verdict"] == "failed"
    assert not kept.observer._open
