"""Connections: what is ready is written at once and in order, and nobody holds one for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from tfmshop.surface.serving import connection
from tfmshop.surface.serving.connection import Connection

READY = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready"
HOST = b" HTTP/1.1\r\nHost: x\r\n"


class App:
    """What is asked for by path; what it was called for, and how its answers ended."""

    def __init__(self):
        self.called = []
        self.heard = []
        self.headers = []
        self.go_on = asyncio.Event()

    def at_once(self, target, headers, peer, write):
        if target != b"/ready" or (b"x-no", b"1") in headers:
            return False
        assert peer == "127.0.0.1"
        write(READY)
        return True

    async def __call__(self, scope, receive, send):
        path = scope["path"]
        self.called.append((scope["method"], path, scope["query_string"]))
        self.headers = scope["headers"]
        if path == "/waits":
            await self.go_on.wait()
        body = b""
        if path == "/body":
            more = True
            while more:
                message = await receive()
                self.heard.append(message["type"])
                body += message.get("body", b"")
                more = message.get("more_body", False)
            body = b"%d" % len(body)
        if path == "/huge":
            path = "x" * 20_000_000
        if path == "/parts":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for part in (b"one", b"", b"two"):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        if path == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            return
        length = {"/long": 1, "/short": 99}.get(path, len(body or path))
        extra = [(b"content-length", b"%d" % length)] if path != "/breaks" else []
        extra += [(b"x-a", b"a\r\nx-b: b")] if path.startswith("/break") else []
        await send({"type": "http.response.start", "status": 200, "headers": extra})
        await send({"type": "http.response.body", "body": body or path.encode()})


class Served:
    """A server of an application on a port."""

    def __init__(self, app):
        self.app, self.state = app, ServerState()
        self.state.default_headers = [(b"date", b"today")]
        self.config = Config(app, http=Connection, ws="none", lifespan="off", proxy_headers=False, interface="asgi3")
        self.made = []

    def connection(self):
        self.made.append(Connection(self.config, self.state, {}))
        return self.made[-1]

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def told(self, *sent: bytes, until: bytes | None = None) -> bytes:
        """Everything that comes of this, until the connection ends or something was heard."""
        reader, writer = await self.open()
        for part in sent:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        heard = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                while (part := await reader.read(1 << 16)) and (until is None or until not in heard + part):
                    heard += part
        writer.close()
        return heard + part


@pytest.fixture
async def served():
    one = Served(App())
    server = await asyncio.get_running_loop().create_server(one.connection, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    one.app.go_on.set()
    server.close()
    for each in one.made:
        if each.transport is not None:
            each.transport.abort()


async def test_what_is_ready_is_written_without_a_call(served):
    asked = b"GET /ready" + HOST + b"\r\n"
    assert await served.told(asked + asked, asked, until=3 * READY) == 3 * READY
    assert served.app.called == []


@pytest.mark.parametrize(
    "asked",
    [
        b"HEAD /ready" + HOST + b"\r\n", b"POST /ready" + HOST + b"Content-Length: 0\r\n\r\n",
        b"GET /ready HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", b"GET /ready?" + HOST + b"\r\n",
        b"GET /ready" + HOST + b"Connection: close\r\n\r\n", b"GET /ready" + HOST + b"X-No: 1\r\n\r\n",
        b"GET http://x/ready" + HOST + b"\r\n", b"GET /ready" + HOST + b"X: " + b"x" * 9000 + b"\r\n\r\n",
    ],
)  # fmt: skip
async def test_everything_else_is_called_for(served, asked):
    answer = await served.told(asked, until=b"content-length: 6\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ndate: today\r\n")
    assert served.app.called == [(asked.partition(b" ")[0].decode(), "/ready", b"")]


async def test_headers_that_come_in_parts_are_called_for(served):
    answer = await served.told(b"GET /ready HT", b"TP/1.1\r\nHo", b"st: x\r\n\r\n", until=b"/ready")
    assert answer.endswith(b"\r\n\r\n/ready")


async def test_answers_come_in_the_order_of_the_requests(served):
    reader, writer = await served.open()
    writer.write(b"GET /waits" + HOST + b"\r\nGET /ready" + HOST + b"\r\nGET /other" + HOST + b"\r\n")
    await asyncio.sleep(0.1)
    assert served.app.called == [("GET", "/waits", b"")]
    served.app.go_on.set()
    heard = b""
    async with asyncio.timeout(5):
        while b"/other" not in heard:
            heard += await reader.read(1 << 16)
    assert heard.index(b"/waits") < heard.index(b"/ready") < heard.index(b"/other")
    writer.write(b"GET /ready" + HOST + b"\r\n")
    assert await asyncio.wait_for(reader.readexactly(len(READY)), 5) == READY
    writer.close()


async def test_bodies_come_whole_in_whatever_way(served):
    whole = b"POST /body" + HOST + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000
    assert (await served.told(whole[:50_000], whole[50_000:], until=b"300000")).endswith(b"\r\n\r\n300000")
    chunked = b"POST /body" + HOST + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n", b"4\r\ndefg\r\n0\r\n\r\n"
    assert (await served.told(*chunked, until=b"\r\n\r\n7")).endswith(b"\r\n\r\n7")
    waiting = b"POST /body" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"ab"
    assert (await served.told(*waiting, until=b"\r\n\r\n2")).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


async def test_answers_have_a_length_or_are_in_chunks(served):
    parts = await served.told(b"GET /parts" + HOST + b"\r\n", until=b"0\r\n\r\n")
    assert parts.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    head = await served.told(b"HEAD /parts" + HOST + b"Connection: close\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "end"),
    [(b"/break", b"\r\n\r\nInternal Server Error"), (b"/long", b""), (b"/short", b"\r\n\r\n/short"),
     (b"/breaks", b"\r\n\r\nInternal Server Error")],
)  # fmt: skip
async def test_an_answer_that_breaks_the_protocol_ends_the_connection(served, path, end):
    answer = await served.told(b"GET " + path + HOST + b"\r\n")
    assert answer.endswith(end)
    assert b"\r\nx-b:" not in answer
    assert b"content-length: 21\r\n" in answer or not end.endswith(b"Error")
    assert b"chunked" not in answer
    assert answer if end else not answer
    await asyncio.sleep(0.05)
    assert not served.state.connections


async def test_what_is_no_http_is_refused_after_what_was_asked_before(served):
    assert (await served.told(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400")
    later = asyncio.create_task(served.told(b"GET /waits" + HOST + b"\r\n", b"nonsense\r\n\r\n"))
    await asyncio.sleep(0.2)
    served.app.go_on.set()
    answer = await later
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"connection: close\r\n\r\n/waits")


async def test_a_body_that_is_none_is_refused_and_the_application_hears_that_it_ends(served):
    asked = b"POST /body" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"nonsense\r\n"
    answer = await served.told(*asked)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 ") == 1
    await asyncio.sleep(0.05)
    assert served.app.heard == ["http.request", "http.disconnect"]


async def test_there_is_no_other_protocol(served):
    wish = HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    after = b"GET /ready" + HOST + b"\r\n"
    assert await served.told(b"GET /ready" + wish + b"\r\n" + after, until=2 * READY) == 2 * READY
    sent = b"POST /body" + wish + b"Content-Length: 5\r\n\r\nhe"
    assert b"\r\n\r\n5HTTP/1.1 200 OK" in await served.told(sent, b"llo" + after, until=b"\r\n\r\n/ready")
    assert (await served.told(b"CONNECT x:443" + HOST + b"\r\n")).startswith(b"HTTP/1.1 400")


async def test_what_comes_after_a_body_belongs_to_no_request(served):
    chunked = b"POST /body" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    for parts in ((chunked + b"X-Forwarded-For: 6.6.6.6\r\n\r\n",), (chunked, b"Host: y\r\n", b"\r\n")):
        assert (await served.told(*parts, until=b"\r\n\r\n3")).endswith(b"\r\n\r\n3")
        assert served.app.headers == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]
    endless = await served.told(chunked, *[b"A: b\r\n" * 5000 for _ in range(4)])
    assert endless.count(b"HTTP/1.1 ") == 1
    assert (await served.told(chunked[:-3] + b"3;" + b"x" * 30_000, *[b"x" * 30_000] * 3)).startswith(b"HTTP/1.1 400")


async def test_so_many_wait_in_a_connection(served):
    reader, writer = await served.open()
    writer.write((b"GET /waits" + HOST + b"\r\n") * 3000)
    await asyncio.sleep(0.2)
    (one,) = served.made
    assert len(one.pipeline) == connection.MOST_WAITING
    served.app.go_on.set()
    heard = await asyncio.wait_for(reader.read(), 5)
    assert heard.count(b"HTTP/1.1 200") == connection.MOST_WAITING + 1
    assert heard.count(b"connection: close") == 1
    writer.close()


async def test_requests_that_came_together_are_all_answered(served):
    one = b"GET /other" + HOST + b"X: " + b"x" * 900 + b"\r\n\r\n"
    reader, writer = await served.open()
    writer.write(90 * one + b"GET /oth")
    await asyncio.sleep(0.1)
    writer.write(b"er" + HOST + b"Connection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).count(b"HTTP/1.1 200") == 91
    writer.close()


async def test_who_vanishes_with_others_waiting_is_noticed(served):
    _, writer = await served.open()
    half = b"POST /body" + HOST + b"Content-Length: 5\r\n\r\nhello"
    writer.write(b"GET /waits" + HOST + b"\r\n" + half + half)
    await asyncio.sleep(0.1)
    (one,) = served.made
    running = one.cycle, one._running
    one.transport.abort()
    await asyncio.sleep(0.05)
    assert all(each.disconnected for each in running)
    assert not one.pipeline
    served.app.go_on.set()
    await asyncio.sleep(0.05)
    assert served.app.called == [("GET", "/waits", b"")]
    writer.close()


async def test_a_mistake_of_ours_is_told(served, capsys, monkeypatch):
    def fails(*_):
        raise KeyError("secret")

    monkeypatch.setattr(served.app, "at_once", fails)
    assert (await served.told(b"GET /ready" + HOST + b"\r\n")).startswith(b"HTTP/1.1 400")
    assert "KeyError" in "".join(capsys.readouterr())


async def test_who_does_not_read_one_answer_does_not_keep_the_next_one_waiting_for_ever(served):
    _, writer = await served.open()
    writer.write(b"GET /huge" + HOST + b"\r\nGET /other" + HOST + b"\r\n")
    await asyncio.sleep(0.2)
    (one,) = served.made
    assert one.cycle is not None
    assert not one.cycle.response_complete
    now = connection.monotonic()
    one.end_in_time(now)
    one.end_in_time(now + connection.IDLE_SECONDS - 1)
    assert one in served.state.connections
    one.end_in_time(now + connection.IDLE_SECONDS + 1)
    await asyncio.sleep(0.05)
    assert not served.state.connections
    assert not served.state.tasks
    writer.close()


async def test_a_queued_request_whose_body_breaks_hears_of_it(served):
    broken = b"POST /body" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n"
    later = asyncio.create_task(served.told(b"GET /waits" + HOST + b"\r\n" + broken))
    await asyncio.sleep(0.1)
    served.app.go_on.set()
    answer = await later
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"/waits")
    assert served.app.heard[-1:] == ["http.disconnect"]


async def test_a_body_that_comes_whole_after_its_answer_leaves_the_connection_open(served):
    reader, writer = await served.open()
    writer.write(b"POST /other" + HOST + b"Content-Length: 5\r\n\r\nhe")
    await reader.readuntil(b"/other")
    writer.write(b"llo")
    await asyncio.sleep(0.05)
    (one,) = served.made
    one.end_in_time(connection.monotonic() + connection.HEAD_SECONDS + 1)
    writer.write(b"GET /ready" + HOST + b"\r\n")
    assert await asyncio.wait_for(reader.readexactly(len(READY)), 5) == READY
    writer.close()


async def test_old_clients_get_no_chunks(served):
    answer = await served.told(b"GET /parts HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"connection: close\r\n\r\nonetwo")


async def test_a_body_that_breaks_after_its_answer_gets_no_second_one(served):
    sent = b"POST /other" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"nonsense\r\n"
    assert (await served.told(*sent)).count(b"HTTP/1.1 ") == 1


async def test_at_the_end_nobody_waits_for_who_does_not_read(served):
    _, writer = await served.open()
    writer.write(b"GET /flood" + HOST + b"\r\n")
    await asyncio.sleep(0.2)
    (one,) = served.made
    one.transport.close()
    one.end_in_time(connection.monotonic(), hurry=True)
    one.end_in_time(connection.monotonic() + connection.HEAD_SECONDS - 1, hurry=True)
    assert one in served.state.connections
    one.end_in_time(connection.monotonic() + connection.HEAD_SECONDS + 1, hurry=True)
    await asyncio.sleep(0.05)
    assert one not in served.state.connections
    writer.close()


async def test_headers_have_an_end(served):
    assert (await served.told(b"GET / HTTP/1.1\r\nX: " + b"x" * 80_000)).startswith(b"HTTP/1.1 400")
    answer = await served.told(b"GET /x" + HOST, *[b"X: " + b"x" * 30_000 + b"\r\n" for _ in range(3)])
    assert answer.startswith(b"HTTP/1.1 400")


async def test_who_sends_nothing_or_too_slowly_is_cut_off(served):
    silent, nothing = await served.open()
    slow, writer = await served.open()
    idle, asking = await served.open()
    asking.write(b"GET /ready" + HOST + b"\r\n")
    assert await idle.readexactly(len(READY)) == READY
    working, calling = await served.open()
    calling.write(b"GET /waits" + HOST + b"\r\n")
    writer.write(b"GET /x HTTP/1.1\r\nX: ")
    await asyncio.sleep(0.05)
    writer.write(b"a")  # which begins nothing anew
    await asyncio.sleep(0.05)
    now = connection.monotonic()
    assert _closed(served, now + connection.HEAD_SECONDS - 1) == 0
    assert _closed(served, now + connection.HEAD_SECONDS + 1) == 2
    assert await silent.read() == await slow.read() == b""
    assert _closed(served, now + connection.IDLE_SECONDS + 1) == 1
    assert await idle.read() == b""
    served.app.go_on.set()
    assert (await asyncio.wait_for(working.readuntil(b"/waits"), 5)).startswith(b"HTTP/1.1 200")
    for one in (nothing, writer, asking, calling):
        one.close()


def _closed(served, now: float) -> int:
    """How many connections a look at them closes."""
    before = [one for one in served.made if one.transport.is_closing()]
    for one in served.made:
        one.end_in_time(now)
    return sum(one.transport.is_closing() for one in served.made) - len(before)


async def test_who_does_not_take_what_is_sent_is_cut_off(served):
    _, writer = await served.open()
    writer.write(b"GET /flood" + HOST + b"\r\n")
    await asyncio.sleep(0.2)
    (one,) = served.made
    assert one.transport.get_write_buffer_size() > 0
    one.transport.close()  # as after the deadline of the answer
    now = connection.monotonic()
    one.end_in_time(now)
    assert one in served.state.connections
    one.end_in_time(now + connection.IDLE_SECONDS + 1)
    await asyncio.sleep(0.05)
    assert one not in served.state.connections
    writer.close()


async def test_a_worker_holds_so_many_connections(served, monkeypatch):
    monkeypatch.setattr(Connection, "most", 1)
    reader, writer = await served.open()
    writer.write(b"GET /ready" + HOST + b"\r\n")
    assert await reader.readexactly(len(READY)) == READY
    other, refused = await served.open()
    with suppress(ConnectionError):
        assert await other.read() == b""
    writer.close()
    refused.close()
    await asyncio.sleep(0.05)
    assert await served.told(b"GET /ready" + HOST + b"\r\n", until=READY) == READY
