"""Accounts elsewhere that open an account here: who a provider says somebody is, and what that is worth.

An account is joined by the address only when both sides verified it: the provider says so, and so did its owner here,
and never one of staff or with a second factor: those their owners join themselves.
Whoever registers with somebody else's address and waits gains nothing by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.caution import Caution
from tfmshop.commerce.accounts.errors import InvalidCredentials, SignInRequired
from tfmshop.commerce.accounts.model import normal_email
from tfmshop.commerce.accounts.permissions import CUSTOMER
from tfmshop.commerce.accounts.proofs import Asked, proven
from tfmshop.commerce.accounts.sessions import must_live
from tfmshop.commerce.accounts.store_identities import (
    ADD,
    ADD_PERSON,
    DROP,
    FIND,
    FIND_BY_EMAIL,
    HOLD,
    LIST,
    OTHER_WAYS,
)
from tfmshop.commerce.accounts.store_sessions import BEGAN_LATELY, PASSWORD
from tfmshop.commerce.vocabulary import is_email
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Row, Tx
from tfmshop.platform.errors import Kind, ShopError
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.passwords import NO_PASSWORD

if TYPE_CHECKING:
    from tfmshop.platform.security.openid import Claims

LATELY: Final = timedelta(minutes=15)
"""How long having signed in proves anew who somebody without a password is."""


class AddressUnverified(
    ShopError, kind=Kind.CONFLICT, code="sign_in_address_unverified", says="The address is not verified {where}."
):
    """The provider did not verify the address, or an account here has it and nobody proved to read it."""

    where: str


class IdentityTaken(
    ShopError, kind=Kind.CONFLICT, code="identity_taken", says="That account elsewhere opens another account here."
):
    """Each account elsewhere opens one account here."""


class IdentityNotFound(
    ShopError, kind=Kind.NOT_FOUND, code="identity_not_found", says="No account with that provider opens this one."
):
    """The person did not join one, or took it away."""


class LastWayIn(
    ShopError, kind=Kind.CONFLICT, code="last_way_in", says="Set a password first: this is the only way in."
):
    """Without a password nobody could sign in any more."""


class AccountClosed(ShopError, kind=Kind.FORBIDDEN, code="account_closed", says="The account was closed."):
    """It is told only to whom the provider knows as its owner."""


class Identity(msgspec.Struct, frozen=True):
    """An account elsewhere."""

    provider: str
    created_at: datetime


async def sign_in(tx: Tx, claims: Claims) -> tuple[Viewer, str]:
    """Whose account it opens, and the hash that is kept of their password; a new account where there is none.

    `AddressUnverified`, `AccountClosed`.
    """
    row = await tx.row(FIND, claims.provider, claims.subject)
    if row is None:
        row = await _by_address(tx, claims)
    if not row["is_active"]:
        raise AccountClosed
    return Viewer(row["id"], row["role"]), row["password_hash"]


async def _by_address(tx: Tx, claims: Claims) -> Row:
    email = normal_email(claims.email)
    if not is_email(claims.email) or not claims.email_verified:  # lower case makes one letter of what are two
        raise AddressUnverified("by the provider")
    new = await tx.row(ADD_PERSON, ids.new(), email, claims.name, NO_PASSWORD, clock.now())
    row = new or await tx.row(FIND_BY_EMAIL, email)
    if row is None or (new is None and (row["verified_at"] is None or row["role"] != CUSTOMER or row["strong"])):
        raise AddressUnverified("here: sign in with the password, or ask for a new one, and join the accounts then")
    await tx.execute(ADD, claims.provider, claims.subject, row["id"], clock.now())
    return row


async def may_join(caution: Caution, viewer: Viewer, password: str | None) -> None:
    """Let whoever proves anew to own the account add a way into it: by the password, or where there is none, by having
    signed in within the last 15 minutes. `InvalidCredentials`, `SignInRequired`.
    """
    async with caution.db.read() as tx:
        row = await tx.row(PASSWORD, viewer.id)
        lately = await tx.value(BEGAN_LATELY, viewer.session, LATELY)
    if row is not None and row["password_hash"] != NO_PASSWORD:
        if password is None:
            raise InvalidCredentials
        await proven(caution, viewer.id, password)
    elif lately is None:
        raise SignInRequired


async def join(tx: Tx, viewer: Viewer, claims: Claims) -> None:
    """Have an account elsewhere open the signed-in person's account, whatever its address; they get a letter.
    `IdentityTaken`, `SignInRequired` when the session is over.
    """
    await must_live(tx, viewer)
    if await tx.execute(ADD, claims.provider, claims.subject, viewer.id, clock.now()):
        row = await tx.row(PASSWORD, viewer.id)
        if row is not None:
            await jobs.enqueue(tx, "accounts.identity_joined", Asked(ids.new(), row["email"]))
        return
    row = await tx.row(FIND, claims.provider, claims.subject)
    if row is None or row["id"] != viewer.id:
        raise IdentityTaken


async def listed(tx: Tx, customer: UUID) -> list[Identity]:
    """The accounts elsewhere that open a person's account."""
    return [Identity(*row) for row in await tx.rows(LIST, customer)]


async def drop(tx: Tx, customer: UUID, provider: str) -> None:
    """Have a provider open the account no more. `IdentityNotFound`, `LastWayIn`."""
    await tx.value(HOLD, customer)
    if not await tx.value(OTHER_WAYS, customer, provider, NO_PASSWORD):
        raise LastWayIn
    if not await tx.execute(DROP, customer, provider):
        raise IdentityNotFound
