"""Traces by OpenTelemetry: a request, the verbs it calls, and what each asks of PostgreSQL, Redis and others.

Off, they cost a look at one name. The SDK is an extra (`traces`) and is loaded where they are switched on. A span is
made when it has ended: until then there are its ids, for what belongs to it.
"""

from __future__ import annotations

import functools
import inspect
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe.alike import FAILED, Answered

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanContext

    from tfmshop.platform.observe.spans import Spans

CONSOLE: Final = "console"
MOST_ALIKE: Final = 10
"""Spans of answers from memory that a process makes in a second."""
_PARENT: Final = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
"""A `traceparent` by W3C Trace Context: zeros stand for nothing, there is no version ff, and of later ones than 00 what
is known of is read.
"""

_inside: ContextVar[SpanContext | None] = ContextVar("the span that what is done now belongs to", default=None)
on = False
"""Whether traces are made: looked at before anything else is done for them."""


class _Made:
    """What makes spans; there is nothing of it until `start`."""

    spans: Spans
    part = 1.0


class _Alike:
    """How many spans of answers from memory this second still takes."""

    ends, left = 0.0, 0

    @classmethod
    def has_room(cls, now: float) -> bool:
        """Whether there may be one more."""
        if now >= cls.ends:
            cls.ends, cls.left = now + 1, MOST_ALIKE
        return cls.left > 0


def start(url: str, percent: int, service: str, processor: SpanProcessor | None = None) -> None:
    """Make traces from now on and send them to an OTLP collector, or to standard error with `console`; of so many of a
    hundred requests that do not come with a decision. ImportError where the SDK is not installed.
    """
    global on
    from tfmshop.platform.observe.spans import Spans, batched

    _Made.part = percent / 100
    _Made.spans = Spans(service, processor or batched("" if url == CONSOLE else url))
    on = True


def stop() -> None:
    """Send what waits, and make no more."""
    global on
    if on:
        on = False
        _Made.spans.close()


def given(traceparent: bytes | None) -> str:
    """The id of the trace that a client's `traceparent` names (W3C Trace Context), or nothing."""
    found = _PARENT.fullmatch(traceparent) if traceparent else None
    return found[1].decode() if found else ""


def wanted(traceparent: bytes | None) -> bool:
    """Whether there is to be a trace of a request: by chance, and not where who asks does not want one. That they do
    want one is no reason: anybody may say so. Asked before anything is made: a span that is not kept would cost as much
    as an answer from memory.
    """
    found = _PARENT.fullmatch(traceparent) if traceparent else None
    if found and not int(found[3], 16) & 1:
        return False
    return random.random() < _Made.part  # noqa: S311 - a sample, no secret


class Request:
    """The span of a request, as long as it is answered."""

    __slots__ = ("_attributes", "_began", "_context", "_name", "_parent", "_token", "trace_id")

    def __init__(self, method: str, route: str, traceparent: bytes | None, request_id: str) -> None:
        self._name, self._began = f"{method} {route}", monotonic()
        self._attributes = _asked(method, route, request_id)
        self._parent = _parent(traceparent)
        self._context = _Made.spans.begin(self._parent)
        self._token = _inside.set(self._context)
        self.trace_id = f"{self._context.trace_id:032x}"

    def end(self, status: int) -> None:
        """It was answered."""
        _inside.reset(self._token)
        self._attributes["http.response.status_code"] = status
        seconds, failed = monotonic() - self._began, "" if status >= FAILED else None
        _Made.spans.end(self._name, self._context, self._parent, seconds, kind="SERVER",
                        attributes=self._attributes, failed=failed)  # fmt: skip


def answered(answers: Iterable[Answered]) -> None:
    """Requests that were answered at once: of those from memory a few of a second, since all of them look the same; of
    those that were turned away none.
    """
    for alike, request_id, came, ended, traceparent in answers:
        if not _Alike.has_room(ended):
            return
        if alike.status >= FAILED or not wanted(traceparent):
            continue
        _Alike.left -= 1
        attributes = _asked(alike.method, alike.timed.route, request_id)
        attributes |= {"http.response.status_code": alike.status, "tfmshop.cache": "hit"}
        name, parent = f"{alike.method} {alike.timed.route}", _parent(traceparent)
        _ended(name, ended - came, attributes, parent, kind="SERVER", ago=monotonic() - ended)


def _asked(method: str, route: str, request_id: str) -> dict[str, Any]:
    return {"http.request.method": method, "http.route": route, "http.request.id": request_id}


def query(name: str, seconds: float, error: BaseException | None) -> None:
    """A statement that ran."""
    if parent := _inside.get():
        attributes = {"db.system.name": "postgresql", "db.query.summary": name}
        _ended(name, seconds, attributes, parent, failed=None if error is None else type(error).__name__)


def call(name: str, seconds: float, outcome: str) -> None:
    """Something that was asked of another program, and how it came out."""
    if parent := _inside.get():
        _ended(name, seconds, {"tfmshop.outcome": outcome}, parent)


def _ended(
    name: str, seconds: float, attributes: dict[str, Any], parent: SpanContext | None, *, kind: str = "CLIENT",
    failed: str | None = None, ago: float = 0.0,
) -> None:  # fmt: skip
    _Made.spans.end(name, _Made.spans.begin(parent), parent, seconds, ago=ago, kind=kind, attributes=attributes,
                    failed=failed)  # fmt: skip


def here() -> str:
    """What a job is given so that it belongs to this trace (`traceparent` of W3C Trace Context); empty without one."""
    found = _inside.get() if on else None
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}" if found else ""


@contextmanager
def span(name: str, *, first: bool = False, parent: str = "") -> Iterator[None]:
    """Everything inside the block belongs to this; `first` begins a trace where there is none, and a `parent` has one
    already, or has none on purpose.
    """
    outer = (_parent(parent.encode()) or _inside.get()) if on else None
    if not (outer.trace_flags.sampled if outer else on and first and wanted(None)):
        yield
        return
    began = monotonic()
    context = _Made.spans.begin(outer)
    token = _inside.set(context)
    try:
        yield
    finally:
        _inside.reset(token)
        _Made.spans.end(name, context, outer, monotonic() - began)


def follow(faces: list[ModuleType]) -> None:
    """Have every verb of these modules make a span whenever it is called by way of its face."""
    for face in faces:
        for name in getattr(face, "__all__", ()):
            verb = getattr(face, name)
            if inspect.iscoroutinefunction(verb) and not hasattr(verb, "__wrapped__"):
                setattr(face, name, _followed(f"{face.__name__.rpartition('.')[2]}.{name}", verb))


def _followed(name: str, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(verb)
    async def followed(*args: Any, **named: Any) -> Any:
        if not _inside.get():
            return await verb(*args, **named)
        with span(name):
            return await verb(*args, **named)

    return followed


def _parent(traceparent: bytes | None) -> SpanContext | None:
    """The span of whoever asks, where they name one."""
    found = _PARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    from tfmshop.platform.observe.spans import remote

    return remote(*found.groups())
