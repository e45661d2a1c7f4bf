"""Sessions: begun by signing in, renewed with a refresh token that is good once, listed, ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.errors import InvalidCredentials, SessionNotFound, SignInRequired
from tfmshop.commerce.accounts.permissions import CUSTOMER
from tfmshop.commerce.accounts.store_sessions import BEGIN, END, HOLD, LIST, LIVE, LIVES, REMEMBERED, RENEW
from tfmshop.platform import clock, ids
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.seals import Sealed, Seals, opened

PURPOSE: Final = "refresh"
LIFETIME: Final = timedelta(days=30)
"""How long a session lasts that is not renewed."""
LONGEST: Final = timedelta(days=180)
LONGEST_OF_STAFF: Final = timedelta(hours=12)
"""How long a session lasts however often it is renewed."""
GRACE: Final = timedelta(seconds=10)
"""How long the token before is answered with the same successor: a client whose answer was lost is no thief."""
SALT_BYTES: Final = 16


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a person is signed in, or was; `current` is the session that asks."""

    id: UUID
    created_at: datetime
    renewed_at: datetime
    user_agent: str
    address: str
    current: bool
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A person with a session, the refresh token that is good next, and the hash that is kept of their password."""

    viewer: Viewer
    session: UUID
    refresh_token: str = field(repr=False)
    kept: str = field(repr=False)


async def begin(tx: Tx, seals: Seals, person: Viewer, checked: str, *, user_agent: str, address: str) -> Signed:
    """A new session of a person whose password fitted the hash that was `checked`; nobody changed it since.

    `InvalidCredentials`.
    """
    id, salt, now = ids.new(), ids.secret(SALT_BYTES), clock.now()
    lasts = LIFETIME if person.role == CUSTOMER else LONGEST_OF_STAFF
    if not await tx.execute(
        BEGIN, id, person.id, salt, now, now + lasts, user_agent[:300], address[:100], person.strong, checked
    ):
        raise InvalidCredentials
    return Signed(Viewer(person.id, person.role, id, person.strong), id, seals.token(PURPOSE, id, salt), checked)


async def renew(tx: Tx, seals: Seals, token: str) -> Signed | None:
    """The session of a refresh token, which is good no more; None when it is not good.

    A token that was used before ends its session: somebody else has it.
    """
    sealed = opened(token)
    row = await tx.row(HOLD, sealed.id) if sealed else None
    if sealed is None or row is None or not seals.fits(sealed, PURPOSE, row["salt"]):
        return None
    now = clock.now()
    if row["ended_at"] is not None or row["expires_at"] <= now or not row["is_active"]:
        return None
    number = _next(sealed, row, now)
    if number is None:
        await tx.execute(END, row["customer_id"], row["id"], None, "a used token came again")
        return None
    if number > row["number"]:
        longest = LONGEST if row["role"] == CUSTOMER else LONGEST_OF_STAFF
        await tx.execute(RENEW, row["id"], now, min(now + LIFETIME, row["created_at"] + longest))
    viewer = Viewer(row["customer_id"], row["role"], row["id"], row["strong"])
    return Signed(viewer, row["id"], seals.token(PURPOSE, row["id"], row["salt"], number), row["password_hash"])


def _next(sealed: Sealed, row: Row, now: datetime) -> int | None:
    """The number of the token that follows; None after one that was used too long ago."""
    if sealed.number == row["number"]:
        return sealed.number + 1
    if sealed.number == row["number"] - 1 and now - row["renewed_at"] <= GRACE:
        return int(row["number"])
    return None


def session_of(token: str) -> UUID | None:
    """The session that a refresh token names, without a look at whether it is good."""
    sealed = opened(token)
    return sealed.id if sealed else None


async def leave(tx: Tx, seals: Seals, token: str) -> None:
    """End the session of a refresh token, if there is one."""
    sealed = opened(token)
    row = await tx.row(HOLD, sealed.id) if sealed else None
    if sealed is not None and row is not None and seals.fits(sealed, PURPOSE, row["salt"]):
        await tx.execute(END, row["customer_id"], row["id"], None, "signed out")


async def must_live(tx: Tx, viewer: Viewer) -> None:
    """Refuse an access token that outlived its session, where that matters. `SignInRequired`."""
    if viewer.session is None or await tx.value(LIVE, viewer.session, viewer.id) is None:
        raise SignInRequired


async def must_be_current(tx: Tx, viewer: Viewer) -> None:
    """As `must_live`, without keeping the session from ending meanwhile; of staff who look, it is theirs."""
    whose = viewer.watched_by or viewer.id
    if viewer.session is None or await tx.value(LIVES, viewer.session, whose) is None:
        raise SignInRequired


async def listed(tx: Tx, viewer: Viewer) -> list[Session]:
    """Where the person is signed in, the newest first."""
    return [Session(**row, current=row["id"] == viewer.session) for row in await tx.rows(LIST, viewer.id)]


async def remembered(tx: Tx, viewer: Viewer) -> list[Session]:
    """Where the person is signed in, and was of late."""
    return [Session(**row, current=row["id"] == viewer.session) for row in await tx.rows(REMEMBERED, viewer.id)]


async def end(tx: Tx, customer_id: UUID, session: UUID) -> None:
    """End one session of a person. `SessionNotFound`."""
    if not await tx.execute(END, customer_id, session, None, "ended by the person"):
        raise SessionNotFound


async def end_all(tx: Tx, customer_id: UUID, why: str, *, but: UUID | None = None) -> int:
    """End every session of a person, but perhaps one; how many."""
    return await tx.execute(END, customer_id, None, but, why)
