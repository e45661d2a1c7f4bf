"""Logs: one JSON object a line with ECS field names, or readable text in a terminal; secrets never appear."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from tfmshop.platform import codec
from tfmshop.platform.observe.access import AccessLog

LEVELS: Final = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "http": logging.INFO,
                 "debug": logging.DEBUG}  # fmt: skip
WITH_ACCESS: Final = {"http", "debug"}
"""The levels that show every request, too."""
SECRET_WORDS: Final = ("password", "token", "secret", "authorization", "cookie", "card")
HIDDEN: Final = "(hidden)"

Event = MutableMapping[str, Any]
_requests = structlog.get_logger("access")


class _Access:
    """Where lines about requests go: nowhere, as JSON to a writer of their own, or as text with the other events."""

    shown = False
    lines: AccessLog | None = None


def access(method: str, path: str, status: int, request_id: str, seconds: float) -> None:
    """Log a request that was answered, where the level shows them."""
    if _Access.lines is not None:
        _Access.lines.note(method, path, status, request_id, seconds)
    elif _Access.shown:
        milliseconds = round(seconds * 1000, 2)
        _requests.info(
            "request", method=method, path=path, status=status, request_id=request_id, milliseconds=milliseconds
        )


def flush() -> None:
    """Write what waits."""
    if _Access.lines is not None:
        _Access.lines.flush()


def configure(level: str, form: str) -> None:
    """Send events of at least `level` to standard error as `form`: json, text, or auto (text in a terminal)."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    _Access.shown = level in WITH_ACCESS
    _Access.lines = AccessLog() if _Access.shown and not as_text else None
    render: Any = _text() if as_text else _render_json
    names: list[Any] = [_in_one_line] if as_text else [_ecs_names]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_secrets,
            structlog.processors.format_exc_info,
            *names,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("pgqueuer").setLevel(logging.ERROR)


def _text() -> Any:
    """Readable lines; tracebacks without the values of variables, among which may be secrets."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def hide_secrets(_: object, __: str, event: Event) -> Event:
    """Replace the values of fields whose name speaks of a secret, at any depth."""
    _hide(event)
    return event


def _hide(event: MutableMapping[str, Any]) -> None:
    for name, value in event.items():
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = HIDDEN
        elif isinstance(value, dict):
            event[name] = dict(value)
            _hide(event[name])


def _in_one_line(_: object, __: str, event: Event) -> Event:
    """Spell control characters out: what somebody sent must not start a line of its own, nor steer a terminal."""
    return {name: _plainly(value) if isinstance(value, str) and name != "exception" else value
            for name, value in event.items()}  # fmt: skip


def _plainly(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _ecs_names(_: object, __: str, event: Event) -> Event:
    event["@timestamp"] = event.pop("timestamp")
    event["log.level"] = event.pop("level")
    event["message"] = event.pop("event")
    if "exception" in event:
        event["error.stack_trace"] = event.pop("exception")
    return event


def _render_json(_: object, __: str, event: Event) -> str:
    return codec.encode_text({key: value if _plain(value) else str(value) for key, value in event.items()})


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _plain(part) for name, part in value.items())
    return isinstance(value, str | int | float | bool | type(None))
