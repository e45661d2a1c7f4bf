"""Traces: a request, its verbs, and what they ask for; one trace over programs; nothing when they are off."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.making import a_product
from tests.receivers import listening
from tfmshop import __version__
from tfmshop.commerce import cart
from tfmshop.platform import clock, codec
from tfmshop.platform.clock import monotonic
from tfmshop.platform.db import Query
from tfmshop.platform.jobs import HANDLERS, enqueue, job
from tfmshop.platform.jobs.worker import Worker
from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import Alike
from tfmshop.surface.http.edge.ready import Ready

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


def test_on_standard_error_each_span_is_a_line(capfd):
    pytest.importorskip("opentelemetry.sdk")
    traces.start("console", 100, "Lamps")
    with traces.span("verb", first=True):
        traces.query("cart.view", 0.25, TimeoutError("secret"))
    traces.stop()
    query, verb = (codec.decode(line) for line in capfd.readouterr().err.splitlines())
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


def test_a_failure_of_the_shop_is_one_and_a_mistake_of_who_asks_is_none(spans):
    for status in (404, 500):
        traces.Request("GET", "/x", None, "id").end(status)
    assert [one.status.is_ok for one in spans()] == [True, False]


def test_a_clock_that_is_set_back_changes_no_duration(spans, monkeypatch):
    with traces.span("verb", first=True):
        monkeypatch.setattr(clock, "epoch", lambda: 10**18)
    (verb,) = spans()
    assert (verb.end_time, 0 <= verb.end_time - verb.start_time < 1e9) == (10**18, True)


async def test_a_collector_gets_all_of_a_trace(db):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Sent

    async with listening("/v1/traces") as collector:
        traces.start(collector.url, 100, "Lamps")
        request = traces.Request("GET", "/x", PARENT.encode(), "id")
        await headers(db)
        traces.call("redis GET", 0.5, "miss")
        handed = traces.here()
        request.end(500)
        await asyncio.to_thread(traces.stop)
    (of,) = [one for _, body in collector.heard for one in Sent.FromString(body).resource_spans]
    resource = {one.key: one.value.string_value for one in of.resource.attributes}
    assert (resource["service.name"], resource["service.version"]) == ("Lamps", __version__)
    query, redis, whole = of.scope_spans[0].spans
    assert (query.name, redis.name, whole.name) == ("test.headers", "redis GET", "GET /x")
    assert {one.trace_id.hex() for one in (query, redis, whole)} == {PARENT[3:35]}
    assert query.parent_span_id == redis.parent_span_id == whole.span_id
    assert (whole.parent_span_id.hex(), handed) == (PARENT[36:52], f"{PARENT[:36]}{whole.span_id.hex()}-01")
    assert (query.kind, whole.kind) == (3, 2)
    assert (whole.flags & 0x300, query.flags & 0x300) == (0x300, 0x100)
    assert (query.status.code, whole.status.code) == (0, 2)
    assert redis.end_time_unix_nano - redis.start_time_unix_nano == 5e8
    assert [(one.key, one.value.string_value) for one in redis.attributes] == [("tfmshop.outcome", "miss")]


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


@pytest.mark.parametrize(
    ("given", "trace_id", "wanted"),
    [
        (PARENT, PARENT[3:35], True),
        (f"{PARENT[:-2]}00", PARENT[3:35], False),
        (f"{PARENT[:-2]}03", PARENT[3:35], True),
        (f"{PARENT[:-2]}ff", PARENT[3:35], True),
        (f"01{PARENT[2:]}-more", PARENT[3:35], True),
        (f"{PARENT}-more", "", True),
        (f"ff{PARENT[2:]}", "", True),
        (f"{PARENT[:3]}{'0' * 32}{PARENT[35:-2]}00", "", True),
        (f"{PARENT[:36]}{'0' * 16}{PARENT[52:-2]}00", "", True),
        (PARENT.upper(), "", True),
        ("nonsense", "", True),
    ],
)
def test_all_read_the_same_in_a_traceparent(spans, given, trace_id, wanted):
    assert traces.given(given.encode()) == trace_id
    assert traces.wanted(given.encode()) == wanted
    with traces.span("job", parent=given):
        handed = traces.here()
    assert len(spans()) == (wanted and trace_id != "")
    assert handed[3:35] == (trace_id if wanted else "")
    assert handed[-2:] == (given[53:55].replace("ff", "03") if handed else "")


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


async def test_of_answers_at_once_a_few_are_traced(spans):
    waiting = Ready()
    page = Alike("/api/v1/products", "/api/v1/products", 200)
    moment = monotonic()
    for _ in range(20):
        waiting.add(page, "asked", monotonic() - 0.25, PARENT.encode())
    waiting.close()
    told = spans()
    assert len(told) == traces.MOST_ALIKE
    assert {(one.name, one.kind.name, one.parent.is_remote, f"{one.parent.span_id:016x}") for one in told} == {
        ("GET /api/v1/products", "SERVER", True, "b7ad6b7169203331")
    }
    first = told[0]
    assert dict(first.attributes) == {
        "http.request.method": "GET", "http.route": "/api/v1/products", "http.request.id": "asked",
        "http.response.status_code": 200, "tfmshop.cache": "hit",
    }  # fmt: skip
    assert 0.25 <= (first.end_time - first.start_time) / 1e9 < 0.25 + monotonic() - moment
    assert abs(first.end_time - clock.epoch()) < 60e9
