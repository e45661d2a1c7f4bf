"""Changing one's e-mail address: asked for with the password, confirmed from the new address by the same person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tfmshop.commerce.accounts.caution import Caution
from tfmshop.commerce.accounts.errors import LinkInvalid
from tfmshop.commerce.accounts.model import normal_email
from tfmshop.commerce.accounts.proofs import AN_HOUR, LIFETIMES, Asked, checked, proven
from tfmshop.commerce.accounts.sessions import SALT_BYTES, end_all, must_live
from tfmshop.commerce.accounts.store_book import HOLD_PERSON
from tfmshop.commerce.accounts.store_sessions import (
    ADD_EMAIL_PROOF,
    ASKED_EMAILS,
    EVER_EMAILS,
    SET_EMAIL,
    SPOIL_PROOFS,
    USE_EMAIL_PROOF,
)
from tfmshop.platform import clock, ids, jobs
from tfmshop.platform.db import Refused, Tx
from tfmshop.platform.security.access import Viewer
from tfmshop.platform.security.seals import Seals


async def ask(caution: Caution, viewer: Viewer, *, email: str, password: str) -> None:
    """Have a link sent to the new address; nobody learns whether that has an account already. `InvalidCredentials`,
    `SignInRequired` when the session is over.
    """
    await proven(caution, viewer.id, password)

    async def work(tx: Tx) -> None:
        await must_live(tx, viewer)
        await tx.value(HOLD_PERSON, viewer.id)
        asked, now = Asked(ids.new(), normal_email(email)), clock.now()
        given = await tx.value(
            ADD_EMAIL_PROOF, asked.id, viewer.id, asked.email, ids.secret(SALT_BYTES), now, now + LIFETIMES["email"],
            AN_HOUR,
        )  # fmt: skip
        if given is not None:
            await jobs.enqueue(tx, "accounts.new_email", asked)

    await caution.db.transact(work)


class AskedEmail(msgspec.Struct, frozen=True):
    """An address that somebody asked for."""

    email: str
    asked_at: datetime


async def asked(tx: Tx, customer: UUID) -> list[AskedEmail]:
    """The addresses that a person asked for of late."""
    return [AskedEmail(*row) for row in await tx.rows(ASKED_EMAILS, customer)]


async def ever(tx: Tx, customer: UUID) -> list[str]:
    """The addresses that are a person's or were of late, in lower case; not those that they only asked for."""
    return [row["email"] for row in await tx.rows(EVER_EMAILS, customer)]


async def confirm(tx: Tx, seals: Seals, viewer: Viewer, token: str) -> None:
    """Take the new address, with the token that was sent there to this very person; other sessions end. `LinkInvalid`.

    An address that got an account meanwhile is refused in the same way. `SignInRequired` when the session is over.
    """
    await must_live(tx, viewer)
    email = await tx.value(USE_EMAIL_PROOF, await checked(tx, seals, "email", token), viewer.id)
    if email is None:
        raise LinkInvalid
    try:
        async with tx.savepoint():
            old = await tx.value(SET_EMAIL, viewer.id, email)
    except Refused:
        raise LinkInvalid from None
    if old is None:
        raise LinkInvalid
    for purpose in ("reset", "email"):
        await tx.execute(SPOIL_PROOFS, viewer.id, purpose)
    await end_all(tx, viewer.id, "the e-mail address changed", but=viewer.session)
    await jobs.enqueue(tx, "accounts.email_changed", Asked(ids.new(), old))
