"""How an event is written: names of the Elastic Common Schema, no secrets, one line."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, Final

from tfmshop.platform import codec

Event = MutableMapping[str, Any]
SECRET_WORDS: Final = ("password", "token", "secret", "authorization", "cookie", "card")
HIDDEN: Final = "(hidden)"
DATASET: Final = "event.dataset"
ECS: Final = {
    "timestamp": "@timestamp", "level": "log.level", "event": "message", "exception": "error.stack_trace",
    "request_id": "http.request.id", "trace_id": "trace.id", "method": "http.request.method", "path": "url.path",
    "status": "http.response.status_code", "address": "client.address",
}  # fmt: skip
"""Names of the Elastic Common Schema for what ours are called in the code."""


def hide_secrets(_: object, __: str, event: Event) -> Event:
    """Replace the values of fields whose name speaks of a secret, at any depth."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: str, value: object) -> object:
    if any(word in name.lower() for word in SECRET_WORDS):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _shown(str(key), part) for key, part in value.items()}
    return [_shown("", part) for part in value] if isinstance(value, list | tuple) else value


def in_one_line(_: object, __: str, event: Event) -> Event:
    """Spell control characters out: what somebody sent must not start a line of its own, nor steer a terminal."""
    return {name: _plainly(value) if isinstance(value, str) and name != "exception" else value
            for name, value in event.items()}  # fmt: skip


def _plainly(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def ecs_names(_: object, __: str, event: Event) -> Event:
    """Give fields their names of the Elastic Common Schema."""
    for ours, theirs in ECS.items():
        if ours in event:
            event[theirs] = event.pop(ours)
    return event


def render_json(_: object, __: str, event: Event) -> str:
    """One line of JSON; what JSON does not know becomes text."""
    return codec.encode_text({key: value if _plain(value) else str(value) for key, value in event.items()})


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _plain(part) for name, part in value.items())
    return isinstance(value, str | int | float | bool | datetime | type(None))
