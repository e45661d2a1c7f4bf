"""Traces by OpenTelemetry: a request, the verbs it calls, and what each asks of PostgreSQL, Redis and others.

Off, they cost a look at one name. The SDK is an extra (`traces`) and is loaded where they are switched on. Statements
and calls are told when they have ended: nothing happens inside of them, so nothing must be kept while they run.
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

from tfmshop import __version__
from tfmshop.platform.clock import monotonic
from tfmshop.platform.observe.alike import FAILED, Answered

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

CONSOLE: Final = "console"
MOST_ALIKE: Final = 10
"""Spans of answers from memory that a process makes in a second."""
_PARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

_inside: ContextVar[bool] = ContextVar("whether this belongs to something that is traced", default=False)
"""OpenTelemetry would tell, too: in a hundred times the time, for each statement of what is not traced."""
on = False
"""Whether traces are made: looked at before anything else is done for them."""


class _Made:
    """What makes spans; nothing until `start`."""

    provider: TracerProvider | None = None
    tracer: Any = None
    part = 1.0


class _Alike:
    """How many spans of answers from memory this second still takes. One costs 70 us, the answer itself 30."""

    ends, left = 0.0, 0

    @classmethod
    def has_room(cls, now: float) -> bool:
        """Whether there may be one more."""
        if now >= cls.ends:
            cls.ends, cls.left = now + 1, MOST_ALIKE
        return cls.left > 0


def start(url: str, percent: int, service: str, exporter: SpanExporter | None = None) -> None:
    """Make traces from now on and send them to an OTLP collector, or to standard error with `console`; of so many of a
    hundred requests that do not come with a decision. ImportError where the SDK is not installed.
    """
    global on
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    resource = Resource.create({"service.name": service, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    _Made.part = percent / 100
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(_exporter(url)))
    _Made.provider, _Made.tracer = provider, provider.get_tracer("tfmshop", __version__)
    on = True


def stop() -> None:
    """Send what waits, and make no more."""
    global on
    on = False
    if _Made.provider is not None:
        _Made.provider.shutdown()
    _Made.provider = _Made.tracer = None


def _exporter(url: str) -> SpanExporter:
    if url == CONSOLE:
        from tfmshop.platform.observe.spans import Lines

        return Lines()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=url)


def given(traceparent: bytes | None) -> str:
    """The id of the trace that a client's `traceparent` names (W3C Trace Context), or nothing."""
    found = _PARENT.fullmatch(traceparent) if traceparent else None
    return found[1].decode() if found and found[1] != b"0" * 32 else ""


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

    __slots__ = ("_inside", "_span", "_token", "trace_id")

    def __init__(self, method: str, route: str, traceparent: bytes | None, request_id: str) -> None:
        from opentelemetry import context, trace

        self._span = _Made.tracer.start_span(
            f"{method} {route}", context=_parent(traceparent), kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": route, "http.request.id": request_id},
        )  # fmt: skip
        self._token = context.attach(trace.set_span_in_context(self._span))
        self._inside = _inside.set(True)
        self.trace_id = f"{self._span.get_span_context().trace_id:032x}"

    def end(self, status: int) -> None:
        """It was answered."""
        from opentelemetry import context, trace

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
        context.detach(self._token)
        _inside.reset(self._inside)


def answered(answers: Iterable[Answered]) -> None:
    """Requests that were answered at once: of those from memory a few of a second, since all of them look the same; of
    those that were turned away none.
    """
    from opentelemetry import trace

    for alike, request_id, came, ended, traceparent in answers:
        if not _Alike.has_room(ended):
            return
        if alike.status >= FAILED or not wanted(traceparent):
            continue
        _Alike.left -= 1
        route = alike.timed.route
        attributes = {"http.request.method": alike.method, "http.route": route, "http.request.id": request_id,
                      "http.response.status_code": alike.status, "tfmshop.cache": "hit"}  # fmt: skip
        _ended(f"{alike.method} {route}", ended - came, attributes, trace.SpanKind.SERVER, context=_parent(traceparent),
               ago=monotonic() - ended)  # fmt: skip


def query(name: str, seconds: float, error: BaseException | None) -> None:
    """A statement that ran."""
    if not _inside.get():
        return
    from opentelemetry import trace

    attributes = {"db.system.name": "postgresql", "db.query.summary": name}
    _ended(name, seconds, attributes, trace.SpanKind.CLIENT, error)


def call(name: str, seconds: float, outcome: str) -> None:
    """Something that was asked of another program, and how it came out."""
    if not _inside.get():
        return
    from opentelemetry import trace

    _ended(name, seconds, {"tfmshop.outcome": outcome}, trace.SpanKind.CLIENT)


def here() -> str:
    """What a job is given so that it belongs to this trace (`traceparent` of W3C Trace Context); empty without one."""
    if not on or not _inside.get():
        return ""
    from opentelemetry import trace

    found = trace.get_current_span().get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"


@contextmanager
def span(name: str, *, first: bool = False, parent: str = "") -> Iterator[None]:
    """Everything inside the block belongs to this; `first` begins a trace where there is none, and a `parent` has one
    already.
    """
    if not on or not (parent or _inside.get() or (first and wanted(None))):
        yield
        return
    context = _parent(parent.encode()) if parent else None
    token = _inside.set(True)
    try:
        with _Made.tracer.start_as_current_span(name, context, record_exception=False, set_status_on_exception=False):
            yield
    finally:
        _inside.reset(token)


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


def _ended(
    name: str, seconds: float, attributes: dict[str, Any], kind: Any, error: BaseException | None = None,
    context: Any = None, ago: float = 0.0,
) -> None:  # fmt: skip
    from time import time_ns

    from opentelemetry import trace

    now = time_ns() - int(1e9 * ago)
    span = _Made.tracer.start_span(name, context=context, kind=kind, attributes=attributes,
                                   start_time=now - int(1e9 * seconds))  # fmt: skip
    if error is not None:
        span.set_status(trace.StatusCode.ERROR, type(error).__name__)
    span.end(end_time=now)


def _parent(traceparent: bytes | None) -> Any:
    """The context of whoever asks: an empty one where they name none."""
    from opentelemetry import trace
    from opentelemetry.context import Context

    found = _PARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return Context()
    asking = trace.SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True,
                               trace_flags=trace.TraceFlags(int(found[3], 16)))  # fmt: skip
    return trace.set_span_in_context(trace.NonRecordingSpan(asking), Context())
