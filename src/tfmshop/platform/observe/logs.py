"""Logs: one JSON object a line with ECS field names, or readable text in a terminal; secrets never appear."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import date
from math import inf
from typing import Any, Final

import structlog

from tfmshop.platform import clock
from tfmshop.platform.observe import stderr
from tfmshop.platform.observe.access import EACH, AccessLog
from tfmshop.platform.observe.alike import LONGEST_PATH, Answered
from tfmshop.platform.observe.ecs import DATASET, Event, ecs_names, hide_secrets, in_one_line, render_json
from tfmshop.platform.observe.files import FILES

LEVELS: Final = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "http": logging.INFO,
                 "debug": logging.DEBUG}  # fmt: skip
WITH_ACCESS: Final = {"http", "debug"}
"""The levels that show every request, too."""

_requests = structlog.get_logger("access")
_performance = structlog.get_logger("performance")

asked: ContextVar[tuple[str, str]] = ContextVar("the request and the trace that this is about", default=("", ""))
"""Ids of the request and of the trace, empty where there is none."""


class _Access:
    """Where lines about requests go: to a writer of their own, or as text with the other events."""

    shown = False
    lines: AccessLog | None = None


class _Slow:
    """From how many seconds on something is slow."""

    request = query = job = float("inf")


def access(method: str, path: str, status: int, request_id: str, seconds: float, trace_id: str = "") -> None:
    """Log a request that was answered, where the level shows them or there is a file for them."""
    path = path[:LONGEST_PATH]
    if _Access.lines is not None:
        _Access.lines.note(method, path, status, request_id, seconds, trace_id)
    if _Access.shown or seconds >= _Slow.request:
        _tell(method, path, status, request_id, seconds)


def room() -> tuple[float, float]:
    """How many requests that are answered at once may be told of one by one from now on, and from how many seconds on
    each of them is.
    """
    if _Access.shown:
        return inf, 0.0
    return (_Access.lines.room_at_once() if _Access.lines is not None else 0), _Slow.request


def answered(told: Sequence[Answered], count: int) -> None:
    """The same of requests that were answered at once: so many, some of which are told of."""
    if _Access.lines is not None:
        _Access.lines.note_all(told, count)
    limit = 0.0 if _Access.shown else _Slow.request
    for alike, request_id, came, ended, _ in told:
        if ended - came >= limit:
            _tell(alike.method, alike.path, alike.status, request_id, ended - came)


def _tell(method: str, path: str, status: int, request_id: str, seconds: float) -> None:
    if _Access.shown:
        milliseconds = round(seconds * 1000, 2)
        _requests.info(
            "request", method=method, path=path, status=status, request_id=request_id, milliseconds=milliseconds,
            **{DATASET: "access"},
        )  # fmt: skip
    if seconds >= _Slow.request:
        slow("request", method=method, path=path, status=status, request_id=request_id, seconds=round(seconds, 4))


def slow(what: str, **facts: Any) -> None:
    """Tell of something that took too long, in the performance log too."""
    facts = {DATASET: "performance", **facts}
    _performance.warning(f"slow {what}", **facts)
    now = clock.now()
    line = named({"timestamp": now, "level": "warning", "event": f"slow {what}", **facts})
    FILES.write("performance", now.date(), render_json(None, "", line).encode() + b"\n")


def too_slow(what: str, seconds: float) -> bool:
    """Whether a request, a query or a job that took so long is slow."""
    limit: float = getattr(_Slow, what)
    return seconds >= limit


def slow_from(*, request: float, query: float, job: float) -> None:
    """From how many seconds on requests, queries and jobs are slow."""
    _Slow.request, _Slow.query, _Slow.job = request, query, job


def flush() -> None:
    """Write what waits."""
    if _Access.lines is not None:
        _Access.lines.flush()


def configure(level: str, form: str, rate: int = EACH) -> None:
    """Send events of at least `level` to standard error as `form`: json, text, or auto (text in a terminal); and to
    files where `FILES` has a folder; of requests at most `rate` lines a second.
    """
    as_text = form == "text" or (form == "auto" and stderr.is_terminal())
    shown, filed = level in WITH_ACCESS, "app" in FILES.kinds
    _Access.shown = shown and as_text
    in_json = shown and not as_text
    _Access.lines = AccessLog(shown=in_json, rate=rate) if in_json or filed else None
    render: Any = _text() if as_text else render_json
    names: list[Any] = [in_one_line] if as_text else [ecs_names]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _of_the_request,
            hide_secrets,
            structlog.processors.format_exc_info,
            *([_to_files] if filed else []),
            *names,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stderr.stream()),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=stderr.stream(), format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("pgqueuer").setLevel(logging.ERROR)


def _of_the_request(_: object, __: str, event: Event) -> Event:
    request_id, trace_id = asked.get()
    if request_id:
        event.setdefault("request_id", request_id)
    if trace_id:
        event.setdefault("trace_id", trace_id)
    return event


def _to_files(_: object, __: str, event: Event) -> Event:
    """Write a copy into the files app and, of errors, error; what has a file of its own is written there already."""
    if DATASET not in event:
        line = ecs_names(None, "", dict(event))
        content = render_json(None, "", line).encode() + b"\n"
        day = date.fromisoformat(line["@timestamp"][:10])
        FILES.write("app", day, content)
        if line["log.level"] in ("error", "critical"):
            FILES.write("error", day, content)
    return event


def _text() -> Any:
    """Readable lines; tracebacks without the values of variables, among which may be secrets."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def named(event: Event) -> Event:
    """An event that is written past the log, as the log would have it: with the request's id, no secrets, ECS names."""
    return ecs_names(None, "", hide_secrets(None, "", _of_the_request(None, "", event)))
