"""The way out: what every answer gets, an ETag, 304, and answers of the edge's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tfmshop.surface.http.edge.body import Message, Scope, Send
from tfmshop.surface.http.edge.deadlines import Deadline
from tfmshop.surface.http.edge.headers import API, HTTPS_ONLY, NO_STORE, OWN_POLICY, PICTURES, Headers, page
from tfmshop.surface.http.edge.page import Form, tag_of
from tfmshop.surface.http.problems import Problem

_OF_THE_BODY: Final = {b"content-length", b"content-type"}


class Exit:
    """What happens to a response on its way out."""

    __slots__ = (
        "_begun", "_ended", "_extra", "_scope", "_send", "_start", "request_id", "status", "told", "until",
    )  # fmt: skip

    def __init__(
        self, scope: Scope, send: Send, request_id: str, extra: Headers, until: Deadline, ended: Callable[[int], None]
    ) -> None:
        """`ended` is told the status once, before the client has the whole answer: what it was told, is counted."""
        self._scope = scope
        self._send = send
        self._extra = extra
        self._start: Message | None = None
        self._begun = False
        self.told: Headers = []
        """What the answer says of the client's allowance."""
        self.until = until
        """The deadline of the answer; each piece of a stream has as long as the whole of another one."""
        self.request_id = request_id
        self.status = 500
        self._ended: Callable[[int], None] | None = ended

    def end(self) -> None:
        """The answer is there, or there is none."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self.status)

    async def send(self, message: Message) -> None:
        """Add headers to the start; give a whole body an ETag, and answer 304 when the client has it."""
        start = self._start
        if start is None and message["type"] == "http.response.start":
            self._start = message
            self.status = message["status"]
            return
        if start is not None:
            self._start = None
            self._begun = True
            given = start.get("headers", ())
            headers = [*given, (b"x-request-id", self.request_id.encode()), *self._standing(given)]
            headers += [*self.told, *self._extra]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(NO_STORE)
            if self._scope["scheme"] == "https":
                headers.append(HTTPS_ONLY)
            start["headers"] = headers
            if self.status == 200 and self._scope["method"] == "GET" and not message.get("more_body"):
                message = self._tag(start, message)
            await self._send(start)
        if message.get("more_body"):
            self.until.renew()
        else:
            self.end()
        await self._send(message)

    def _standing(self, given: Headers) -> Headers:
        """The headers of every answer; pictures may be shown by other sites, and pages have forms."""
        if self.status == 200 and self._scope["path"].startswith("/api/v1/media/"):
            return PICTURES
        if any(value.startswith(b"text/html") for name, value in given if name == b"content-type"):
            return OWN_POLICY if any(name == b"content-security-policy" for name, _ in given) else page()
        return API

    async def show(self, form: Form, status: int, has: bytes | None) -> None:
        """Answer with a page that is ready, or tell the client that it has it."""
        start, end = answer(form, status, has, self.request_id, self._scope["scheme"], [*self.told, *self._extra])
        self.status, self._begun = start["status"], True
        await self._send(start)
        self.end()
        await self._send(end)

    async def refuse(self, problem: Problem) -> None:
        """Answer with a problem instead of the framework; an answer that was begun is cut off."""
        if self._begun:
            self.status = problem.status
            raise ConnectionAbortedError(problem.detail)
        body = problem.encode(self.request_id)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
        if problem.status in (429, 503):
            headers.append((b"retry-after", b"%d" % problem.facts.get("retry_after", 1)))
        await self._whole(problem.status, headers, body)

    async def agree(self, headers: Headers) -> None:
        """Answer a browser that asks beforehand."""
        await self._whole(204, headers, b"")

    async def _whole(self, status: int, headers: Headers, body: bytes) -> None:
        self._start = None
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def _tag(self, start: Message, message: Message) -> Message:
        body = message.get("body", b"")
        tag = next((value for name, value in start["headers"] if name == b"etag"), b"")
        if not tag:
            tag = tag_of(body)
            start["headers"].append((b"etag", tag))
        for name, value in self._scope["headers"]:
            if name == b"if-none-match" and (value == b"*" or tag in _tags(value)):
                start["status"] = self.status = 304
                start["headers"] = [pair for pair in start["headers"] if pair[0] not in _OF_THE_BODY]
                return {"type": "http.response.body", "body": b"", "more_body": False}
        return message


def answer(
    form: Form, status: int, has: bytes | None, request_id: str, scheme: str, shared: Headers
) -> tuple[Message, Message]:
    """The two messages of a page that is ready, or of 304 for a client that has it."""
    body, headers = form.body, form.headers
    if has is not None and status == 200 and has_it(form, has):
        status, body, headers = 304, b"", form.same
    headers = [*headers, (b"x-request-id", request_id.encode()), *shared]
    if scheme == "https":
        headers.append(HTTPS_ONLY)
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body, "more_body": False},
    )


def has_it(form: Form, has: bytes) -> bool:
    """Whether a client that says what it has (`If-None-Match`) has this page."""
    return has == b"*" or form.tag in _tags(has)


def without_body(send: Send) -> Send:
    """HEAD is GET without the body."""

    async def without(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without


def _tags(header: bytes) -> list[bytes]:
    """The tags of an If-None-Match, weak or strong."""
    return [one.strip().removeprefix(b"W/") for one in header.split(b",")]
