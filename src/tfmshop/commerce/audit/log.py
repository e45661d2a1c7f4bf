"""Noting what staff did, and looking it up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from tfmshop.commerce.audit.store import HOLD_HEAD, LIST, LIST_BY, LIST_OF_SUBJECT, NOTE
from tfmshop.platform import clock, codec
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.security.seals import Seals

NEWEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Act:
    """Something that staff does: to what, how it was before and is after (any JSON), from where, in which request."""

    who: str
    action: str
    subject: str
    before: object = None
    after: object = None
    address: str = ""
    request_id: str = ""


class Entry(msgspec.Struct, frozen=True):
    """An act as it was noted."""

    number: int
    at: datetime
    who: str
    action: str
    subject: str
    before: msgspec.Raw
    after: msgspec.Raw
    address: str
    request_id: str


async def note(tx: Tx, seals: Seals, act: Act) -> int:
    """Note an act in the transaction of its change; its number. Who notes the next one waits for the end of `tx`."""
    head = await tx.row(HOLD_HEAD)
    assert head is not None  # noqa: S101 - the schema has it
    number: int = head["number"] + 1
    at = clock.now()
    before, after = codec.encode_text(act.before), codec.encode_text(act.after)
    said = (act.who, act.action, act.subject[:500], before, after, act.address[:100], act.request_id[:100])
    seal = seals.seal(sealed_part(number, at, said, head["seal"]))
    await tx.execute(NOTE, number, at, *said, head["seal"], seal)
    return number


def sealed_part(number: int, at: datetime, said: tuple[str, ...], previous: bytes) -> bytes:
    """The bytes that an entry's seal is over: everything in it, and the seal of the entry before."""
    return codec.encode([number, at.isoformat(), *said, previous.hex()])


async def listed(
    tx: Tx, *, limit: int, before: int | None = None, subject: str | None = None, who: str | None = None
) -> list[Entry]:
    """What was done, the newest first: to one subject, or by one person, or all of it."""
    start = NEWEST if before is None else before
    if subject is not None:
        rows = await tx.rows(LIST_OF_SUBJECT, start, limit, subject)
    elif who is not None:
        rows = await tx.rows(LIST_BY, start, limit, who)
    else:
        rows = await tx.rows(LIST, start, limit)
    return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
    return Entry(**dict(row) | {name: codec.as_is(row[name]) for name in ("before", "after")})
