"""Traces: a request, its verbs, and what they ask for; one trace over programs; nothing when they are off."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.making import a_product
from tfmshop.commerce import cart
from tfmshop.platform import codec
from tfmshop.platform.db import Query
from tfmshop.platform.jobs import HANDLERS, enqueue, job
from tfmshop.platform.jobs.worker import Worker
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import Alike

HEADERS = Query("test.headers", "SELECT headers::text FROM jobs.pgqueuer")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans():
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = memory.InMemorySpanExporter()
    traces.start("", 100, "Lamps", SimpleSpanProcessor(exporter))
    yield exporter.get_finished_spans
    traces.stop()


async def test_a_request_its_verb_and_its_statements_are_one_trace(shop, db, spans, monkeypatch):
    for name in cart.__all__:
        monkeypatch.setattr(cart, name, getattr(cart, name))
    traces.follow([cart])
    async with db.tx() as tx:
        lamp = await a_product(tx)
    made = await shop.cart_with((lamp, 1))
    before = len(spans())
    answer = await shop.get(f"carts/{made['id']}", headers={"Cart-Token": made["token"], "traceparent": PARENT})
    assert answer.status_code == 200
    told = spans()[before:]
    request = told[-1]
    assert (request.name, request.attributes["http.response.status_code"]) == ("GET /api/v1/carts/{cart_id}", 200)
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert {f"{one.context.trace_id:032x}" for one in told} == {"0af7651916cd43dd8448eb211c80319c"}
    (verb,) = [one for one in told if one.name.startswith("cart.") and one.kind.name == "INTERNAL"]
    (query,) = [one for one in told if one.name == "cart.view" and one.kind.name == "CLIENT"]
    assert (verb.parent.span_id, query.parent.span_id) == (request.context.span_id, verb.context.span_id)
    assert request.start_time <= verb.start_time <= query.start_time < query.end_time <= request.end_time


async def test_a_failed_request_is_marked_and_a_stranger_begins_a_trace(shop, spans):
    await shop.get("products/no-such-thing")
    await shop.get("products", headers={"traceparent": "nonsense"})
    await shop.get("products/none", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
    missing, listing, zeros = [one for one in spans() if one.kind.name == "SERVER"][-3:]
    assert missing.attributes["http.response.status_code"] == 404
    assert listing.parent is zeros.parent is None
    assert missing.context.trace_id != listing.context.trace_id
    assert zeros.context.is_valid


async def test_a_job_belongs_to_the_trace_that_made_it(wide_db, fresh_url, spans):
    @job("test.traced")
    async def traced(*_) -> None:
        pass

    try:
        async with wide_db.tx() as tx:
            await enqueue(tx, "test.traced", None)
        (unasked,) = await headers(wide_db)
        with traces.span("verb", first=True):
            async with wide_db.tx() as tx:
                await enqueue(tx, "test.traced", None)
        assert unasked is None
        running = asyncio.create_task((worker := Worker(fresh_url, wide_db, {"test.traced"}, by_the_clock=False)).run())
        async with asyncio.timeout(30):
            while await headers(wide_db):  # noqa: ASYNC110 - the queue tells nobody
                await asyncio.sleep(0.02)
        worker.stop()
        await running
    finally:
        del HANDLERS["test.traced"]
    (verb,) = [one for one in spans() if one.name == "verb"]
    parents = [one.parent and one.parent.span_id for one in spans() if one.name == "job test.traced"]
    assert sorted(parents, key=bool) == [None, verb.context.span_id]


async def headers(db) -> list[str | None]:
    async with db.read() as tx:
        return [row["headers"] for row in await tx.rows(HEADERS)]


def test_on_standard_error_each_span_is_a_line(capsys):
    pytest.importorskip("opentelemetry.sdk")
    traces.start("console", 100, "Lamps")
    with traces.span("verb", first=True):
        traces.query("cart.view", 0.25, TimeoutError("secret"))
    traces.stop()
    query, verb = (codec.decode(line) for line in capsys.readouterr().err.splitlines())
    assert {**query, **verb}.keys() >= {"@timestamp", "log.level", "trace.id", "span.id"}
    assert (query["span.name"], query["db.system.name"]) == ("cart.view", "postgresql")
    assert query["parent.id"] == verb["span.id"]
    assert (query["event.outcome"], query["error.type"], verb["event.outcome"]) == (
        "failure",
        "TimeoutError",
        "success",
    )
    assert abs(query["event.duration"] - 250_000_000) < 1000
    assert "parent.id" not in verb


async def test_an_error_in_a_span_tells_nothing_of_itself(spans):
    with pytest.raises(ValueError, match="alice"), traces.span("verb", first=True):
        raise ValueError("no account alice@example.com")
    (told,) = spans()
    assert (told.status.description, told.events) == (None, ())


def test_a_stranger_cannot_ask_for_traces(spans, monkeypatch):
    monkeypatch.setattr(traces._Made, "part", 0.0)
    assert not traces.wanted(PARENT.encode())
    monkeypatch.setattr(traces._Made, "part", 1.0)
    assert traces.wanted(PARENT.encode())
    assert not traces.wanted(PARENT[:-1].encode() + b"0")


def test_off_nothing_is_loaded_and_nothing_made():
    assert not traces.on
    with traces.span("x"):
        pass
    assert traces.given(PARENT.encode()) == "0af7651916cd43dd8448eb211c80319c"
    assert traces.given(b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01") == ""
    assert traces.given(b"nonsense") == traces.given(None) == ""
    assert logs.asked.get() == ("", "")
    assert "tfmshop.platform.observe.traces" in sys.modules


def test_of_answers_from_memory_a_few_of_a_second_are_traced(spans, monkeypatch):
    moment = [1000.0]
    monkeypatch.setattr(traces, "monotonic", lambda: moment[0])
    for seconds in (0.0, 0.5, 1.0):
        moment[0] = 1000.0 + seconds
        alike = Alike("/api/v1/products", "/api/v1/products", 200)
        traces.answered([(alike, "id", moment[0] - 0.001, moment[0], None)] * 3 * traces.MOST_ALIKE)
    refused = Alike("/api/v1/products", "/api/v1/products", 503)
    traces.answered([(refused, "id", 1002.0, 1002.1, None)])
    assert len(spans()) == 2 * traces.MOST_ALIKE
